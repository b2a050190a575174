"""Which addresses an endpoint may have, as far as words can tell. What is really there, `providers.operator_http` judges at the socket."""

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from providers.operator_http import may_reach


def problem(url: str, allowed: Sequence[str]) -> str:
    """Why `url` cannot be an endpoint's address and what to write instead; empty if it can. `allowed` are private networks."""
    schemes = ("https", "http") if allowed else ("https",)
    try:
        parts = urlsplit(url)
        _port = parts.port
    except ValueError:
        return _("This is no address. Write it as https://example.com/path.")
    if parts.scheme not in schemes or not parts.hostname or any(character.isspace() for character in url):
        return _("Write an address that starts with https:// and names a host.")
    if parts.username or parts.password:
        return _("Put no user name or password into the address: messages are signed, so that you can tell ours from others'.")
    if parts.fragment:
        return _("Leave out the # and what follows it: it is never sent.")
    try:
        address = ip_address(parts.hostname)
    except ValueError:
        return ""
    return "" if may_reach(address, allowed) else _("This address is inside a private network, which cannot be reached from here.")
