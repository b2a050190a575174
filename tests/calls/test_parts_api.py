"""Sessions, turns, recordings and charges as flat lists: one's own, narrowed, newest first, page by page."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from agents.models import Agent
from calls import commands
from calls.models import Charge, Recording, Session, Turn, UsageLine
from calls.status import Direction

ROOT = "/api/v1/"


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create_user("asha", password="a long password")


@pytest.fixture
def api(operator: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(operator)
    return client


def a_call(owner: User, number: int) -> Session:
    agent, _made = Agent.objects.get_or_create(owner=owner, name="Desk", defaults={"prompt": "You answer."})
    session = commands.open_call(
        agent_version=agent.current_version,
        direction=Direction.INBOUND,
        user_phone="+919876543210",
        agent_phone="+918047112233",
        call_sid=f"{owner.username}{number}",
    )
    Turn.objects.create(session=session, number=1, speaker="agent", text="Namaste", started_ms=0, ended_ms=900, latency_ms=700 * number)
    Turn.objects.create(session=session, number=2, speaker="caller", text="Hello", started_ms=1000, ended_ms=1500)
    Recording.objects.create(session=session, state=Recording.State.MISSING)
    line = UsageLine.objects.create(session=session, kind="llm", provider="openai", model="m", unit="token", quantity=7, evidence="r1")
    Charge.objects.create(session=session, usage_line=line, amount=Decimal("0.25"), currency="USD", price_source="list")
    other = UsageLine.objects.create(
        session=session, kind="tts", provider="elevenlabs", model="v", unit="character", quantity=9, evidence="r2"
    )
    Charge.objects.create(session=session, usage_line=other, price_source="nobody knows")
    return session


@pytest.fixture
def sessions(operator: User) -> list[Session]:
    a_call(User.objects.create_user("vikram"), 1)
    return [a_call(operator, number) for number in (1, 2, 3)]


def found(api: APIClient, path: str) -> list[dict[str, object]]:
    answer = api.get(f"{ROOT}{path}")
    assert answer.status_code == 200, answer.json()
    rows: list[dict[str, object]] = answer.json()["results"]
    return rows


@pytest.mark.parametrize(("door", "each"), [("sessions", 1), ("turns", 2), ("recordings", 1), ("charges", 2)])
def test_everybody_sees_their_own_newest_first(api: APIClient, sessions: list[Session], door: str, each: int) -> None:
    newest = [session.session_id for session in reversed(sessions) for _row in range(each)]
    assert [row["session_id"] for row in found(api, f"{door}/")] == newest
    page = api.get(f"{ROOT}{door}/?limit={each}").json()
    assert [row["session_id"] for row in page["results"]] == newest[:each]
    a_call(sessions[0].owner, 4)  # what arrives meanwhile shifts nothing
    assert [row["session_id"] for row in api.get(page["next"]).json()["results"]] == newest[each : 2 * each]
    api.force_authenticate(User.objects.create_superuser("root"))
    assert len(found(api, f"{door}/")) == 5 * each
    api.force_authenticate(None)
    assert api.get(f"{ROOT}{door}/").status_code == 401


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("turns/?speaker=caller", 3),
        ("turns/?latency_least_ms=1400", 2),
        ("turns/?interrupted=true", 0),
        ("turns/?interrupted=false", 6),
        ("turns/?since=2020-01-01&until=2020-01-02", 0),
        ("turns/?since=2020-01-01", 6),
        ("turns/?agent={agent}", 6),
        ("turns/?session_id={last}", 2),
        ("recordings/?state=missing", 3),
        ("recordings/?state=stored", 0),
        ("charges/?unpriced=true", 3),
        ("charges/?unpriced=false", 3),
        ("charges/?provider=openai&currency=USD", 3),
        ("charges/?kind=tts&session_id={last}", 1),
        ("sessions/?state=waiting", 3),
        ("sessions/?state=ended", 0),
    ],
)
def test_lists_are_narrowed(api: APIClient, sessions: list[Session], path: str, count: int) -> None:
    assert len(found(api, path.format(agent=sessions[0].agent_id, last=sessions[-1].session_id))) == count


def test_money_is_text_and_what_has_no_price_is_null(api: APIClient, sessions: list[Session]) -> None:
    unpriced, priced = found(api, f"charges/?session_id={sessions[0].session_id}")
    assert (priced["amount"], priced["currency"], priced["quantity"]) == ("0.25", "USD", 7)
    assert (unpriced["amount"], unpriced["currency"]) == (None, "")
    assert api.get(f"{ROOT}charges/{priced['id']}/").json() == priced


def test_one_is_read_and_anothers_is_not_there(api: APIClient, sessions: list[Session]) -> None:
    own = sessions[0].session_id
    assert api.get(f"{ROOT}sessions/{own}/").json()["session_id"] == own
    assert api.get(f"{ROOT}recordings/{own}/").json()["url"] is None
    theirs = Session.objects.get(owner__username="vikram")
    charge = Charge.objects.filter(session=theirs).latest("pk")
    for path in (f"sessions/{theirs.session_id}/", f"recordings/{theirs.session_id}/", f"charges/{charge.pk}/"):
        answer = api.get(f"{ROOT}{path}")
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("door", ["sessions", "turns", "recordings", "charges"])
def test_a_longer_list_takes_no_more_queries(api: APIClient, sessions: list[Session], door: str, django_assert_max_num_queries) -> None:
    with django_assert_max_num_queries(4):
        assert len(found(api, f"{door}/")) >= 3


@pytest.mark.parametrize("path", ["calls/?until=", "turns/?until=", "webhook-messages/?type=", "agents/?name="])
def test_a_filter_that_says_nothing_is_refused(api: APIClient, sessions: list[Session], path: str) -> None:
    answer = api.get(f"{ROOT}{path}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
