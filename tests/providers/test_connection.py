"""Deadlines, the meaning of failures, and clients that belong to one loop."""

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from engine.errors import ErrorCategory, ProviderError
from providers.connection import Deadlines, LoopClients, Patience, status_error, within
from tests.providers.vendors import failure

SHORT = Deadlines(first_ms=100, between_ms=100)


@pytest.mark.parametrize(
    ("status", "code", "category", "retryable"),
    [
        (200, "", ErrorCategory.PROTOCOL, False),
        (302, "", ErrorCategory.PROTOCOL, False),
        (400, "", ErrorCategory.BAD_REQUEST, False),
        (401, "invalid_api_key", ErrorCategory.AUTHENTICATION, False),
        (401, "quota_exceeded", ErrorCategory.QUOTA, False),
        (402, "ASR_PAYMENT_REQUIRED", ErrorCategory.QUOTA, False),
        (403, "", ErrorCategory.AUTHENTICATION, False),
        (404, "model_not_found", ErrorCategory.NOT_FOUND, False),
        (408, "", ErrorCategory.TIMEOUT, True),
        (409, "", ErrorCategory.SERVER, True),
        (413, "", ErrorCategory.BAD_REQUEST, False),
        (422, "", ErrorCategory.BAD_REQUEST, False),
        (429, "rate_limit_exceeded", ErrorCategory.RATE_LIMITED, True),
        (429, "insufficient_quota", ErrorCategory.QUOTA, False),
        (500, "", ErrorCategory.SERVER, True),
        (503, "", ErrorCategory.SERVER, True),
        (504, "", ErrorCategory.TIMEOUT, True),
        (529, "", ErrorCategory.SERVER, True),
    ],
)
def test_every_status_has_a_meaning_and_says_whether_to_try_again(status: int, code: str, category: ErrorCategory, retryable: bool) -> None:
    error = status_error("somebody", status, code=code, request_id="req-1")
    assert (error.category, error.retryable, error.request_id) == (category, retryable, "req-1")
    assert str(error).startswith("somebody: ")
    assert f"HTTP {status}" in str(error)


@pytest.mark.parametrize("code", ["Incorrect API key provided: sk-abc", "he said hello", "x" * 65, "a\nb", ""])
def test_only_a_single_word_of_the_provider_is_repeated(code: str) -> None:
    assert str(status_error("somebody", 400, code=code)).endswith("(HTTP 400) (bad-request)")


async def items(*, gaps_ms: list[int], values: list[str]) -> AsyncIterator[str]:
    for gap_ms, value in zip(gaps_ms, values, strict=True):
        await asyncio.sleep(gap_ms / 1000)
        yield value


async def gathered(source: AsyncIterator[str], deadlines: Deadlines) -> list[str]:
    return [item async for item in Patience("somebody", deadlines).each(source)]


async def test_everything_in_time_passes_through() -> None:
    slow_but_steady = Deadlines(first_ms=5_000, between_ms=5_000)
    assert await gathered(items(gaps_ms=[1, 1, 1], values=["a", "", "b"]), slow_but_steady) == ["a", "", "b"]


async def test_what_is_not_useful_does_not_extend_the_deadline() -> None:
    """Keep-alives every few ms for ever: the first useful item never comes."""
    error = await failure(lambda: gathered(items(gaps_ms=[5] * 10_000, values=[""] * 10_000), SHORT))
    assert (error.category, error.message) == (ErrorCategory.TIMEOUT, "did not begin to answer within 100 ms")


async def test_a_stall_after_the_first_item_is_named_as_such() -> None:
    error = await failure(lambda: gathered(items(gaps_ms=[1, 60_000], values=["a", "b"]), SHORT))
    assert error.message == "stopped sending in the middle within 100 ms"


async def test_time_outs_of_others_are_not_ours() -> None:
    async def inner() -> None:
        raise TimeoutError("of somebody else")

    with pytest.raises(TimeoutError, match="of somebody else"):
        await Patience("somebody", SHORT).wait(inner())
    with pytest.raises(TimeoutError, match="of somebody else"):
        await within(1_000, "somebody", "did nothing", inner())


async def test_a_bounded_wait_names_what_was_not_done() -> None:
    with pytest.raises(ProviderError, match="somebody: did not answer within 10 ms"):
        await within(10, "somebody", "did not answer", asyncio.sleep(60))


async def drop(_client: object) -> None:
    pass


def test_a_client_is_shared_within_a_loop_and_never_across() -> None:
    clients: LoopClients[object] = LoopClients(drop)

    async def two() -> tuple[object, object]:
        return clients.get("key", object), clients.get("key", object)

    async def other_key() -> bool:
        return clients.get("key", object) is clients.get("other", object)

    first, again = asyncio.run(two())
    elsewhere, _ = asyncio.run(two())
    assert first is again
    assert elsewhere is not first
    assert not asyncio.run(other_key())


def test_the_clients_of_a_dead_loop_are_forgotten() -> None:
    clients: LoopClients[object] = LoopClients(drop)

    async def use() -> None:
        clients.get("key", object)

    for _ in range(5):
        asyncio.run(use())
    gc.collect()
    assert len(clients._clients) <= 1


async def test_closing_makes_room_for_new_clients() -> None:
    async def close(client: list[str]) -> None:
        client.append("closed")

    clients: LoopClients[list[str]] = LoopClients(close)
    first = clients.get("key", list)
    await LoopClients.close_everywhere()
    assert first == ["closed"]
    assert clients.get("key", list) == []
