"""Operators' secrets at rest: encrypted before Postgres sees them, bound to their column, decrypted only where they are used.

AES-256-GCM. The last of FIELD_KEYS encrypts, every one decrypts, so a key is rotated by adding one and `manage.py reencrypt_secrets`.
A secret is never searched for, shown in a form, or put into a version.
"""

import base64
import hashlib
import os
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

_NONCE_BYTES = 12
_VERSION = "v1"
# Without FIELD_KEYS a development checkout still works: its key follows from SECRET_KEY, under this name.
_DERIVED = "secret-key"


class Undecipherable(ImproperlyConfigured):
    """A stored secret cannot be read with the configured keys. The message names the key that is missing."""


def keys() -> dict[str, str]:
    """Hex keys by id, oldest first."""
    derived = hashlib.sha256(b"voiceagents field key\0" + settings.SECRET_KEY.encode()).hexdigest()
    return {_DERIVED: derived, **settings.FIELD_KEYS}


@lru_cache(maxsize=16)
def _cipher(key: str) -> AESGCM:
    return AESGCM(bytes.fromhex(key))


def newest() -> str:
    """The id of the key that encrypts."""
    return list(keys())[-1]


def key_of(stored: str) -> str:
    """The id of the key that wrote `stored`."""
    return stored.split(":", 2)[1] if stored.startswith(f"{_VERSION}:") else ""


def encrypt(text: str, place: str) -> str:
    key_id = newest()
    key = keys()[key_id]
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + _cipher(key).encrypt(nonce, text.encode(), place.encode())
    return f"{_VERSION}:{key_id}:{base64.b64encode(sealed).decode()}"


def decrypt(stored: str, place: str) -> str:
    """Raises `Undecipherable`; never gives the ciphertext for the secret."""
    version, _, rest = stored.partition(":")
    key_id, _, sealed = rest.partition(":")
    key = keys().get(key_id)
    if version != _VERSION or key is None:
        raise Undecipherable(f"A stored secret was encrypted with the key {key_id!r}. Add that key to FIELD_KEYS, before the newest one.")
    raw = base64.b64decode(sealed)
    try:
        return _cipher(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode()).decode()
    except InvalidTag as error:
        message = (
            f"A stored secret does not fit the key {key_id!r}: FIELD_KEYS or SECRET_KEY is not the one it was stored with. Restore it."
        )
        raise Undecipherable(message) from error


class Kept(str):
    """A secret as it was read, with what it was read from: saved again unchanged it stays the same ciphertext, and is no change."""

    stored: str = ""
    place: str = ""

    @classmethod
    def read(cls, stored: str, place: str) -> "Kept":
        secret = cls(decrypt(stored, place))
        secret.stored, secret.place = stored, place
        return secret


class EncryptedText(models.TextField):  # type: ignore[type-arg]  # Django's field has no parameters at run time
    """Text that Postgres only ever sees encrypted. Looking rows up by it is refused."""

    def _place(self) -> str:
        return f"{self.model._meta.db_table}.{self.column}"

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Kept) and value.place == self._place() and key_of(value.stored) == newest():
            return value.stored
        return None if value is None else encrypt(str(value), self._place())

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return None if value is None else Kept.read(value, self._place())

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise TypeError("An encrypted field cannot be searched: every ciphertext of the same secret is different.")
        return super().get_lookup(lookup_name)
