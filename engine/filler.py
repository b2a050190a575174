"""When is the caller told to wait? Decisions only: how long the line has been quiet and why goes in, a wait in ms comes out.

A filler too many is a mannerism, one too few is dead air. It is said for a reason that takes time, never as a habit.
"""

from dataclasses import dataclass

from engine.tuning import Tuning


@dataclass(frozen=True, slots=True)
class Quiet:
    """Why nothing is audible. `quiet_ms` is negative while audio is still playing: then for how long it still plays.

    `tool_ms`: how long the tool in work has run, None if none runs. `has_words`: the tool brings its own words for the wait.
    `switched`: a provider failed and another one is being asked. `fillers`: said since the last words of the answer.
    """

    quiet_ms: float
    tool_ms: float | None = None
    has_words: bool = False
    said_anything: bool = False
    switched: bool = False
    fillers: int = 0


def filler_wait_ms(quiet: Quiet, tuning: Tuning) -> float:
    """In how many ms a filler is due if nothing becomes audible until then; 0 or less: now."""
    if quiet.fillers:
        return tuning.filler_again_ms - quiet.quiet_ms
    if quiet.tool_ms is not None:
        due_ms = 0 if quiet.has_words and not quiet.said_anything else tuning.filler_after_ms
        return due_ms - min(quiet.quiet_ms, quiet.tool_ms)
    return (tuning.filler_after_ms if quiet.switched else tuning.slow_answer_ms) - quiet.quiet_ms
