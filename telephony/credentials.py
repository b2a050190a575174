"""Who may knock at Exotel's doors. Exotel signs nothing, so a shared secret is all there is: in Basic credentials or as `?key=`.

Every active secret is compared in constant time, so that two can be valid while one is being replaced. Without any secret configured
nobody gets in.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable
from urllib.parse import parse_qs


def is_authorised(*, secrets: Iterable[str], authorization: str, query_string: str) -> bool:
    """Whether the request carries one of `secrets`: as the password of Basic credentials (any user name), or as the parameter `key`."""
    offered = [password for password in (_basic_password(authorization), _key(query_string)) if password is not None]
    matches = [hmac.compare_digest(one.encode(), secret.encode()) for secret in secrets for one in offered]
    return any(matches)


def _basic_password(authorization: str) -> str | None:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = decoded.partition(":")
    return password if colon else user


def _key(query_string: str) -> str | None:
    try:
        values = parse_qs(query_string, max_num_fields=200).get("key")
    except ValueError:
        return None
    return values[-1] if values else None
