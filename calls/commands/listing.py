"""What the list shows and finds of a call, written by whoever comes to know it: the accounting of a call is its last step."""

from decimal import Decimal

from django.conf import settings
from django.db import connection

from calls import charges
from calls.listing.words import lexemes
from calls.models import Analysis, CallLog, CallWords, Charge, Recording, Session, Turn

_MOST_UNPRICED = 32_767
_KEEP_WORDS = """
INSERT INTO calls_callwords (session_id, owner_id, agent_id, created_at, words)
SELECT session_id, owner_id, agent_id, created_at, array_to_tsvector(%s::text[]) FROM calls_calllog WHERE session_id = %s
ON CONFLICT (session_id) DO UPDATE SET words = EXCLUDED.words WHERE calls_callwords.words <> EXCLUDED.words
"""
_KEEP_FACTS = """
UPDATE calls_calllog SET cost = %s, unpriced = %s, outcome = %s, latency_ms = (
    SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms)) FROM calls_turn WHERE session_id = %s AND latency_ms IS NOT NULL
) WHERE session_id = %s
"""


def list_call(session: Session) -> None:
    """Stores cost, outcome, turn latency and words as they are known now. Repeatable; belongs into the transaction that made them known.

    The call's log is locked before anything is read: who reads sooner must not write later.
    """
    if not CallLog.objects.select_for_update(no_key=True).filter(session=session).values_list("pk"):
        return
    made = list(Charge.objects.filter(session=session).only("amount", "currency", "exchange_rate", "rate_currency"))
    known = [charge for charge in made if charge.amount is not None]
    amounts = [charges.converted(charge, settings.BILLING_CURRENCY) for charge in known]
    total = sum((amount for amount in amounts if amount is not None), Decimal(0)) if amounts and None not in amounts else None
    outcome = Analysis.objects.filter(session=session).values_list("outcome", flat=True).first() or ""
    unpriced = min(len(made) - len(known), _MOST_UNPRICED)
    with connection.cursor() as cursor:
        cursor.execute(_KEEP_FACTS, [total, unpriced, outcome, session.pk, session.pk])
    _keep_words(session)


def _keep_words(session: Session) -> None:
    texts = list(Turn.objects.filter(session=session).values_list("text", flat=True))
    texts += Recording.objects.filter(session=session).exclude(transcript_text="").values_list("transcript_text", flat=True)
    if words := lexemes(texts):
        with connection.cursor() as cursor:
            cursor.execute(_KEEP_WORDS, [words, session.pk])
    else:
        CallWords.objects.filter(session=session).delete()
