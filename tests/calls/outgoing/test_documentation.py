"""docs/webhooks.md is a promise to other people's programs: its example has the shape that is sent, and its receiver works."""

import json
import re
from typing import Any

import pytest

from calls.models import OutgoingDelivery
from calls.outgoing.payloads import MOST_BYTES
from calls.outgoing.rules import RETRY_S
from calls.outgoing.sending import DEADLINE_MS, deliver
from tests.calls import made_calls as made
from tests.house.source import ROOT

pytestmark = pytest.mark.django_db
TEXT = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def shape(value: Any, name: str = "") -> Any:
    """Names and nothing else; what operators name themselves (currencies, extracted facts) has no shape."""
    if isinstance(value, dict) and name not in ("totals", "extraction"):
        return {key: shape(item, key) for key, item in value.items()}
    return None


def test_the_example_has_the_shape_that_is_sent_and_the_documented_receiver_takes_it(hooks, agent, endpoint):
    made.talking_call(agent)
    deliver(OutgoingDelivery.objects.get().pk)
    taken = hooks.taken[0]
    code: dict[str, Any] = {}
    exec(block("python"), code)
    said = code["verified"](endpoint.secret, taken.body, taken.headers)
    assert said["data"]["session_id"].startswith("sess_")
    assert shape(said) == shape(json.loads(block("json")))
    assert list(said["data"]) == list(json.loads(block("json"))["data"])
    assert code["verified"](endpoint.secret, taken.body + b" ", taken.headers) is None
    assert code["verified"]("whsec_" + "A" * 43 + "=", taken.body, taken.headers) is None


def test_the_figures_in_the_text_are_those_of_the_code():
    words = [f"{s} s" if s < 60 else f"{s // 60} min" if s < 3600 else f"{s // 3600} h" for s in RETRY_S]
    assert f"after {', '.join(words[:-1])} and {words[-1]}" in TEXT
    assert f"within {DEADLINE_MS // 1000} seconds" in TEXT
    assert f"at most {MOST_BYTES // 1024} KB" in TEXT
