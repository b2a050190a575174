"""What reaches a log: facts, never a person or a secret."""

import pytest

from voiceagents.logs import mask, mask_fields


@pytest.mark.parametrize(
    "text",
    ["call from +919876543210", "call from 09876543210", "call from 98765 43210", "from=0804-711-2233"],
)
def test_phone_numbers_are_masked(text):
    assert not any(run in mask(text) for run in ("987654", "98765", "80471", "0804"))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("GET https://key:token@api.exotel.com/v1", "token"),
        ("/api/v1/webhooks/exotel/status?key=s3cr3t&CallSid=1", "s3cr3t"),
        ("ws://h/api/v1/media/exotel/eyJhbGciOi.abc.def closed", "eyJhbGciOi"),
        ("Gone: /shared/23qINbBkBZpw.sQSdmIa9zO-O5Jv/waveform.json", "qINbBkBZ"),
        ("https://s3/x?X-Amz-Signature=abcdef&X-Amz-Credential=AK", "abcdef"),
    ],
)
def test_secrets_are_masked(text, secret):
    assert secret not in mask(text)


def test_fields_that_hold_what_was_said_or_pressed_are_dropped():
    facts = {"event": "turn_stored", "text": "my card is 4111", "digits": "1234", "api_key": "k", "session_id": "sess_1", "count": 3}
    kept = mask_fields(None, "info", dict(facts))
    assert (kept["text"], kept["digits"], kept["api_key"]) == ("***", "***", "***")
    assert (kept["event"], kept["session_id"], kept["count"]) == ("turn_stored", "sess_1", 3)


def test_call_sids_and_times_survive():
    assert mask("call 0f3c9a1e7b2d4c5f8a6b0d1e2f3a198c at 2026-11-22") == "call 0f3c9a1e7b2d4c5f8a6b0d1e2f3a198c at 2026-11-22"


class _Request:
    def __str__(self):
        return "<GET '/api/v1/calls/?number=%2B919876543210&key=s3cret'>"


def test_objects_are_masked_by_their_text_and_lists_item_by_item():
    kept = mask_fields(None, "info", {"event": "x", "asked": _Request(), "numbers": ["+919876543210", 5]})
    assert "9876543" not in str(kept) and "s3cret" not in str(kept)


def test_what_a_library_attaches_to_a_line_does_not_reach_the_log(caplog, client):
    import io
    import logging

    handler = next(handler for handler in logging.getLogger().handlers if isinstance(handler, logging.StreamHandler) and handler.formatter)
    written, stream = io.StringIO(), handler.stream
    handler.setStream(written)
    try:
        client.get("/nowhere/?number=%2B919876543210&key=s3cret-word")
    finally:
        handler.setStream(stream)
    assert "nowhere" in written.getvalue()
    assert "9876543" not in written.getvalue() and "s3cret-word" not in written.getvalue()
