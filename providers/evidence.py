"""Which provider's request spoke which text: the evidence that the same speech is never charged twice."""

from collections import deque
from uuid import uuid4


class SpokenRequests:
    """Request ids of finished or running speech, waiting to be accounted for; bounded, the oldest is forgotten."""

    def __init__(self, limit: int = 64) -> None:
        self._noted: deque[tuple[str, str]] = deque(maxlen=limit)

    def note(self, text: str, request_id: str) -> None:
        if request_id:
            self._noted.append((text, request_id))

    def take(self, text: str) -> str:
        """The request id under which `text` was spoken, given out once; else a unique key of our own."""
        for place, (noted, request_id) in enumerate(self._noted):
            if noted == text:
                del self._noted[place]
                return request_id
        return f"local-{uuid4().hex}"
