"""Two people on one line: each plays a scenario and hears the other, on one clock. For mode A and the Connect applet."""

import asyncio
from typing import TYPE_CHECKING

from simulator import scenario as scenarios
from simulator.caller import TICK_MS, Caller, prepare
from simulator.exotel.calls import Leg, now_utc
from simulator.exotel.recording import Recording

if TYPE_CHECKING:
    from simulator.exotel.life import CallLife


async def talk_to_each_other(life: "CallLife", second: Leg) -> None:
    """Until one of them hangs up or the call's time limit is reached."""
    rate = life.settings.sample_rate_hz
    their_part = scenarios.load(life.settings.person(second.number).scenario)
    their_clips = await prepare(their_part, life.exchange.state.speech, rate)
    now_ms = life.call.elapsed_ms()
    mine = life.person(await life.clips(rate), rate, starts_at_ms=now_ms)
    theirs = Caller(their_part, their_clips, rate, starts_at_ms=now_ms)
    path = life.exchange.state.scratch / "exotelrecordings" / f"{life.call.sid}.wav"
    recording = Recording(path if life.stream is None else path.with_suffix(".connect.wav"), rate)
    if life.stream is None:
        life.call.recording = recording.path
    try:
        await _tick(life, mine, theirs, recording)
    finally:
        recording.close()
        second.ended_at, second.status = now_utc(), "completed"


async def _tick(life: "CallLife", mine: Caller, theirs: Caller, recording: Recording) -> None:
    loop = asyncio.get_running_loop()
    origin, ticks = loop.time(), 0
    said: bytes | None = None
    answered: bytes | None = None
    limit_ticks = life.call.time_limit_s * 1_000 // TICK_MS
    while ticks < limit_ticks and not (mine.has_hung_up or theirs.has_hung_up or life.wants_to_leave):
        await asyncio.sleep(max(0.0, origin + (ticks + 1) * TICK_MS / 1_000 - loop.time()))
        said, answered = mine.tick(answered), theirs.tick(said)
        recording.write(said, answered)
        ticks += 1
