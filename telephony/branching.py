"""Which way a call flow goes on behind the agent: a table. Pure.

Exotel's Passthru applet knows two answers: 200 takes branch A, 302 takes branch B. Here A means "something is still to be done for the
caller" (whoever builds the flow puts a Connect or a Voicemail there), and B means "we are done, hang up".
"""

from typing import Final

GO_ON: Final = 200
HANG_UP: Final = 302

# By the session's end reason: a caller who was let down gets branch A; one whose talk ended as it should gets branch B.
BRANCHES: Final[dict[str, int]] = {
    "caller-hangup": HANG_UP,
    "agent-goodbye": HANG_UP,
    "operator-hangup": HANG_UP,
    "silence": HANG_UP,
    "max-duration": HANG_UP,
    "budget": HANG_UP,
    "voicemail-done": HANG_UP,
    "voicemail-detected": HANG_UP,
    "transferred": GO_ON,
    "provider-failed": GO_ON,
    "link-lost": GO_ON,
    "shutdown": GO_ON,
    "crash": GO_ON,
}


def branch(
    *, is_known: bool, has_talked: bool, end_reason: str, stream_failed: bool = False, has_transfer: bool = False, dial_status: str = ""
) -> int:
    """The HTTP status that answers a Passthru.

    Behind the Connect of a hand-over (`dial_status` tells how the person rung answered) only a caller whom nobody answered goes on.
    A call that we do not know or cannot look up, a call whose talk has not begun (the applet stands before the Voicebot), a stream that
    never came about, and a hand-over that is decided while its talk is still being closed go on; any other talk that is being closed
    counts as done.
    """
    if has_transfer and dial_status:
        return HANG_UP if dial_status == "completed" else GO_ON
    if not is_known or stream_failed or not has_talked:
        return GO_ON
    if has_transfer and not end_reason:
        return GO_ON
    return BRANCHES.get(end_reason, HANG_UP)
