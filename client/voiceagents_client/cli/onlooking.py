"""Looking again and again at what goes on at the server. An outage that passes ends no look: what was begun goes on, and costs."""

from collections.abc import Callable
from typing import Final, TypeVar

from voiceagents_client.cli.terminal import complain
from voiceagents_client.errors import ApiError, Unreachable

T = TypeVar("T")
_TOO_MANY: Final = 429
_SERVERS_OWN: Final = 500


class Onlooker:
    """Says once for each outage that it goes on looking."""

    def __init__(self) -> None:
        self._is_away = False

    def look(self, ask: Callable[[], T]) -> T | None:
        """What was told, or None while the server is away. Raises what does not pass by itself, such as a key that was revoked."""
        try:
            told = ask()
        except (ApiError, Unreachable) as error:
            if isinstance(error, ApiError) and error.status < _SERVERS_OWN and error.status != _TOO_MANY:
                raise
            if not self._is_away:
                complain(f"{error} Looking on.")
            self._is_away = True
            return None
        self._is_away = False
        return told
