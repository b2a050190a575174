"""What happened on a finished call, measured from the audio as it was played: turns, interruptions, breaches, and the verdict."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from simulator.caller import Utterance
from simulator.exotel.playback import Breach
from simulator.hearing import PAUSE_MS, Stretch
from simulator.scenario import Expect


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing the caller said and what came of it. Times in ms since the call was placed.

    `voice_to_voice_ms`: the caller's last sound to the agent's first played sound; None if the agent did not answer before the caller's
    next words. `received_ms` is the same up to the arrival of that audio at Exotel. `interruption_ms`, for an interruption: the
    caller's first sound to the end of the agent's sound; None if the agent never fell silent.
    """

    text: str
    start_ms: int
    end_ms: int
    interrupts: bool
    voice_to_voice_ms: int | None
    received_ms: int | None
    interruption_ms: int | None
    agent_was_speaking: bool = False


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of the agent's sound as played; `heard` only where the audio can be decoded exactly (tones)."""

    start_ms: int
    end_ms: int
    heard: str = ""


@dataclass(slots=True)
class Report:
    """One call, finished. `problems` is empty when the scenario was completed, nothing was broken and every expectation held.

    `opened_s` is the loop's clock when the call was placed, from which all `*_ms` count. `bursts_ms`: first and last arrival of the agent's
    audio, for each stretch that came without a pause or a clear in it.
    """

    call_sid: str
    stream_sid: str = ""
    scenario: str = ""
    status: str = ""
    stream_started_ms: int | None = None
    duration_ms: int = 0
    start_sent_ms: int | None = None
    first_audio_ms: int | None = None
    opened_s: float = 0.0
    bursts_ms: list[list[int]] = field(default_factory=list)
    clears_ms: list[int] = field(default_factory=list)
    closed_by: str = ""
    close_code: int | None = None
    turns: list[Turn] = field(default_factory=list)
    agent: list[Spoken] = field(default_factory=list)
    marks_sent: list[str] = field(default_factory=list)
    marks_echoed: list[str] = field(default_factory=list)
    clears: int = 0
    agent_audio_ms: int = 0
    dropped_by_clear_ms: int = 0
    unplayed_ms: int = 0
    gaps: int = 0
    all_audio_played: bool = True
    breaches: list[dict[str, Any]] = field(default_factory=list)
    breach_counts: dict[str, int] = field(default_factory=dict)
    heard: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.ok, "timeline": timeline(self)}


def turns(utterances: Sequence[Utterance], agent: Sequence[Stretch], arrivals_ms: Sequence[float]) -> list[Turn]:
    """The caller's utterances with what the agent did about each."""
    made = []
    for place, said in enumerate(utterances):
        next_ms = utterances[place + 1].start_ms if place + 1 < len(utterances) else float("inf")
        answer = next((s.start_ms for s in agent if said.end_ms <= s.start_ms < next_ms), None)
        arrival = next((at for at in arrivals_ms if said.end_ms <= at < next_ms), None) if answer is not None else None
        made.append(
            Turn(
                text=said.text,
                start_ms=round(said.start_ms),
                end_ms=round(said.end_ms),
                interrupts=said.interrupts,
                voice_to_voice_ms=None if answer is None else round(answer - said.end_ms),
                received_ms=None if arrival is None else round(arrival - said.end_ms),
                interruption_ms=interruption_ms(said, agent, next_ms) if said.interrupts and said.agent_was_speaking else None,
                agent_was_speaking=said.agent_was_speaking,
            )
        )
    return made


def interruption_ms(said: Utterance, agent: Sequence[Stretch], next_ms: float) -> int | None:
    """How long the agent's sound went on after the caller's first sound; None if it went on to the caller's next words."""
    spoken = next((s for s in agent if s.start_ms <= said.start_ms < s.end_ms + PAUSE_MS), None)
    if spoken is None:
        return 0
    return None if spoken.end_ms >= next_ms else max(0, round(spoken.end_ms - said.start_ms))


def problems(report: Report, expect: Expect, failure: str, utterances: Sequence[Utterance], breaches: Sequence[Breach]) -> list[str]:
    """Everything that keeps this call from being a success, in plain sentences."""
    found = [failure] if failure else []
    found += [f"Exotel's rule {breach.rule} was broken at {breach.at_ms} ms: {breach.detail}" for breach in breaches]
    if not report.all_audio_played:
        found.append(f"the call was closed with {report.unplayed_ms} ms of the agent's audio not yet played")
    if expect.closed_by and report.closed_by != expect.closed_by:
        found.append(f"the call was to be ended by the {expect.closed_by}, but it was ended by the {report.closed_by or 'nobody'}")
    if expect.status and report.status != expect.status:
        found.append(f"the call was to end as {expect.status}, but it ended as {report.status}")
    for turn, said in zip(report.turns, utterances, strict=False):
        if said.interrupts and said.stops and not said.agent_was_speaking:
            found.append(f"at {turn.start_ms} ms there was no agent speech to interrupt")
        elif said.interrupts and said.stops and expect.interruption_within_ms is not None:
            limit_ms = expect.interruption_within_ms
            if turn.interruption_ms is None:
                found.append(f"the agent did not stop when it was interrupted at {turn.start_ms} ms")
            elif turn.interruption_ms > limit_ms:
                found.append(
                    f"the agent stopped {turn.interruption_ms} ms after the interruption at {turn.start_ms} ms, {limit_ms} ms allowed"
                )
        answer_ms, most_ms = turn.voice_to_voice_ms, expect.voice_to_voice_within_ms
        if answer_ms is not None and most_ms is not None and answer_ms > most_ms:
            found.append(f"the agent answered {answer_ms} ms after the words at {turn.start_ms} ms, {most_ms} ms allowed")
    return found


def timeline(report: Report) -> list[dict[str, Any]]:
    """Both sides in order of time."""
    entries: list[dict[str, Any]] = []
    for turn in report.turns:
        entries.append({"at_ms": turn.start_ms, "what": "caller_start", "text": turn.text})
        entries.append({"at_ms": turn.end_ms, "what": "caller_end"})
    for spoken in report.agent:
        entries.append({"at_ms": spoken.start_ms, "what": "agent_start", "heard": spoken.heard})
        entries.append({"at_ms": spoken.end_ms, "what": "agent_end"})
    entries += [{"at_ms": breach["at_ms"], "what": "breach", "rule": breach["rule"]} for breach in report.breaches]
    return sorted(entries, key=lambda entry: int(entry["at_ms"]))


def lines(report: dict[str, Any]) -> list[str]:
    """The report for a terminal. Takes the JSON form, as it arrives over the wire."""
    out = [
        f"call {report['call_sid']}: {report['status']}, {report['duration_ms'] / 1_000:.1f} s, closed by {report['closed_by'] or 'nobody'}"
    ]
    for turn in report["turns"]:
        answer = "no answer" if turn["voice_to_voice_ms"] is None else f"answered after {turn['voice_to_voice_ms']} ms"
        stop = "" if turn["interruption_ms"] is None else f", agent silent after {turn['interruption_ms']} ms"
        out.append(
            f"  {turn['start_ms'] / 1_000:7.2f} s  {'interrupted' if turn['interrupts'] else 'said'} {turn['text']!r}: {answer}{stop}"
        )
    marks = f"{len(report['marks_echoed'])} of {len(report['marks_sent'])} marks echoed"
    out.append(f"  {report['agent_audio_ms'] / 1_000:.1f} s of agent audio, {report['gaps']} gaps, {report['clears']} clears, {marks}")
    if report["heard"]:
        out.append(f"  heard: {report['heard']}")
    out += [f"  PROBLEM: {problem}" for problem in report["problems"]]
    out.append("  ok: no breach" if report["ok"] else "  FAILED")
    return out
