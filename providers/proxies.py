"""Which way out: vendors are reached through the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY), if any.

Never what is on this machine itself. The services of operators' tools are no vendors: their address is judged and pinned, without a proxy.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit


def may_use_proxy(url: str) -> bool:
    """Whether the environment's proxy is asked for `url` at all; NO_PROXY is then honoured by whoever connects."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True
