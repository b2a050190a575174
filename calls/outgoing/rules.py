"""What is told when, what an answer means, and how long to wait before the next try. Pure: no Django, no clock, no socket.

The times between tries are those that the Standard Webhooks specification advises (read 2026-11-22).
"""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from calls.status import TERMINAL, CallStatus


class EventType(StrEnum):
    STARTED = "call.started"
    ENDED = "call.ended"
    SETTLED = "call.settled"
    ALERT_FIRED = "alert.fired"
    ALERT_RESOLVED = "alert.resolved"
    TEST = "webhook.test"


# The place of each in the life of a call or an alert, told as `sequence`: whoever gets them out of order can put them in order.
SEQUENCE = {
    EventType.STARTED: 1,
    EventType.ENDED: 2,
    EventType.SETTLED: 3,
    EventType.ALERT_FIRED: 1,
    EventType.ALERT_RESOLVED: 2,
    EventType.TEST: 0,
}
CALL_EVENTS = (EventType.STARTED, EventType.ENDED, EventType.SETTLED)
# What an endpoint may choose from. An endpoint that chooses nothing gets all of it.
ENDPOINT_EVENTS = (*CALL_EVENTS, EventType.ALERT_FIRED, EventType.ALERT_RESOLVED)

RETRY_S = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
MOST_ATTEMPTS = len(RETRY_S) + 1
# So many failures in a row, and an endpoint is left alone for a while: what waits for it must not use up what serves the others.
RESTS_AFTER = 3
_FIRST_REST_S, _LONGEST_REST_S = 10, 300
_GONE = 410


def due(status: str, *, answered: bool, session_ended: bool, settled: bool) -> tuple[EventType, ...]:
    """Everything that can be told of a call in this state, in order. What was told before stays in it.

    A call has ended when the carrier and the conversation both have: the first of them cannot know the rest yet.
    """
    ended = settled or (status in TERMINAL and session_ended)
    told = []
    if answered or status == CallStatus.IN_PROGRESS:
        told.append(EventType.STARTED)
    if ended:
        told.append(EventType.ENDED)
    if settled:
        told.append(EventType.SETTLED)
    return tuple(told)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one try came to. `gone`: the endpoint wants nothing any more. `at_fault`: it is the endpoint that failed, not we."""

    delivered: bool
    status: int | None = None
    error: str = ""
    gone: bool = False
    at_fault: bool = True


def judge(status: int) -> Verdict:
    """2xx is delivered, 410 is a wish to be left alone, everything else is tried again."""
    if 200 <= status < 300:
        return Verdict(True, status)
    if status == _GONE:
        return Verdict(False, status, "The endpoint answered 410 Gone: it wants no more messages.", gone=True)
    if 300 <= status < 400:
        return Verdict(False, status, f"The endpoint answered {status}. Redirects are not followed: enter the final address.")
    if status in (401, 403):
        return Verdict(False, status, f"The endpoint answered {status}: it refuses us. Compare the secret, and what stands before it.")
    if status == 404:
        return Verdict(False, status, "The endpoint answered 404: nothing is at this address. Check its path.")
    if status < 500:
        return Verdict(False, status, f"The endpoint answered {status}: it does not take this message. Its own log says why.")
    return Verdict(False, status, f"The endpoint answered {status}: it failed. Its own log says why.")


def wait_s(attempts: int, key: str) -> float | None:
    """How long after the failed try number `attempts` the next one comes; None: there is no next.

    Up to a tenth longer than the plan, differently for each `key`, so that messages which failed together do not come back together.
    """
    if not 1 <= attempts <= len(RETRY_S):
        return None
    spread = int.from_bytes(sha256(f"{key}:{attempts}".encode()).digest()[:4]) / 2**32
    return RETRY_S[attempts - 1] * (1 + spread / 10)


def rest_s(failures: int) -> int:
    """How long an endpoint with so many failures in a row is left alone: not at all, then 10 s, doubled with each up to 5 minutes."""
    if failures < RESTS_AFTER:
        return 0
    return int(min(_FIRST_REST_S * 2 ** min(failures - RESTS_AFTER, 10), _LONGEST_REST_S))
