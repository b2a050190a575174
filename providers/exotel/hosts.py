"""From where recordings may be fetched, and who may see our credentials on the way. Pure: an address in, a decision out.

A recording's address comes out of a webhook that nobody signed. Fetching it blindly would let a forger read our network (SSRF) or collect
Exotel's API token; so only known hosts are fetched, and the token goes to Exotel's own alone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

_EXOTEL_HOSTS: Final = frozenset({"recordings.exotel.com", "api.exotel.com", "api.in.exotel.com", "recordings.in.exotel.com"})
# Exotel's old public buckets: path-style addresses on Amazon's shared hosts, so the path is part of the rule and the token stays home.
_BUCKETS: Final = {
    "s3-ap-southeast-1.amazonaws.com": "/exotelrecordings/",
    "s3.ap-southeast-1.amazonaws.com": "/exotelrecordings/",
    "s3-ap-south-1.amazonaws.com": "/exotel-mum1-recordings/",
    "s3.ap-south-1.amazonaws.com": "/exotel-mum1-recordings/",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an address may be fetched, and whether with our credentials. `reason` says why not, for operators."""

    may_fetch: bool
    with_credentials: bool
    reason: str = ""


def judge(url: str, *, own_origin: str = "", extra_hosts: Collection[str] = ()) -> Verdict:
    """`own_origin`: scheme, host and port of the configured API, which has our token anyway. `extra_hosts`: an operator's additions."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip(".").lower(), parts.port
    except ValueError:
        return Verdict(False, False, "The recording's address is not a URL.")
    if parts.username is not None or parts.password is not None:
        return Verdict(False, False, "The recording's address carries credentials of its own; it is not Exotel's.")
    if not host or any(character in url for character in "\\\r\n\t ") or "/.." in unquote(parts.path):
        return Verdict(False, False, "The recording's address is not one that Exotel writes.")
    if own_origin and _origin(url) == _origin(own_origin):
        return Verdict(True, True)
    if parts.scheme != "https":
        return Verdict(False, False, "The recording's address is not https.")
    if host in {extra.strip().lower() for extra in extra_hosts}:
        return Verdict(True, True)
    if port not in (None, 443):
        return Verdict(
            False, False, f"Recordings on port {port} are not fetched. If that is right, add the host to EXOTEL_RECORDING_HOSTS."
        )
    if host in _EXOTEL_HOSTS:
        return Verdict(True, True)
    if host in _BUCKETS and unquote(parts.path).startswith(_BUCKETS[host]):
        return Verdict(True, False)
    return Verdict(False, False, f"Recordings are not fetched from {host}. If it is Exotel's, add it to EXOTEL_RECORDING_HOSTS.")


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
