"""Errors in words that are safe to keep. A library's message may repeat what was said or who called; only our own are quoted."""

import traceback
from typing import Final

from django.db import DataError, IntegrityError

_UNFIT: Final = (
    "What was found out holds something that the database does not take, such as a NUL character or a number below zero. Nothing of it was "
    "stored. The worker's log has the place; look at the call at the provider, and report this as a fault of ours."
)


def describe(error: BaseException) -> str:
    """For operators: what one of our errors says, or only the kind of a foreign one."""
    if isinstance(error, DataError | IntegrityError):
        return _UNFIT
    message = getattr(error, "message", None)
    if isinstance(message, str) and message:
        return str(error)
    return f"{type(error).__name__}. The worker's log has the place."


def place(error: BaseException) -> str:
    """For the log: where it happened, innermost frames first, and through which errors, without any message."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    path = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    cause = error.__cause__
    return f"{path} from {type(cause).__name__}" if cause is not None else path
