"""What live pages and their sockets draw of a call: JSON for the browser, computed once for both."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from calls import wording
from calls.cuts import said
from calls.models import Recording, Session, Turn
from calls.overview import Beside, DayFigures, RunningCalls
from calls.presentation.beside import beside_json
from calls.presentation.spending import so_far
from calls.status import TERMINAL

TURN_FACTS = ("number", "speaker", "text", "generated_text", "interrupted", "started_ms")
TURN_TIMES = ("endpointing_ms", "llm_ms", "tts_ms", "latency_ms", "silence_after_ms")
LAST_WORDS_LIMIT = 240


def is_live(session: Session) -> bool:
    """Queued, ringing or talking: the rule of `queries.calls_in_progress` for one loaded row."""
    return session.state != Session.State.ENDED and session.call_log.status not in TERMINAL


def running_since(session: Session) -> datetime:
    """What the running timer counts from: the best-known beginning of the call."""
    log = session.call_log
    return log.answered_at or session.started_at or log.started_at or session.created_at


def duration_s(session: Session) -> float | None:
    """The carrier's figure, else what our own stamps say; None while unknown."""
    log = session.call_log
    if log.duration_s is not None:
        return log.duration_s
    ended = log.ended_at or session.ended_at
    began = log.answered_at or session.started_at
    return max((ended - began).total_seconds(), 0.0) if ended and began else None


def why(session: Session) -> str:
    """Who ended the call and why, in words; empty while it runs."""
    if is_live(session):
        return ""
    log = session.call_log
    failure = wording.cause_words(log.failure)
    failure = failure[:1].upper() + failure[1:]
    if failure and not session.end_reason:
        return failure
    ended = wording.ended_words(log.ended_by, session.end_reason)
    return f"{ended}. {failure}" if ended and failure else ended


def cost_words(session: Session) -> str:
    """`₹1.20 + $0.01 so far, ₹1.20 + $0.01 a minute, telephony unpriced`; empty while nothing is known."""
    known = so_far(session)
    spent = _("%(cost)s so far") % {"cost": known.cost} if known.cost else ""
    return ", ".join(part for part in (spent, known.minute, known.unpriced) if part)


def version(session: Session) -> str:
    """Changes whenever what the server renders beside the conversation may have changed."""
    recording: Recording | None = getattr(session, "recording", None)
    parts = (
        session.call_log.status,
        session.state,
        session.hangup_requested_at,
        recording and recording.state,
        session.call_log.settled_at,
        session.call_log.confirmation,
    )
    return "/".join(str(part or "") for part in parts)


# --- JSON for the browser ---------------------------------------------------------------------------------------------------


def is_draft(turn: Turn) -> bool:
    """Whether somebody is still saying it: see `calls.commands.drafts`."""
    return turn.ended_ms <= turn.started_ms


def call_json(session: Session, last: Turn | None = None, *, latency_ms: int | None = None, sees_numbers: bool = False) -> dict[str, Any]:
    """One call as the live page and the call page draw it. Needs `call_log` and `agent` loaded.

    `last` is its latest turn, `latency_ms` how long the caller waited for the latest answer.
    """
    log = session.call_log
    speaks = last is not None and is_live(session) and is_draft(last)
    return {
        "pk": session.pk,  # grows from call to call
        "session_id": session.session_id,
        "agent": session.agent.name,
        "number": wording.number_words(session.user_phone, in_full=sees_numbers),
        "direction": log.direction,
        "is_test": log.is_test,
        "status_words": wording.status_words(log.status),
        "tone": wording.status_tone(log.status),
        "live": is_live(session),
        "since": running_since(session).isoformat(),
        "duration_words": wording.duration_words(duration_s(session)),
        "end_words": why(session),
        "hangup_requested": session.hangup_requested_at is not None,
        "last": {"speaker": last.speaker, "text": last.text[:LAST_WORDS_LIMIT], "speaking": speaks} if last else None,
        "latency_words": wording.latency_words(latency_ms) if latency_ms is not None else "",
        "latency_tone": wording.latency_tone(latency_ms),
        "talks": session.state == Session.State.ACTIVE and is_live(session),
        "url": reverse("call-page", args=[session.session_id]),
        "hangup_url": reverse("call-hangup", args=[session.session_id]),
        "whisper_url": reverse("call-whisper", args=[session.session_id]),
        "hand_over_url": reverse("call-hand-over", args=[session.session_id]),
        "listen_url": reverse("call-listen", args=[session.session_id]),
        "cost_words": cost_words(session),
        "version": version(session),
    }


def turn_json(facts: Mapping[str, Any]) -> dict[str, Any]:
    """One turn, from a row's columns or from the payload of a `turn.ended` update: templates and scripts draw the same fields."""
    latency = facts["latency_ms"]
    spoken = said(facts["text"], facts["generated_text"])
    parts = wording.latency_parts(total_ms=latency, endpointing_ms=facts["endpointing_ms"], llm_ms=facts["llm_ms"], tts_ms=facts["tts_ms"])
    return {
        "number": facts["number"],
        "speaker": facts["speaker"],
        "text": facts["text"],
        "said": [{"text": one.text, "heard": one.heard, "before": one.before, "after": one.after} for one in spoken],
        "interrupted": facts["interrupted"],
        "cut": facts["interrupted"] or not all(one.heard for one in spoken),
        "at_ms": facts["started_ms"],
        "at_words": wording.duration_words(facts["started_ms"] / 1000),
        "latency_ms": latency,
        "latency_words": wording.latency_words(latency),
        "latency_tone": wording.latency_tone(latency),
        "silence_after_ms": facts["silence_after_ms"],
        "parts": [
            {"name": part.name, "words": wording.part_words(part.name), "start_ms": part.start_ms, "length_ms": part.length_ms}
            for part in parts
        ],
    }


def turns_json(turns: Iterable[Turn]) -> list[dict[str, Any]]:
    return [turn_json({name: getattr(turn, name) for name in (*TURN_FACTS, *TURN_TIMES)}) for turn in turns]


def talk_json(session: Session, turns: Sequence[Turn], beside: Iterable[Beside], *, sees_numbers: bool = False) -> dict[str, Any]:
    """One call's whole transcript with what was done beside it. The words that somebody is just saying are marked as a `draft`."""
    told = turns_json(turns)
    latest = {turn.speaker: turn.number for turn in sorted(turns, key=lambda turn: turn.number)} if is_live(session) else {}
    for turn, drawn in zip(turns, told, strict=True):
        drawn["draft"] = latest.get(turn.speaker) == turn.number and is_draft(turn)
    return {
        "session_id": session.session_id,
        "turns": told,
        "beside": [beside_json(session, row, sees_numbers=sees_numbers) for row in beside],
        "destinations": [{"id": one.id, "name": one.name} for one in session.spec().destinations],
    }


def snapshot_json(running: RunningCalls, figures: DayFigures, *, sees_numbers: bool = False, may_listen: bool = False) -> dict[str, Any]:
    """The live page as it stands now."""
    calls = [
        call_json(
            session,
            running.last_turns.get(session.pk),
            latency_ms=running.latencies.get(session.pk),
            sees_numbers=sees_numbers,
        )
        for session in running.sessions
    ]
    return {
        "kind": "snapshot",
        "server_now": timezone.now().isoformat(),
        "calls": calls,
        "more": running.more,
        "figures": figures_json(figures, len(running.sessions) + running.more),
        "watched": None,
        "may_listen": may_listen,
    }


def figures_json(figures: DayFigures, running: int) -> dict[str, str]:
    costs = [wording.money_words(amount, currency, at_most=2) for currency, amount in figures.costs.items()]
    return {
        "running": str(running),
        "calls": f"{figures.calls:,}",
        "answered": _("%(n)s answered") % {"n": f"{figures.answered:,}"},
        "latency": wording.latency_words(figures.median_latency_ms),
        "cost": " + ".join(costs) or "–",
        "unpriced": _("and %(n)s unpriced") % {"n": f"{figures.unpriced:,}"} if figures.unpriced else "",
    }
