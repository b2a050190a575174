"""The life of one call: ringing, whoever answers, the mode that was asked for, the limits, the end and what is told of it."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from simulator import scenario as scenarios
from simulator.caller import Caller, prepare
from simulator.exotel import flow, outcome, voicebot
from simulator.exotel.calls import Call, Leg, now_utc
from simulator.exotel.exchange import Exchange
from simulator.exotel.people import talk_to_each_other
from simulator.replies import parse
from simulator.scenario import Scenario

if TYPE_CHECKING:
    from simulator.exotel.media import Stream


class CallLife:
    """One call with the settings it began with. `scenario`: what the person on the line does. Raises `RuleRefused`."""

    def __init__(self, exchange: Exchange, call: Call, scenario: Scenario) -> None:
        self.exchange = exchange
        self.call = call
        self.scenario = scenario
        self.settings = exchange.settings
        self.is_human_there = False
        self.failure = ""
        self.stream: Stream | None = None
        self.dialled: list[Leg] = []
        self._replies = parse(scenario.replies)
        self._clips: dict[int, dict[str, bytes]] = {}
        self._wants_to_leave = False

    async def incoming(self) -> None:
        """A person has dialled an exophone: the flow answers."""
        await self._live(self._take_incoming())

    async def outgoing(self) -> None:
        """The API asked for it: rings, and with whoever answers does what was asked for."""
        await self._live(self._take_outgoing())

    def hang_up(self) -> None:
        """The person puts the phone down, whatever the scenario says."""
        self._wants_to_leave = True
        if self.stream is not None:
            self.stream.cut("callended")

    async def _live(self, course: Coroutine[Any, Any, str]) -> None:
        """The scenario's rules answer for the scripted language model for as long as the call lives."""
        status = "failed"
        replies = self.exchange.state.replies
        replies.push(self._replies)
        try:
            status = await course
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"
            raise
        finally:
            replies.remove(self._replies)
            await outcome.end(self, status)

    async def _take_incoming(self) -> str:
        await self.clips(self.settings.sample_rate_hz)
        phone = self.settings.exophone(self.call.exophone)
        self.answer(self.call.legs[0])
        if phone is None:
            self.call.tell("no_flow", why="the number is not one of the exophones in the settings")
        else:
            await flow.run(self, phone)
        return "completed"

    async def _take_outgoing(self) -> str:
        await self.clips(self.settings.sample_rate_hz)
        result = await self.ring(self.call.legs[0])
        if result != "answer":
            return result
        match self.call.mode:
            case "flow":
                phone = self.settings.flow(self.call.flow_id, self.call.exophone)
                if phone is not None:
                    await flow.run(self, phone)
            case "connect-ai":
                await voicebot.run(self, self.call.stream_url)
            case _:
                return await self._two_numbers()
        return "completed"

    async def _two_numbers(self) -> str:
        second = self.call.legs[1]
        result = await self.ring(second)
        if result != "answer":
            return result
        await talk_to_each_other(self, second)
        return "completed"

    async def ring(self, leg: Leg) -> str:
        """Rings one person; answers `answer`, `busy`, `no-answer` or `failed`."""
        person = self.settings.person(leg.number)
        leg.status = "ringing"
        self.call.tell("ringing")
        if self.call.mode == "connect-ai":
            self.report_status("ringing")
        await asyncio.sleep(min(person.ring_s, self.call.ring_limit_s))
        result = "no-answer" if person.ring_s > self.call.ring_limit_s else person.outcome
        if result != "answer":
            leg.status = result
            return result
        self.answer(leg)
        self.report_status("answered")
        return result

    def answer(self, leg: Leg) -> None:
        leg.status, leg.answered_at = "in-progress", now_utc()
        self.call.answered_at = self.call.answered_at or leg.answered_at
        self.is_human_there = True
        self.call.tell("answered")

    def report_status(self, event: str) -> None:
        """A StatusCallback, if the call asked for it."""
        self.exchange.deliveries.status(self.call, self.settings, event, now_utc())

    async def clips(self, sample_rate_hz: int) -> dict[str, bytes]:
        """Everything the person will say, made before it is needed."""
        if sample_rate_hz not in self._clips:
            self._clips[sample_rate_hz] = await prepare(self.scenario, self.exchange.state.speech, sample_rate_hz)
        return self._clips[sample_rate_hz]

    def person(self, clips: dict[str, bytes], sample_rate_hz: int, *, starts_at_ms: float) -> Caller:
        return Caller(self.scenario, clips, sample_rate_hz, starts_at_ms=starts_at_ms, tell=self.call.tell)

    @property
    def wants_to_leave(self) -> bool:
        return self._wants_to_leave


def life_of(exchange: Exchange, call: Call) -> CallLife:
    """The life of a call that the API asked for: the person rung first plays the scenario that the settings give them."""
    return CallLife(exchange, call, scenarios.load(exchange.settings.person(call.from_number).scenario))
