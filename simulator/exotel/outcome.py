"""The end of a call: its last state, the final StatusCallback, and the report of what happened on it."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.caller import TICK_MS
from simulator.exotel.calls import now_utc
from simulator.exotel.media import Stream
from simulator.exotel.recording import agent_channel, mix_down
from simulator.hearing import Stretch
from simulator.report import Report, Spoken, problems, turns

if TYPE_CHECKING:
    from simulator.exotel.life import CallLife


async def end(life: "CallLife", status: str) -> None:
    """Settles the call and tells it; the journal's last event is the report."""
    call = life.call
    call.ended_at, call.status = now_utc(), status
    for leg in call.legs:
        if leg.answered_at is not None and leg.ended_at is None:
            leg.ended_at, leg.status = call.ended_at, "completed"
    call.tell("ended", status=status)
    if call.callback is not None:
        life.report_status("terminal" if call.callback.events else "")
    report = Report(call.sid, scenario=life.scenario.name, status=status, duration_ms=call.elapsed_ms())
    if life.stream is not None:
        await _measure(life, life.stream, report)
    elif call.stream is not None:
        report.problems.append(f"no stream: {call.stream.error or call.stream.detailed_status}")
    elif call.answered_at is not None and call.mode != "two-numbers":
        report.problems.append("nobody answered the call: there is no Voicebot in its flow")
    if life.failure:
        report.problems.insert(0, f"the simulator itself failed: {life.failure}")
    call.report = report
    await _keep_recording(life)
    call.tell("report", report=report.as_json())


async def _measure(life: "CallLife", stream: Stream, report: Report) -> None:
    caller, playback = stream.caller, stream.playback
    per_ms = stream.address.sample_rate_hz * 2 / 1_000
    report.stream_sid = stream.sid
    report.stream_started_ms = stream.started_ms
    report.start_sent_ms, report.first_audio_ms, report.opened_s = stream.start_sent_ms, stream.first_audio_ms, life.call.opened
    report.bursts_ms, report.clears_ms = stream.bursts_ms, stream.clears_ms
    report.closed_by = {"bot": "agent", "user": "caller", "": "caller"}.get(stream.closed_by, stream.closed_by)
    report.close_code = stream.close_code
    report.turns = turns(caller.utterances, caller.ear.stretches, stream.arrivals_ms)
    report.marks_sent, report.marks_echoed = stream.marks_sent, stream.marks_echoed
    report.clears, report.gaps = stream.clears, playback.gaps
    report.agent_audio_ms = round(playback.received_bytes / per_ms)
    report.dropped_by_clear_ms = round(playback.dropped_bytes / per_ms)
    report.unplayed_ms = round(playback.queued_ms)
    report.all_audio_played = stream.closed_by != "bot" or playback.queued_ms == 0
    report.breaches = [{"rule": breach.rule, "at_ms": breach.at_ms, "detail": breach.detail} for breach in stream.breaches]
    report.breach_counts = dict(stream.breach_counts)
    report.agent = [await _spoken(life, stream, stretch) for stretch in caller.ear.stretches]
    report.heard = " ".join(spoken.heard for spoken in report.agent if spoken.heard)
    report.problems = problems(report, life.scenario.expect, caller.failure, caller.utterances, stream.breaches)


async def _spoken(life: "CallLife", stream: Stream, stretch: Stretch) -> Spoken:
    heard = ""
    speech = life.exchange.state.speech
    if speech.name == "tones" and life.settings.keeps_recordings:
        first_ms, last_ms = stretch.start_ms - stream.started_ms, stretch.end_ms - stream.started_ms
        pcm, rate = agent_channel(stream.recording.path, first_ms - 2 * TICK_MS, last_ms + TICK_MS)
        heard = (await speech.recognise(pcm, rate)).text
    return Spoken(round(stretch.start_ms), round(stretch.end_ms), heard)


async def _keep_recording(life: "CallLife") -> None:
    call = life.call
    if call.recording is None:
        return
    if not call.record:
        call.recording.unlink(missing_ok=True)
        call.recording = None
    elif not call.dual_channels:
        await asyncio.to_thread(mix_down, Path(call.recording))
