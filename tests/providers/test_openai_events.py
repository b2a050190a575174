"""How the bytes of a streamed answer become its chunks."""

import pytest

from engine.errors import ErrorCategory, ProviderError
from providers.openai.chunks import chunk
from providers.openai.events import EventReader

STREAM = b'data: {"id":"1"}\n\ndata: {"id":"2"}\r\n\r\n: keep-alive\n\nevent: ping\ndata:a\ndata: b\n\ndata: [DONE]\n\n'
PAYLOADS = [b'{"id":"1"}', b'{"id":"2"}', b"a\nb", b"[DONE]"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    reader = EventReader()
    assert [payload for start in range(0, len(STREAM), size) for payload in reader.feed(STREAM[start : start + size])] == PAYLOADS


def test_an_event_that_is_not_whole_is_not_given() -> None:
    reader = EventReader()
    assert reader.feed(b'data: {"id"') == []
    assert reader.feed(b':"1"}\n') == []
    assert reader.feed(b"\n") == [b'{"id":"1"}']


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_an_event_without_an_end_is_refused(end: bytes) -> None:
    reader = EventReader()
    with pytest.raises(ProviderError) as caught:
        for _ in range(20):
            reader.feed(b"data: " + b"x" * 100_000 + end)
    assert caught.value.category == ErrorCategory.PROTOCOL


def test_fields_that_nobody_reads_are_passed_over() -> None:
    read = chunk(b'{"id":"1","object":"x","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"logprobs":null}],"new":[1]}')
    assert (read.id, read.choices[0].delta.content, read.choices[0].finish_reason) == ("1", "Hi", None)


@pytest.mark.parametrize(
    ("payload", "category"),
    [
        (b"<html>", ErrorCategory.PROTOCOL),
        (b'{"choices": 3}', ErrorCategory.PROTOCOL),
        (b'{"error":{"code":"insufficient_quota","message":"m"}}', ErrorCategory.QUOTA),
        (b'{"error":{"code":"rate_limit_exceeded"}}', ErrorCategory.RATE_LIMITED),
        (b'{"error":"gone"}', ErrorCategory.SERVER),
    ],
)
def test_what_is_no_chunk_is_a_failure(payload: bytes, category: ErrorCategory) -> None:
    with pytest.raises(ProviderError) as caught:
        chunk(payload)
    assert caught.value.category == category
    assert "message" not in str(caught.value)
