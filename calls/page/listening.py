"""What the browser needs to draw a recording and to play any word of it: its picture, whose each channel is, and when each turn is heard.

Reads rows that are already loaded. The recording itself is never read here, and the page never loads it in order to draw it.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from calls.alignment import voice_of
from calls.models import Recording, Turn, Waveform
from calls.page.words import Place, Said, places

_NAMES = {"caller": gettext_noop("Caller"), "agent": gettext_noop("Agent")}
_OTHER = {"caller": "agent", "agent": "caller"}


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """A turn in the recording's time. `line_ms`: the gap before it on the line, from the other's last word; None if nobody knows."""

    turn: Turn
    begin_ms: int
    end_ms: int
    said: list[Said]
    line_ms: int | None = None

    @property
    def words(self) -> list[Place]:
        """Where each word of the turn's text, as it stands now, is heard. Compared anew each time: only a player asks."""
        return places(self.turn.text, self.begin_ms, self.end_ms, self.said)


def heard_turns(turns: Sequence[Turn], recording: Recording | None) -> list[HeardTurn]:
    """The turns where the recording has them; where it is not transcribed, by our own clock."""
    aligned: Mapping[str, Any] = (recording.alignment if recording is not None else None) or {}
    told: list[dict[str, Any]] = (recording.transcript if recording is not None else None) or []
    offset_ms = int(aligned.get("offset_ms") or 0)
    there = {
        (one["speaker"], one["number"]): [told[place] for place in one["utterances"] if place < len(told)]
        for one in aligned.get("turns", ())
    }
    found: list[HeardTurn] = []
    spoken_until_ms: dict[str, int] = {}
    for turn in turns:
        utterances = there.get((turn.speaker, turn.number), [])
        begin_ms = min((said["start_ms"] for said in utterances), default=max(turn.started_ms + offset_ms, 0))
        end_ms = max((said["end_ms"] for said in utterances), default=max(turn.ended_ms + offset_ms, begin_ms))
        words = sorted(Said(*word) for said in utterances for word in said.get("words") or ())
        before_ms = spoken_until_ms.get(_OTHER.get(turn.speaker, ""))
        line_ms = begin_ms - before_ms if utterances and before_ms is not None else None
        found.append(HeardTurn(turn, begin_ms, end_ms, words, line_ms))
        spoken_until_ms = {turn.speaker: end_ms} if utterances else {}
    return found


def listening_json(waveform: Waveform, turns: Sequence[HeardTurn], recording: Recording | None) -> dict[str, Any]:
    """`channels` from the top; `peaks` are bytes in base64. A turn's `words` are [first letter, behind the last, ms]."""
    return {
        "duration_ms": waveform.duration_ms,
        "channels": _channels(waveform, recording),
        "turns": [
            {
                "key": f"{heard.turn.speaker}-{heard.turn.number}",
                "speaker": heard.turn.speaker,
                "begin_ms": heard.begin_ms,
                "end_ms": heard.end_ms,
                "words": heard.words,
            }
            for heard in turns
        ],
    }


def _name(speaker: str, number: int, count: int) -> str:
    if speaker in _NAMES:
        return _(_NAMES[speaker])
    return _("Both sides") if count == 1 else _("Channel %(number)d") % {"number": number + 1}


def _channels(waveform: Waveform, recording: Recording | None) -> list[dict[str, str]]:
    """The caller above the agent, as far as anybody knows who is on which channel."""
    data, count = bytes(waveform.peaks), max(waveform.channels, 1)
    each = len(data) // count
    speakers = _speakers(count, recording)
    drawn = [
        {
            "speaker": speakers[number],
            "name": _name(speakers[number], number, count),
            "peaks": b64encode(data[number * each : (number + 1) * each]).decode(),
        }
        for number in range(count)
    ]
    return sorted(drawn, key=lambda channel: ("caller", "agent", "").index(channel["speaker"]))


def _speakers(count: int, recording: Recording | None) -> list[str]:
    """caller, agent or nobody's for each channel. Who one of two is tells who the other is."""
    names = ((recording.alignment if recording is not None else None) or {}).get("names", {})
    known = [names.get(voice_of({"channel": number}), "") if count > 1 else "" for number in range(count)]
    known = [name if name in _NAMES else "" for name in known]
    if count != 2:
        return known
    if known[0] == known[1]:
        return ["", ""]
    return [name or _OTHER.get(known[1 - number], "") for number, name in enumerate(known)]
