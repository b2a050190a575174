"""Errors of the outside world as the engine sees them. Each answers one question: is it worth another try?"""

from enum import StrEnum


class ErrorCategory(StrEnum):
    """Why a provider failed, in the words operators see."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    RATE_LIMITED = "rate-limited"
    AUTHENTICATION = "authentication"
    QUOTA = "quota"
    BAD_REQUEST = "bad-request"
    NOT_FOUND = "not-found"
    SERVER = "server"
    TRUNCATED = "truncated"
    PROTOCOL = "protocol"


DOWN = frozenset(
    {
        ErrorCategory.TIMEOUT,
        ErrorCategory.CONNECTION,
        ErrorCategory.RATE_LIMITED,
        ErrorCategory.AUTHENTICATION,
        ErrorCategory.QUOTA,
        ErrorCategory.SERVER,
        ErrorCategory.NOT_FOUND,
    }
)
"""Whoever fails like this does no work at all at present. An answer that broke off or made no sense is only a stumble."""


class ProviderError(Exception):
    """A provider did not do its work. `message` is safe to log: it never holds what was said, or a credential."""

    def __init__(self, provider: str, category: ErrorCategory, message: str, *, retryable: bool, request_id: str = "") -> None:
        super().__init__(f"{provider}: {message} ({category})")
        self.provider = provider
        self.category = category
        self.message = message
        self.retryable = retryable
        self.request_id = request_id


class LinkClosed(Exception):
    """The caller's audio link is gone: nothing can be played any more."""
