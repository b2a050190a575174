"""Scenarios and rehearsals over REST: written, rehearsed, read with their evidence; nothing of anybody else's."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from agents.models import Agent
from calls.models import Job, RehearsalResult, RehearsalRun, Scenario
from tests.calls import made_calls as made
from tests.calls.rehearsing.conftest import BOOKING
from tests.calls.rehearsing.test_runs import CALLS_TUESDAY, held, scenario

SCENARIOS, REHEARSALS = "/api/v1/scenarios/", "/api/v1/rehearsals/"
WISHES = ['tool called: book_slot {"day": "Tuesday"}', "ended by: agent", "within: 120 seconds", "costs at most: ₹5"]


def client_of(user: Any) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def api(agent: Agent) -> APIClient:
    return client_of(agent.owner)


@pytest.fixture
def stranger(db: None) -> APIClient:
    return client_of(made.allowed(User.objects.create_user("vikram", password="a long password"), "change_agent"))


def test_a_scenario_is_written_read_changed_and_deleted(api: APIClient, agent: Agent) -> None:
    told = {"agent": agent.pk, "name": " Books   a slot ", "goal": "A slot on Tuesday.", "assertions": WISHES, "most_lines": 8}
    answer = api.post(SCENARIOS, told)
    assert answer.status_code == 201, answer.json()
    made_one = answer.json()
    assert (made_one["name"], made_one["assertions"], made_one["active"], made_one["latest"]) == ("Books a slot", WISHES, True, None)
    row = Scenario.objects.get()
    assert (row.created_by, row.assertions[0]) == (
        agent.owner, {"kind": "tool called", "wish": "book_slot", "arguments": {"day": "Tuesday"}},
    )  # fmt: skip
    where = f"{SCENARIOS}{row.pk}/"
    changed = api.patch(where, {"assertions": ["says: booked"], "language": "hi"}).json()
    assert (changed["assertions"], changed["language"], changed["goal"]) == (["says: booked"], "hi", "A slot on Tuesday.")
    assert api.put(where, changed).json()["assertions"] == ["says: booked"], "what is read can be sent back"
    assert [one["id"] for one in api.get(f"{SCENARIOS}?agent={agent.pk}&active=true&name=BOOKS").json()["results"]] == [row.pk]
    assert api.get(f"{SCENARIOS}?active=false").json()["results"] == []
    assert api.delete(where).status_code == 204
    assert not Scenario.objects.exists()


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"assertions": ["sings: la"]}, "assertions", "Line 1: begin with one of"),
        ({"assertions": ["ended by: agent", "within: soon"]}, "assertions", "Line 2: write a number of seconds"),
        ({"assertions": ["says: one\nsays: two"]}, "assertions", "on one line"),
        ({"assertions": ["says: /(/"]}, "assertions", "no regular expression"),
        ({"assertions": ["says: /a{99999999999999}/"]}, "assertions", "no regular expression"),
        ({"assertions": ['tool called: f {"a": NaN}']}, "assertions", "no JSON"),
        ({"assertions": ['tool called: f {"a": "\\u0000"}']}, "assertions", "no JSON"),
        ({"assertions": ['tool called: f {"a": "\\ud800"}']}, "assertions", "no JSON"),
        ({"assertions": ["says: x"] * 41}, "assertions", "at most 40 lines"),
        ({"assertions": "says: x"}, "assertions", "must be a list"),
        ({"assertions": [5]}, "assertions", "Not a text"),
        ({"name": "Taken"}, "name", "already a scenario of this name"),
        ({"name": ""}, "name", "blank"),
        ({"goal": ""}, "goal", "blank"),
        ({"most_lines": 41}, "most_lines", "40"),
        ({"language": "fr"}, "language", "Use one of: en-IN"),
        ({"agent": 999_999}, "agent", "There is no agent 999999"),
        ({"from_call": "sess_nobody"}, "from_call", "There is no call sess_nobody"),
        ({"wishes": []}, "wishes", "There is no such field"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(api: APIClient, agent: Agent, change: dict[str, Any], field: str, words: str) -> None:
    scenario(agent, name="Taken")
    answer = api.post(SCENARIOS, {"agent": agent.pk, "name": "New", "goal": "A slot.", **change})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert words in str(answer.json()["errors"][field])
    assert Scenario.objects.count() == 1


def test_a_scenario_needs_a_name_and_a_goal_unless_it_is_made_from_a_call(api: APIClient, agent: Agent) -> None:
    assert set(api.post(SCENARIOS, {"agent": agent.pk}).json()["errors"]) == {"name", "goal"}
    session = made.talking_call(agent)
    made.exchange(session, 1, "My number is 98765 43210, Tuesday please", "Booked.")
    made.end(session)
    answer = api.post(SCENARIOS, {"agent": agent.pk, "from_call": session.session_id, "name": "As it was"})
    assert answer.status_code == 201, answer.json()
    told = answer.json()
    assert (told["name"], told["from_call"], told["opening"]) == (
        "As it was",
        session.session_id,
        "My number is 9999999999, Tuesday please",
    )
    assert "ended by: caller" in told["assertions"]
    other = made.agent_of(agent.owner, name="Other")
    answer = api.post(SCENARIOS, {"agent": other.pk, "from_call": session.session_id})
    assert "was not the agent's" in answer.json()["errors"]["from_call"][0]
    moved = api.patch(f"{SCENARIOS}{told['id']}/", {"agent": other.pk})
    assert (moved.status_code, "stays with its agent" in moved.json()["detail"]) == (400, True)


def test_an_agent_is_rehearsed_and_the_evidence_is_read(api: APIClient, agent: Agent, says: Callable[..., None]) -> None:
    says(agent=BOOKING, caller=CALLS_TUESDAY)
    one = scenario(agent, "says: Tuesday at five\ntool called: book_slot")
    scenario(agent, name="Sleeps", active=False)
    answer = api.post(REHEARSALS, {"agent": agent.pk}, headers={"Idempotency-Key": "build-17"})
    assert answer.status_code == 202, answer.json()
    again = api.post(REHEARSALS, {"agent": agent.pk}, headers={"Idempotency-Key": "build-17"})
    assert (again.json(), again["Location"], RehearsalRun.objects.count()) == (answer.json(), answer["Location"], 1)
    begun = answer.json()
    assert (begun["state"], begun["total"], begun["over"], begun["version"], begun["begun_by"]) == (
        "running", 1, 0, 1, agent.owner.username,
    )  # fmt: skip
    assert api.delete(f"{SCENARIOS}{one.pk}/").status_code == 409, "it is being rehearsed"
    held(RehearsalRun.objects.get())
    told = api.get(answer["Location"]).json()
    assert (told["state"], told["over"], told["passed"]) == ("failed", 1, 0)
    (result,) = told["results"]
    assert (result["scenario"], result["scenario_name"], result["state"], result["currency"]) == (one.pk, one.name, "failed", "INR")
    assert float(result["cost"]) > 0 and result["lasted_ms"] > 0
    said, missed = result["verdicts"]
    assert (said["passed"], said["evidence"][0]["speaker"], missed["passed"], missed["evidence"]) == (True, "agent", False, [])
    assert "Tuesday at five" in said["evidence"][0]["text"]
    assert [turn["number"] for turn in api.get(f"/api/v1/turns/?session_id={result['session_id']}&speaker=agent").json()["results"]]
    latest = api.get(f"{SCENARIOS}{one.pk}/").json()["latest"]
    assert (latest["rehearsal"], latest["state"], latest["is_current"]) == (told["id"], "failed", True)
    assert api.patch(f"{SCENARIOS}{one.pk}/", {"goal": "Another"}).json()["latest"]["is_current"] is False
    (listed,) = api.get(f"{REHEARSALS}?agent={agent.pk}&is_draft=false").json()["results"]
    assert listed == {name: value for name, value in told.items() if name != "results"}
    assert api.delete(f"{SCENARIOS}{one.pk}/").status_code == 204


@pytest.mark.parametrize(
    ("order", "field", "words"),
    [
        ({}, "non_field_errors", "no active scenario"),
        ({"scenarios": [999_999]}, "scenarios", "has no scenario 999999"),
        ({"scenarios": []}, "scenarios", "empty"),
        ({"scenarios": ["1"]}, "scenarios", "valid integer"),
        ({"is_draft": "yes"}, "is_draft", "true or false"),
        ({"draft": True}, "draft", "no such field"),
    ],
)
def test_a_rehearsal_that_makes_no_sense_is_not_begun(api: APIClient, agent: Agent, order: dict[str, Any], field: str, words: str) -> None:
    answer = api.post(REHEARSALS, {"agent": agent.pk, **order})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert words in str(answer.json()["errors"][field])
    assert not RehearsalRun.objects.exists()


def test_named_scenarios_are_rehearsed_once_each_with_the_draft_and_stopped(api: APIClient, agent: Agent) -> None:
    one, _other = scenario(agent, active=False), scenario(agent, name="Other")
    told = api.post(REHEARSALS, {"agent": agent.pk, "is_draft": True, "scenarios": [one.pk, one.pk]}).json()
    assert ([result["scenario"] for result in told["results"]], told["version"], told["is_draft"]) == ([one.pk], None, True)
    stopped = api.post(f"{REHEARSALS}{told['id']}/stop/")
    assert (stopped.status_code, stopped.json()["results"][0]["state"]) == (200, "stopped")
    assert api.post(f"{REHEARSALS}{told['id']}/stop/").status_code == 409


def test_a_rehearsal_is_held_by_voice_where_it_is_asked_for(api: APIClient, agent: Agent) -> None:
    told = {"agent": agent.pk, "name": "Rings", "goal": "A slot.", "assertions": ["answers within: 2.50 s"], "by_voice": True}
    written = api.post(SCENARIOS, told).json()
    assert (written["by_voice"], written["assertions"]) == (True, ["answers within: 2.5 seconds"])
    for way, expected in ((None, True), (True, True), (False, False)):
        answer = api.post(REHEARSALS, {"agent": agent.pk, "by_voice": way})
        assert [result["by_voice"] for result in answer.json()["results"]] == [expected]
    assert api.post(REHEARSALS, {"agent": agent.pk, "by_voice": "yes"}).status_code == 400
    held(RehearsalRun.objects.get(pk=answer.json()["id"]))
    assert api.get(f"{SCENARIOS}{written['id']}/").json()["latest"]["is_current"] is False, "in writing it shows less than was asked"


def test_a_rehearsal_that_nobody_carries_on_is_told_as_such(api: APIClient, agent: Agent) -> None:
    scenario(agent)
    told = api.post(REHEARSALS, {"agent": agent.pk}).json()
    Job.objects.filter(session__rehearsal__run=told["id"]).update(state=Job.State.PARKED, last_error="the worker died twice")
    (result,) = api.get(f"{REHEARSALS}{told['id']}/").json()["results"]
    assert (result["state"], result["problem"]) == (RehearsalResult.State.BROKEN, "the worker died twice")


def test_anothers_scenarios_and_rehearsals_are_not_there(api: APIClient, stranger: APIClient, agent: Agent) -> None:
    one = scenario(agent)
    run = api.post(REHEARSALS, {"agent": agent.pk}).json()
    for path in (f"{SCENARIOS}{one.pk}/", f"{REHEARSALS}{run['id']}/"):
        assert stranger.get(path).status_code == 404
    assert stranger.delete(f"{SCENARIOS}{one.pk}/").status_code == 404
    assert stranger.post(f"{REHEARSALS}{run['id']}/stop/").status_code == 404
    assert stranger.get(SCENARIOS).json()["results"] == stranger.get(REHEARSALS).json()["results"] == []
    assert stranger.post(REHEARSALS, {"agent": agent.pk}).status_code == 400
    assert stranger.post(SCENARIOS, {"agent": agent.pk, "name": "x", "goal": "x"}).status_code == 400


@pytest.mark.parametrize("door", [SCENARIOS, REHEARSALS])
def test_a_longer_list_takes_no_more_queries(
    api: APIClient, agent: Agent, door: str, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    for number in range(4):
        scenario(agent, name=f"Scenario {number}")
        api.post(REHEARSALS, {"agent": agent.pk})
    with django_assert_max_num_queries(3):
        assert len(api.get(door).json()["results"]) == 4


def test_changes_take_the_permission_that_the_pages_ask_for(db: None) -> None:
    owner = made.operator()
    agent = made.agent_of(owner)
    one, api = scenario(agent), client_of(owner)
    wished = {"agent": agent.pk, "name": "Another", "goal": "A slot."}
    changes = [
        lambda: api.post(SCENARIOS, wished),
        lambda: api.patch(f"{SCENARIOS}{one.pk}/", {"goal": "Else."}),
        lambda: api.delete(f"{SCENARIOS}{one.pk}/"),
        lambda: api.post(REHEARSALS, {"agent": agent.pk}),
        lambda: api.post(f"{REHEARSALS}999999/stop/"),
    ]
    for change in changes:
        answer = change()
        assert (answer.status_code, "agents.change_agent" in answer.json()["detail"]) == (403, True)
    assert Scenario.objects.get().goal == one.goal and not RehearsalRun.objects.exists()
    assert api.get(SCENARIOS).json()["results"][0]["id"] == one.pk, "reading takes no more than on the page"
    owner.user_permissions.add(Permission.objects.get(codename="change_agent"))
    api.force_authenticate(User.objects.get(pk=owner.pk))
    assert [change().status_code for change in changes] == [201, 200, 204, 202, 404]
