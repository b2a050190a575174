"""Requests to operators' own services, made so that neither a tool nor a webhook can be turned against the network that it is sent from.

The name is resolved here, every address it has is judged, and the connection goes to the very address that was judged: a name that changes
its mind in between reaches nothing. No redirect is followed, no proxy is asked, no connection is shared between names. Nothing here logs:
addresses, headers and bodies may hold personal data and secrets.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import httpx

_MOST_BYTES = 64 * 1024
_NOT_FOR_HOSTS = tuple(ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))  # IPv4 in disguise

Address = IPv4Address | IPv6Address


class NotSent(Exception):
    """Nothing was asked of the service: it certainly did nothing. `message` names no address."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class OutcomeUnknown(Exception):
    """The request was on its way when it broke off: the service may have done it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """`url` is absolute; `query` is appended to it. `body` is sent as JSON, None sends none; or else `content` is, byte for byte."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """`text` is at most 64 KB of it, and empty for what is no text."""

    status: int
    text: str = field(repr=False)


def may_reach(address: Address, allowed: Sequence[str]) -> bool:
    """Whether a tool may connect to `address`: it is public, or in one of the networks that the operator of this server allows."""
    if any(address in ip_network(network, strict=False) for network in allowed):
        return True
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return may_reach(address.ipv4_mapped, allowed)
        if any(address in network for network in _NOT_FOR_HOSTS):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified


async def ask(
    request: ServiceRequest, *, timeout_ms: int, allowed: Sequence[str] = (), allowed_by: str = "TOOL_ALLOWED_NETWORKS"
) -> ServiceAnswer:
    """Sends the request once and reads the answer within `timeout_ms`. Raises `NotSent` or `OutcomeUnknown`.

    `allowed` are private networks that may be reached, and `allowed_by` the setting that names them.
    """
    under_way = _UnderWay()
    scope = asyncio.timeout(timeout_ms / 1000)
    try:
        async with scope:
            return await _ask(request, under_way, allowed, allowed_by)
    except TimeoutError:
        if not scope.expired():
            raise
        message = f"The service did not answer within {timeout_ms} ms."
        raise (OutcomeUnknown if under_way.began else NotSent)(message) from None
    except httpx.HTTPError as error:
        if under_way.began:
            raise OutcomeUnknown("The service broke off in the middle of the request.") from error
        raise NotSent("The service could not be reached; check its address and certificate.") from error
    except (httpx.InvalidURL, ValueError) as error:
        raise NotSent("The address cannot be used as it was filled in.") from error


class _UnderWay:
    """Whether the first byte of the request may have left."""

    def __init__(self) -> None:
        self.began = False

    async def trace(self, name: str, _facts: Mapping[str, Any]) -> None:
        if name == "http11.send_request_headers.started":
            self.began = True


async def _ask(request: ServiceRequest, under_way: _UnderWay, allowed: Sequence[str], allowed_by: str) -> ServiceAnswer:
    url = httpx.URL(request.url).copy_merge_params(dict(request.query)) if request.query else httpx.URL(request.url)
    port = url.port or {"https": 443, "http": 80}.get(url.scheme)
    if port is None or not url.host:
        raise NotSent("The address must start with https://.")
    address = await _address(url.raw_host.decode("ascii"), port, allowed, allowed_by)
    if url.scheme == "http" and not any(address in ip_network(network, strict=False) for network in allowed):
        raise NotSent("The address must start with https:// outside the allowed private networks.")
    async with (
        httpx.AsyncClient(verify=_tls(), trust_env=False, follow_redirects=False, timeout=None) as client,  # noqa: S113 - `ask` keeps the deadline
        client.stream(
            request.method,
            url.copy_with(host=str(address)),
            headers={**request.headers, "Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity"},
            json=request.body,
            content=request.content,
            extensions={"sni_hostname": url.host, "trace": under_way.trace},
        ) as response,
    ):
        return ServiceAnswer(response.status_code, await _text(response))


async def _address(host: str, port: int, allowed: Sequence[str], allowed_by: str) -> Address:
    """The address to connect to. One bad address among several is a trap, so all must be good."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=1)
    except OSError as error:
        raise NotSent("The name of the service is not known.") from error
    addresses = [ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    if not addresses or not all(may_reach(address, allowed) for address in addresses):
        raise NotSent(f"The service is inside a private network, which may not be reached from here. {allowed_by} can allow it.")
    return addresses[0]


async def _text(response: httpx.Response) -> str:
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    is_text = kind.startswith("text/") or kind.endswith(("json", "xml")) or not kind
    body = b""
    async for piece in response.aiter_raw():
        body += piece
        if len(body) >= _MOST_BYTES:
            break
    return body[:_MOST_BYTES].decode("utf-8", errors="replace") if is_text else ""


async def warm() -> None:
    """Reads the trusted roots before the first tool needs them: that blocks for longer than audio may."""
    await asyncio.to_thread(_tls)


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
