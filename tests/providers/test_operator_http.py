"""Operators' requests: where they may go, and how sure one is of what came of them. Real sockets, nothing in between."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from providers.operator_http import NotSent, OutcomeUnknown, ServiceRequest, ask, may_reach

LOOPBACK = ("127.0.0.0/8",)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::",
    ],
)  # fmt: skip
def test_no_private_address_may_be_reached_however_it_is_written(address: str) -> None:
    assert not may_reach(ip_address(address), ())


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_may_be_reached(address: str) -> None:
    assert may_reach(ip_address(address), ())


def test_a_network_can_be_allowed_and_only_it_is() -> None:
    assert may_reach(ip_address("10.20.0.7"), ("10.20.0.0/16",))
    assert may_reach(ip_address("::ffff:10.20.0.7"), ("10.20.0.0/16",))
    assert not may_reach(ip_address("10.21.0.7"), ("10.20.0.0/16",))


@asynccontextmanager
async def service(serve: Serve) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server on a free port: its address, and the requests that reached it."""
    seen: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        seen.append(head + await reader.readexactly(length))
        await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", seen
    finally:
        server.close()


def answers(status: str, body: bytes, kind: str = "application/json", extra: str = "") -> Serve:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    return serve


async def test_a_request_goes_out_whole_and_its_answer_comes_back() -> None:
    async with service(answers("201 Created", b'{"id": 17}')) as (place, seen):
        request = ServiceRequest("POST", f"http://{place}/days/mon%2Fday", {"X-Key": "k"}, body={"name": "आशा"})
        answer = await ask(request, timeout_ms=5000, allowed=LOOPBACK)
    assert (answer.status, answer.text) == (201, '{"id": 17}')
    head, body = seen[0].split(b"\r\n\r\n", 1)
    assert head.startswith(b"POST /days/mon%2Fday HTTP/1.1\r\n")
    assert f"Host: {place}".encode() in head
    assert b"X-Key: k" in head
    assert json.loads(body) == {"name": "आशा"}


async def test_a_name_keeps_its_name_although_the_connection_goes_to_the_judged_address() -> None:
    async with service(answers("200 OK", b"{}")) as (place, seen):
        port = place.split(":")[1]
        await ask(
            ServiceRequest("GET", f"http://localhost:{port}/a?b=1", query={"c": "2"}), timeout_ms=5000, allowed=("127.0.0.0/8", "::1/128")
        )
    assert seen[0].startswith(b"GET /a?b=1&c=2 HTTP/1.1\r\n")
    assert f"Host: localhost:{port}".encode() in seen[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
async def test_nothing_reaches_the_machine_itself_by_any_name(host: str) -> None:
    async with service(answers("200 OK", b"{}")) as (place, seen):
        with pytest.raises(NotSent, match=r"private network|not known|address"):
            await ask(ServiceRequest("GET", f"http://{host}:{place.split(':')[1]}/"), timeout_ms=5000)
        assert seen == []


async def test_a_name_with_one_bad_address_among_good_ones_is_a_trap(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()

    async def two(*_args: object, **_kwargs: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", ("8.8.8.8", 443)), (2, 1, 6, "", ("10.0.0.5", 443))]

    monkeypatch.setattr(loop, "getaddrinfo", two)
    with pytest.raises(NotSent, match="private network"):
        await ask(ServiceRequest("GET", "https://rebind.example/"), timeout_ms=2000)


async def test_a_redirect_is_an_answer_and_not_an_order() -> None:
    async with service(answers("302 Found", b"", extra="Location: http://169.254.169.254/\r\n")) as (place, seen):
        answer = await ask(ServiceRequest("GET", f"http://{place}/"), timeout_ms=5000, allowed=LOOPBACK)
    assert (answer.status, len(seen)) == (302, 1)


async def test_plain_http_leaves_the_allowed_networks_never() -> None:
    with pytest.raises(NotSent, match="must start with https://"):
        await ask(ServiceRequest("GET", "http://8.8.8.8/"), timeout_ms=2000)


async def test_a_service_that_took_the_request_and_says_nothing_leaves_the_outcome_unknown() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with service(silent) as (place, _seen):
        for limit_ms in (200, 3_000, 30_000):  # a busy machine may not even have sent it within the shortest
            with pytest.raises((OutcomeUnknown, NotSent)) as told:
                await ask(ServiceRequest("POST", f"http://{place}/", body={}), timeout_ms=limit_ms, allowed=LOOPBACK)
            if told.type is OutcomeUnknown:
                break
        assert told.type is OutcomeUnknown
        told.match(f"within {limit_ms} ms")


async def test_a_service_that_hangs_up_in_the_middle_leaves_the_outcome_unknown() -> None:
    async def hang_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    async with service(hang_up) as (place, _seen):
        with pytest.raises(OutcomeUnknown, match="broke off"):
            await ask(ServiceRequest("POST", f"http://{place}/", body={}), timeout_ms=5000, allowed=LOOPBACK)


async def test_a_service_that_is_not_there_did_nothing() -> None:
    async with service(answers("200 OK", b"")) as (place, _seen):
        pass
    with pytest.raises(NotSent, match="could not be reached"):
        await ask(ServiceRequest("POST", f"http://{place}/", body={}), timeout_ms=5000, allowed=LOOPBACK)


async def test_a_long_answer_is_cut_and_what_is_no_text_is_left_out() -> None:
    async with service(answers("200 OK", b"x" * 200_000, "text/plain")) as (place, _seen):
        assert len((await ask(ServiceRequest("GET", f"http://{place}/"), timeout_ms=5000, allowed=LOOPBACK)).text) == 64 * 1024
    async with service(answers("200 OK", b"\x89PNG", "image/png")) as (place, _seen):
        assert (await ask(ServiceRequest("GET", f"http://{place}/"), timeout_ms=5000, allowed=LOOPBACK)).text == ""


def test_nothing_that_may_be_secret_shows_in_a_request() -> None:
    request = ServiceRequest("POST", "https://example.com/", {"Authorization": "hush"}, {"q": "hush"}, {"pin": "hush"})
    assert "hush" not in repr(request)
