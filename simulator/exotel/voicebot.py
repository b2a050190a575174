"""The Voicebot applet: finds the bot's address, opens the stream, lets it run, and says afterwards how it went."""

import asyncio
import math
from typing import TYPE_CHECKING

from simulator.caller import TICK_MS
from simulator.exotel.address import Unreachable, resolve
from simulator.exotel.calls import StreamOutcome, now_utc
from simulator.exotel.handshake import open_socket
from simulator.exotel.media import Stream
from simulator.exotel.numbers import new_sid
from simulator.exotel.params import applet_params
from simulator.exotel.recording import Recording
from simulator.metronome import Metronome

if TYPE_CHECKING:
    from simulator.exotel.life import CallLife

THROTTLED = "Streaming_call_throttled"


async def run(life: "CallLife", url: str) -> None:
    """Returns when the stream is over, or could not be opened; `call.stream` then tells how it went. Never raises for the bot's sake."""
    call, exchange = life.call, life.exchange
    sid = new_sid(now_utc())
    if exchange.streams_now >= life.settings.max_streams:
        call.stream = StreamOutcome(sid, "failed", "NA", 0, url, detailed_status=THROTTLED)
        call.tell("stream_refused", why=THROTTLED)
        return
    exchange.streams_now += 1
    try:
        stream = await _open(life, sid, url)
        if stream is None:
            return
        try:
            await _carry(life, stream)
            if stream.broke and life.is_human_there and life.settings.reconnect_once:
                await _go_on(life, stream)
        finally:
            stream.caller.closed()
            stream.recording.close()
    finally:
        exchange.streams_now -= 1


async def _open(life: "CallLife", sid: str, url: str) -> Stream | None:
    call, settings, exchange = life.call, life.settings, life.exchange
    fault = exchange.faults.take("exotel.media")
    try:
        if fault is not None and fault.fault == "status":
            raise Unreachable(f"3009 failed to establish ws conn: HTTP {fault.status}")
        address = await resolve(url, applet_params(call, settings, now_utc()), settings, exchange.http)
        clips = await life.clips(address.sample_rate_hz)
        socket = await open_socket(address, settings)
    except Unreachable as error:
        call.stream = StreamOutcome(sid, "failed", "NA", 0, url, error=str(error))
        call.tell("stream_failed", error=str(error))
        return None
    if fault is not None and fault.fault == "delay":
        await asyncio.sleep(fault.ms / 1_000)
    started_ms = call.elapsed_ms()
    caller = life.person(clips, address.sample_rate_hz, starts_at_ms=started_ms)
    recording = Recording(exchange.state.scratch / "exotelrecordings" / f"{call.sid}.wav", address.sample_rate_hz)
    call.tell("stream_opened", started_ms, stream_sid=sid, to=address.shown, sample_rate_hz=address.sample_rate_hz)
    metronome = exchange.state.part(Metronome, Metronome)
    return Stream(call, settings, sid, address, socket, caller, recording, metronome, fault, started_ms=started_ms)


async def _go_on(life: "CallLife", broken: Stream) -> None:
    """The same person on a new stream to the same address. What they did and heard meanwhile is silence on both sides of the recording."""
    call, caller = life.call, broken.caller
    try:
        socket = await open_socket(broken.address, life.settings)
    except Unreachable as error:
        call.tell("stream_failed", error=str(error))
        return
    while caller.now_ms + TICK_MS <= call.elapsed_ms():
        broken.recording.write(caller.tick(None), None)
    sid, since_ms = new_sid(now_utc()), broken.started_ms
    stream = Stream(call, life.settings, sid, broken.address, socket, caller, broken.recording, broken.metronome, started_ms=since_ms)
    call.tell("stream_resumed", stream_sid=stream.sid, broken=broken.sid)
    await _carry(life, stream)


async def _carry(life: "CallLife", stream: Stream) -> None:
    life.stream = stream
    call = life.call
    call.recording = stream.recording.path
    if life.wants_to_leave:
        stream.cut("callended")
    try:
        await stream.run()
    finally:
        if stream.closed_by in ("user", ""):
            life.is_human_there = False
        call.stream = StreamOutcome(
            stream.sid,
            status={"bot": "completed", "cap": "completed", "lost": "failed"}.get(stream.closed_by, "cancelled"),
            disconnected_by={"bot": "bot", "cap": "NA", "lost": "NA"}.get(stream.closed_by, "user"),
            duration_s=math.ceil((call.elapsed_ms() - stream.started_ms) / 1_000),
            url=stream.address.url,
        )
        call.tell("stream_closed", by=stream.closed_by or "user", code=stream.close_code)
