"""The API describes itself without a gap: clients are generated from this."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command


@pytest.fixture
def schema(tmp_path: Path) -> dict[str, Any]:
    target = tmp_path / "schema.yml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(target))
    described: dict[str, Any] = yaml.safe_load(target.read_text(encoding="utf-8"))
    return described


def test_every_door_is_described(schema: dict[str, Any]) -> None:
    assert {
        "/api/v1/agents/",
        "/api/v1/agents/{id}/",
        "/api/v1/agents/{id}/versions/",
        "/api/v1/phones/",
        "/api/v1/phones/{id}/",
        "/api/v1/calls/",
        "/api/v1/calls/{session_id}/",
        "/api/v1/calls/{session_id}/hangup/",
        "/api/v1/agents/{id}/versions/{number}/",
        "/api/v1/sessions/",
        "/api/v1/turns/",
        "/api/v1/recordings/{session_id}/",
        "/api/v1/charges/",
    } <= set(schema["paths"])


def test_what_a_client_sends_is_described(schema: dict[str, Any]) -> None:
    parts = schema["components"]["schemas"]
    assert set(parts["PlaceCall"]["properties"]) == {"agent", "to", "from", "customer"}
    assert parts["PlaceCall"]["required"] == ["agent", "to"]
    assert set(parts["Agent"]["properties"]) >= {"voice", "llm", "stt", "version", "warnings"}
    assert set(parts["LanguageModel"]["properties"]) == {"provider", "model", "temperature", "max_tokens"}
    filters = {parameter["name"] for parameter in schema["paths"]["/api/v1/calls/"]["get"]["parameters"]}
    assert filters == {
        "status", "direction", "agent", "number", "date", "since", "until", "outcome", "ended_by", "confirmation", "text",
        "duration_least_s", "duration_most_s", "cost_least", "cost_most", "tests", "limit", "cursor",
    }  # fmt: skip


def test_every_door_tells_its_refusals_its_scope_and_its_idempotency_key(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1")
    for path, doors in schema["paths"].items():
        for method, door in doors.items():
            assert {"401", "403", "429"} <= set(door["responses"]), (path, method)
            assert "Scope of the key" in door["description"], (path, method)
            assert ("Idempotency-Key" in {parameter["name"] for parameter in door.get("parameters", ())}) == (method == "post")
    refused = schema["components"]["responses"]["BadRequest"]
    assert list(refused["content"]) == ["application/problem+json"]
    assert schema["components"]["schemas"]["Agent"]["additionalProperties"] is False
