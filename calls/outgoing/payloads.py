"""What a message says. The shape is a promise to other people's programs (docs/webhooks.md): fields are added, never renamed or removed.

The transcript is not in it: a message stays small and goes through other people's logs. Who may read that asks the API.
"""

import json
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from calls import queries
from calls.amounts import plain
from calls.models import CallLog, Recording, Session
from calls.outgoing.rules import SEQUENCE, EventType

VERSION = 1
MOST_BYTES = 64 * 1024
_ANALYSED = ("summary", "outcome", "sentiment", "extraction")


def call_payload(event: EventType, session: Session, log: CallLog, at: datetime) -> dict[str, Any]:
    """One event of a call. Needs `agent` and `agent_version` of the session; what is not known yet is null or empty."""
    recording = Recording.objects.filter(session=session).only("state", "transcript", "duration_ms").first()
    stored = recording is not None and recording.state == Recording.State.STORED
    summary = queries.charges_summary(session)
    return _envelope(
        event,
        at,
        {
            "version": VERSION,
            "sequence": SEQUENCE[event],
            "session_id": session.session_id,
            "call_sid": log.call_sid,
            "url": f"{settings.WEBHOOK_BASE_URL}/api/v1/calls/{session.session_id}/",
            "agent": {"id": session.agent_id, "name": session.agent.name, "version": session.agent_version.number},
            "direction": log.direction,
            "from": log.from_phone or None,
            "to": log.to_phone or None,
            "status": log.status,
            "created_at": stamp(session.created_at),
            "started_at": stamp(log.started_at),
            "answered_at": stamp(log.answered_at),
            "ended_at": stamp(log.ended_at or session.ended_at),
            "duration_s": log.duration_s,
            "ended_by": log.ended_by or None,
            "confirmation": log.confirmation or None,
            "end_reason": session.end_reason or None,
            "failure": log.failure or None,
            "recording": {"available": stored, "duration_ms": recording.duration_ms if recording is not None else None},
            "transcript": {"available": recording is not None and recording.transcript is not None},
            "cost": {
                "final": event == EventType.SETTLED,
                "totals": {currency: plain(amount) for currency, amount in sorted(summary.totals.items())},
                "unpriced": summary.unpriced,
            },
            "analysis": _analysis(session),
        },
    )


def alert_payload(event: EventType, facts: dict[str, Any], at: datetime) -> dict[str, Any]:
    """What is told of an alert; `facts` are made by `calls.alerting.telling`."""
    return _envelope(event, at, {"version": VERSION, "sequence": SEQUENCE[event], **facts})


def test_payload(at: datetime) -> dict[str, Any]:
    """What the button sends: it tells of no call."""
    return _envelope(EventType.TEST, at, {"version": VERSION, "sequence": SEQUENCE[EventType.TEST], "text": "This is a test."})


def as_body(payload: dict[str, Any]) -> str:
    """The bytes that are signed and sent, as text. What an agent extracts has no bound of its own: too much of it is left out."""
    body = _compact(payload)
    if len(body.encode()) > MOST_BYTES:
        facts = payload["data"]
        body = _compact({**payload, "data": {**facts, "analysis": {**dict.fromkeys(_ANALYSED), "available": True}}})
    return body


def stamp(moment: datetime | None) -> str | None:
    """`2026-11-22T07:44:05.120Z`."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _analysis(session: Session) -> dict[str, Any]:
    found: Any = getattr(session, "analysis", None)
    return {"available": found is not None, **{name: getattr(found, name, None) for name in _ANALYSED}}


def _compact(payload: dict[str, Any]) -> str:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def _envelope(event: EventType, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": str(event), "timestamp": stamp(at), "data": data}
