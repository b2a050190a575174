"""Keys are made, recognised and revoked here. A secret is shown to the one who makes the key and is then forgotten."""

import hashlib
import re
import secrets
import string
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from access.models import ApiKey
from agents.visibility import Person, own

USED_AT_MOST_EVERY: Final = timedelta(minutes=1)
_ALPHABET: Final = string.ascii_letters + string.digits
_FORM: Final = re.compile(r"(va_[A-Za-z0-9]{8})_([A-Za-z0-9]{40})")


class KeyRefused(Exception):
    """The key opens nothing. The message says why; it is given to nobody but who has the secret, or says nothing of any key."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _index in range(length))


def _hash(secret: str) -> str:
    # 40 characters at random are 238 bits: there is nothing to guess, so nothing is won by a slow hash.
    return hashlib.sha256(secret.encode()).hexdigest()


def make(
    *, owner: Any, name: str, scopes: Collection[str], expires_at: datetime | None, requests_per_minute: int | None = None
) -> tuple[ApiKey, str]:
    """A new key and its whole text, which nobody can read again."""
    prefix, secret = f"va_{_random(8)}", _random(40)
    key = ApiKey.objects.create(
        owner=owner,
        name=name,
        prefix=prefix,
        secret_sha256=_hash(secret),
        scopes=sorted(scopes),
        expires_at=expires_at,
        requests_per_minute=requests_per_minute,
    )
    return key, f"{prefix}_{secret}"


def recognise(text: str) -> ApiKey:
    """The key of this text, with its owner. Raises `KeyRefused`."""
    unknown = _("There is no such API key. Make one on the page “API keys” and send it as “Authorization: Bearer va_…”.")
    if (parts := _FORM.fullmatch(text)) is None:
        raise KeyRefused(unknown)
    key = ApiKey.objects.select_related("owner").filter(prefix=parts[1]).first()
    if not secrets.compare_digest(key.secret_sha256 if key else "", _hash(parts[2])) or key is None:
        raise KeyRefused(unknown)
    if key.revoked_at is not None:
        raise KeyRefused(_("This API key was revoked. Make another one on the page “API keys”."))
    if key.is_expired:
        raise KeyRefused(_("This API key has expired. Make another one on the page “API keys”."))
    if not key.owner.is_active:
        raise KeyRefused(_("The owner of this API key is switched off."))
    return key


def note_use(key: ApiKey) -> None:
    """Writes when the key was last used, at most once a minute, however many processes ask at once."""
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at <= now - USED_AT_MOST_EVERY:
        stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_AT_MOST_EVERY)
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


def revoke(key: ApiKey) -> bool:
    """From the next request on the key opens nothing. False if it was revoked already."""
    return bool(ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()))


def visible(user: Person) -> QuerySet[ApiKey]:
    """Everybody's own; a superuser's are all."""
    return own(ApiKey.objects.select_related("owner"), user)
