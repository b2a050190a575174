"""What the first answer needs is opened while the greeting plays: once, beside the call, and never at its expense."""

import asyncio

import pytest
from structlog.testing import capture_logs

from agents import warmth
from engine.errors import ErrorCategory, ProviderError

NAME = ("tts", "vendor", "voice")


class Port:
    """Counts how often it was warmed; `fails` or takes its time as the test wants it."""

    def __init__(self, *, fails: bool = False, answers: bool = True) -> None:
        self.warmed = 0
        self._fails = fails
        self._answers = answers

    async def warm(self) -> None:
        self.warmed += 1
        if self._fails:
            raise ProviderError("vendor", ErrorCategory.CONNECTION, "it is down", retryable=True)
        if not self._answers:
            await asyncio.Event().wait()


async def settled() -> None:
    async with asyncio.timeout(30):
        while warmth._warming:
            await asyncio.sleep(0)


async def test_calls_that_begin_together_open_one_connection_and_a_later_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    port, other = Port(), Port()
    for _ in range(3):
        warmth.warm_beside({NAME: port, ("llm", "vendor"): other, ("stt", "vendor"): object()})
    await settled()
    assert (port.warmed, other.warmed) == (1, 1)
    monkeypatch.setattr(warmth, "WARM_FOR_S", 0.0)
    warmth.warm_beside({NAME: port})
    await settled()
    assert port.warmed == 2


async def test_a_provider_that_is_down_or_slow_costs_the_call_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmth, "WARM_UP_LIMIT_S", 0.01)
    with capture_logs() as logs:
        warmth.warm_beside({NAME: Port(fails=True), ("llm", "vendor"): Port(answers=False)})
        await settled()
    assert sorted(line["category"] for line in logs) == ["connection", "timeout"]
    assert {line["event"] for line in logs} == {"provider_not_warm"}
