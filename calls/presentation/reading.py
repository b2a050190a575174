"""What was found out about a call once it was over, in words: its analysis, and where live turns and recording differ."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from calls.models import Analysis, Recording

_WHO = {"caller": gettext_noop("Caller"), "agent": gettext_noop("Agent")}
_TONES = {"achieved": "good", "partly-achieved": "warn", "not-achieved": "bad", "positive": "good", "negative": "bad"}


@dataclass(frozen=True, slots=True)
class Claim:
    """Something the model says of the call, and the turns that it shows for it."""

    name: str
    value: str
    tone: str
    evidence: str


@dataclass(frozen=True, slots=True)
class ReadCall:
    summary: str
    claims: list[Claim]
    extracted: list[tuple[str, str]]
    extracted_from: str
    model: str


def read_call(analysis: Analysis | None) -> ReadCall | None:
    if analysis is None:
        return None
    found = analysis.extraction if isinstance(analysis.extraction, Mapping) else {}
    evidence, tone = analysis.evidence, _TONES.get(analysis.outcome, "")
    return ReadCall(
        summary=analysis.summary,
        claims=[
            Claim(_("Outcome"), analysis.get_outcome_display(), tone, _turns(evidence, "outcome")),
            Claim(_("Sentiment"), analysis.get_sentiment_display(), _TONES.get(analysis.sentiment, ""), _turns(evidence, "sentiment")),
        ],
        extracted=[(str(name), _words(value)) for name, value in found.items()],
        extracted_from=_turns(evidence, "extraction"),
        model=f"{analysis.provider} {analysis.model}",
    )


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _turns(evidence: Mapping[str, Any], claim: str) -> str:
    """`caller 3, agent 3`: the turns as the page numbers them."""
    told = evidence.get(claim) or ()
    return ", ".join(_turn(one) for one in told)


def _turn(one: Mapping[str, Any]) -> str:
    if "speaker" not in one:
        return _("recording at %(seconds)d s") % {"seconds": one["at_ms"] // 1000}
    return (_("agent %(number)s") if one["speaker"] == "agent" else _("caller %(number)s")) % {"number": one["number"]}


def voice_names(recording: Recording | None) -> dict[str, str]:
    """Whose voice each channel or speaker of the recording is, as far as the live turns tell."""
    alignment = recording.alignment if recording is not None else None
    return {voice: _(_WHO[name]) if name in _WHO else name for voice, name in alignment["names"].items()} if alignment else {}


def mark_unheard(turns: list[dict[str, Any]], recording: Recording | None) -> None:
    """Sets `missing` on turns that a transcribed recording does not have: nobody on the line heard them, or not in those words."""
    alignment = recording.alignment if recording is not None else None
    placed = {(one["speaker"], one["number"]): one["heard"] for one in alignment["turns"]} if alignment else {}
    for turn in turns:
        turn["missing"] = placed.get((turn["speaker"], turn["number"])) is False
