"""Schemathesis sends each door what its description allows and what it forbids, and compares the answers with the description.

The suite sends each door one example, the same each time. `make api-examples` sends as many as SCHEMATHESIS_EXAMPLES says, and every case
on the borders of what is described.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest

schemathesis = pytest.importorskip("schemathesis")

from django.core.signals import request_finished, request_started  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import close_old_connections  # noqa: E402
from django.test import override_settings  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402
from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: E402

from access import keys  # noqa: E402
from access.scopes import SCOPES  # noqa: E402
from agents.models import Agent, Destination, HttpTool  # noqa: E402
from calls.models import Budget, Charge, RehearsalRun, Scenario, Session, WebhookEndpoint  # noqa: E402
from calls.rehearsing import runs  # noqa: E402
from telephony.models import Phone  # noqa: E402
from tests.calls import made_calls as made  # noqa: E402

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "0"))


@pytest.fixture
def described(db: None) -> Iterator[Any]:
    """The API with something behind each door, and a key for all of it."""
    owner = made.operating(made.operator())
    agent = made.agent_of(owner)
    Phone.objects.create(number="+918047112233", agent=agent)
    HttpTool(agent=agent, name="book", description="Books.", url="https://api.example.com/days", method="POST").save()
    Destination(agent=agent, name="Asha", description="Knows all.", numbers=["+919876543210"]).save()
    WebhookEndpoint.objects.create(owner=owner, url="https://example.com/hook")
    Budget.objects.create(owner=owner, scope="call", amount="5", currency="INR")
    Scenario.objects.create(agent=agent, name="Books", goal="A slot.", assertions=[{"kind": "says", "wish": "booked"}])
    runs.begin_run(agent, by=owner)
    session = made.talking_call(agent)
    made.exchange(session, 1, "Are you open?", "From ten.")
    made.use(session)
    made.end(session)
    _key, text = keys.make(owner=owner, name="Schemathesis", scopes=SCOPES, expires_at=None, requests_per_minute=100_000)
    # The handler's signals close connections behind each request, and with it the test's transaction.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        with override_settings(ALLOWED_HOSTS=["*"]):
            headers = {"Authorization": f"Bearer {text}", "Accept-Encoding": "identity"}
            schema = schemathesis.openapi.from_wsgi("/api/v1/schema/", get_wsgi_application(), headers=headers)
            schema.config.headers = headers
            schema.config.phases.coverage.enabled = EXAMPLES > 0
            schema.hook(map_path_parameters)
            yield schema
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Every other time what is really there: made-up ids would meet nothing but 404."""
    told = str(next(iter(path_parameters.values()))) if path_parameters else ""
    if path_parameters is None or not (told.isdigit() or told.startswith("sess_")) or len(told) % 2:
        return path_parameters  # what breaks the description stays as it is
    path = context.operation.path
    rows: dict[str, Any] = {
        "agents": Agent, "phones": Phone, "tools": HttpTool, "destinations": Destination, "webhook-endpoints": WebhookEndpoint,
        "budgets": Budget, "charges": Charge, "scenarios": Scenario, "rehearsals": RehearsalRun,
    }  # fmt: skip
    model = next((model for name, model in rows.items() if f"/{name}/" in path), None)
    if "id" in path_parameters and model is not None and (row := model.objects.first()) is not None:
        return {**path_parameters, "id": row.pk}
    if "session_id" in path_parameters and (session := Session.objects.first()) is not None:
        return {**path_parameters, "session_id": session.session_id}
    return path_parameters


api = schemathesis.pytest.from_fixture("described")
# Whether an agent of this id is yours, a provider has a model or a name is free, no schema can say: 400 may answer what it allows.
BEYOND_SCHEMAS = [positive_data_acceptance]


@api.parametrize()  # type: ignore[untyped-decorator]  # schemathesis tells no types
@settings(max_examples=EXAMPLES or 1, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_the_api_does_what_it_says(case: Any) -> None:
    case.call_and_validate(excluded_checks=BEYOND_SCHEMAS)
