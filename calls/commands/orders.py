"""An operator helps in a talk that is going on: a note to the agent, or a person for the caller.

The web process writes the wish down; the process that holds the talk takes it with its next beat, as it does a hang-up. Each wish is on the
call's timeline with the name of whoever had it; what was whispered is not, it stands in its own row.
"""

from collections.abc import Collection
from dataclasses import dataclass

import structlog
from django.db import connection, transaction
from django.utils import timezone

from agents import assembly
from agents.tools import handover
from calls import broadcast
from calls.commands.timeline import record_event
from calls.commands.transfers import decide_transfer
from calls.kinds import Kind
from calls.models import OperatorOrder, Session

logger = structlog.get_logger()

LONGEST_NOTE_CHARS = 500
_Wish = OperatorOrder.Kind


@dataclass(frozen=True, slots=True)
class Order:
    """A wish on its way to its talk."""

    pk: int
    session_id: str
    kind: str
    text: str


def whisper(session: Session, *, text: str, by: str) -> OperatorOrder | None:
    """Tells the agent something that the caller does not hear. None if there is no talk any more, or nothing to tell."""
    note = " ".join(text.replace("\0", "").split())[:LONGEST_NOTE_CHARS]
    if not note:
        return None
    with transaction.atomic():
        return _give(session, OperatorOrder(kind=_Wish.WHISPER, text=note, by=by[:150]), event="whispered", facts={"by": by[:150]})


def hand_over(session: Session, *, destination_id: int, by: str) -> OperatorOrder | None:
    """Decides that one of the agent's destinations takes the caller: the agent says so and leaves the line.

    None if the talk is over, the carrier has been given other numbers already, or the agent of this call has no such destination.
    """
    spec = session.spec()
    chosen = next((one for one in spec.destinations if one.id == destination_id), None)
    if chosen is None:
        return None
    words = handover(spec, chosen, assembly.facts_of(spec, caller_number=session.user_phone, customer=session.customer))
    with transaction.atomic():
        is_decided = decide_transfer(
            session.session_id,
            destination_id=chosen.id,
            name=chosen.name,
            numbers=chosen.numbers,
            ring_s=chosen.ring_s,
            is_agents=False,
        )
        if not is_decided:
            return None
        order = OperatorOrder(kind=_Wish.HAND_OVER, text=words, destination=chosen.name[:80], by=by[:150])
        return _give(session, order, event="hand-over-requested", facts={"by": by[:150], "to": chosen.name[:80]})


def _give(session: Session, order: OperatorOrder, *, event: Kind, facts: dict[str, str]) -> OperatorOrder | None:
    row = Session.objects.select_for_update(no_key=True).get(pk=session.pk)
    if row.state != Session.State.ACTIVE:
        return None
    order.session = row
    order.save(force_insert=True)
    record_event(session=row, key=f"{event}:{order.pk}", source="operator", kind=event, facts=facts)
    broadcast.beside_changed_on_commit(row, "note", order.pk)
    logger.info("operator_order_given", session_id=row.session_id, kind=str(order.kind))
    return order


_TAKE = """
UPDATE calls_operatororder AS wish SET taken_at = %s
FROM calls_session AS talk
WHERE wish.taken_at IS NULL AND talk.id = wish.session_id AND talk.session_id = ANY(%s) AND talk.state = %s
RETURNING wish.id, talk.session_id, wish.kind, wish.text
"""


def take_orders(session_ids: Collection[str]) -> list[Order]:
    """What operators want of these talks and nobody has taken yet, in its order. Each is given once: whoever asks carries it out.

    All that is asked of the database stands in one transaction: what fails half-way has taken nothing.
    """
    if not session_ids:
        return []
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, [timezone.now(), list(session_ids), Session.State.ACTIVE])
            taken = [Order(*row) for row in sorted(cursor.fetchall())]
        if taken:
            talks = {talk.session_id: talk for talk in Session.objects.filter(session_id__in={order.session_id for order in taken})}
            for order in taken:
                broadcast.beside_changed_on_commit(talks[order.session_id], "note", order.pk)
    return taken


def listening(session: Session, *, key: str, by: str, seconds: int | None = None) -> None:
    """Keeps that somebody hears this call: from now on, or, with `seconds`, that they have stopped after so long."""
    kind: Kind = "listening-began" if seconds is None else "listening-ended"
    facts = {"by": by[:150], **({"seconds": seconds} if seconds is not None else {})}
    record_event(session=session, key=f"{kind}:{key}", source="operator", kind=kind, facts=facts)
