"""What the templates of a call's page and of a shared call show beside the call's own facts. Reads rows; writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any

import structlog
from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils import timezone

from calls import presentation, queries, wording
from calls.commands import SHARE_DAYS
from calls.commands.remarks import tag_name
from calls.models import CallShare, CallTag, Recording, Session, Turn
from calls.page import redaction, strips
from calls.page.listening import HeardTurn, heard_turns
from engine.errors import ProviderError

logger = structlog.get_logger()

_SIGNER = Signer(salt="calls.share", sep=".")
MOST_SUGGESTED = 20


@dataclass(frozen=True, slots=True)
class ShareLine:
    """An open link as its makers see it."""

    share: CallShare
    path: str


def told_turns(turns: Sequence[Turn], recording: Recording | None) -> list[dict[str, Any]]:
    """The turns as pages draw them, each with what the line added and whether the recording has it."""
    return _told(heard_turns(turns, recording), recording)


def _told(heard: Sequence[HeardTurn], recording: Recording | None) -> list[dict[str, Any]]:
    told = presentation.turns_json([each.turn for each in heard])
    presentation.mark_unheard(told, recording)
    for turn, each in zip(told, heard, strict=True):
        strips.add_line(turn, each.line_ms)
    return told


def in_their_order(turns: Sequence[dict[str, Any]], beside: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Turns and what was done beside them, as static/js/transcript.js sorts them too: what was done comes before a turn of its moment."""
    return sorted([*turns, *beside], key=lambda entry: (entry["at_ms"], entry.get("number", 0)))


def remarks(session: Session, user: queries.User) -> dict[str, Any]:
    """Needs nothing prefetched."""
    notes = queries.notes(session)
    is_mighty = getattr(user, "is_superuser", False)
    return {
        "notes": [{"note": note, "removable": note.removed_at is None and (is_mighty or note.author_id == user.pk)} for note in notes],
        "tags": list(CallTag.objects.filter(session=session).select_related("author")),
    }


def suggested_tags(user: queries.User, beginning: str) -> list[str]:
    """Tags that this user's calls have already, those that begin so first come by name."""
    rows = CallTag.objects.all() if getattr(user, "is_superuser", False) else CallTag.objects.filter(owner_id=user.pk)
    found = rows.filter(name__startswith=tag_name(beginning)).order_by("name").values_list("name", flat=True).distinct()
    return list(found[:MOST_SUGGESTED])


def shares(session: Session) -> dict[str, Any]:
    """The links that are open now, the newest first."""
    rows = CallShare.objects.filter(session=session, revoked_at=None, expires_at__gt=timezone.now()).select_related("author")
    return {"shares": [ShareLine(row, share_path(row)) for row in rows], "share_days": SHARE_DAYS}


def share_path(share: CallShare) -> str:
    return reverse("call-shared", args=[_SIGNER.sign(share.share_id)])


def find_share(token: str) -> CallShare | None:
    """The link's row, open or not; None if we never made such a link."""
    try:
        share_id = _SIGNER.unsign(token)
    except BadSignature:
        return None
    return CallShare.objects.filter(share_id=share_id).first()


def is_open(share: CallShare) -> bool:
    return share.revoked_at is None and share.expires_at > timezone.now()


def overview(session: Session, turns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The head of a conversation: how the call went, how quick it was, and the scale of its strips."""
    latencies = sorted(turn["latency_ms"] for turn in turns if turn["latency_ms"] is not None)
    return {
        "call": presentation.call_json(session),
        "longest_ms": strips.scale_ms(turns),
        "scale": wording.latency_words(strips.scale_ms(turns)),
        "figures": strips.figures(turns),
        "median": wording.latency_words(median(latencies) if latencies else None),
        "slowest": wording.latency_words(latencies[-1]) if latencies else "",
        "cut": sum(turn["cut"] for turn in turns),
    }


# --- what somebody without a log-in sees -----------------------------------------------------------------------------------------


def nameless_turns(session: Session, recording: Recording | None) -> tuple[list[dict[str, Any]], list[HeardTurn]]:
    """The turns without what tells who somebody is, as pages draw them and as the player finds them."""
    heard = heard_turns(queries.turns(session), recording)
    analysis = getattr(session, "analysis", None)
    known = redaction.known_of(session.customer, analysis.extraction if analysis is not None else None)
    told = _told(heard, recording)
    for turn, each in zip(told, heard, strict=True):
        turn["text"] = redaction.redacted(turn["text"], known)
        each.turn.text = turn["text"]  # never saved: the player counts the letters that are shown
        turn["said"] = _nameless(turn["text"], turn["said"], known)
    return told, heard


def _nameless(heard: str, said: Sequence[dict[str, Any]], known: Sequence[str]) -> list[dict[str, Any]]:
    """A turn's words in two stretches, heard and unheard, each masked as a whole: cut into more, a number could be read between them."""
    unheard = redaction.redacted(" … ".join(part["text"] for part in said if not part["heard"]), known)
    before = next((part["before"] for part in said if not part["heard"]), "")
    parts = [(heard, True, ""), (unheard, False, before)]
    return [{"text": text, "heard": is_heard, "before": space, "after": ""} for text, is_heard, space in parts if text]


def shared_recording(share: CallShare, recording: Recording | None) -> str:
    """A link that plays the recording for as long as it lasts and a little more; empty if it is not shared, or not there."""
    if not share.with_recording or recording is None or recording.state != Recording.State.STORED or not recording.key:
        return ""
    length = timedelta(milliseconds=recording.duration_ms or 0)
    seconds = min(int(length.total_seconds()) * 2 + 600, settings.RECORDING_LINK_TTL_S)
    try:
        return queries.storage(recording.bucket).presigned_url(recording.key, seconds)
    except ProviderError as error:
        logger.warning("recording_link_failed", session_id=share.session_id, error=error.message)
        return ""
