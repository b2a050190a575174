"""The page of analytics: what it counts for whom, in which days, and where its figures lead."""

import html
import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from calls import commands
from calls.analytics import keeping
from calls.analytics.asked import AskedForm, period
from calls.analytics.buckets import ERROR_PERCENT
from calls.analytics.rows import RollupState
from calls.models import CallLog, Session
from telephony.models import Phone
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return made.operator()


@pytest.fixture
def agent(owner):
    return made.agent_of(owner)


def browser_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def settled(agent, *, silent: bool = False, **how) -> Session:
    session = made.talking_call(agent, **how)
    if not silent:
        made.exchange(session, 1, "Is the doctor in?", "She is.")
    made.use(session, key=session.session_id, unpriced=False)
    made.end(session)
    CallLog.objects.filter(session=session).update(carrier_price=Decimal("1.20"), carrier_currency="INR", outcome="achieved")
    commands.account(session)
    CallLog.objects.filter(session=session).update(outcome="achieved")
    return session


def page_of(user, query: str = "") -> str:
    response = browser_of(user).get(f"/analytics/{query}")
    assert response.status_code == 200
    return response.content.decode()


def tile(page: str, title: str) -> str:
    """The value of a tile and what stands below it."""
    found = re.search(rf"<h2[^>]*>(?:<a[^>]*>)?{title}(?:</a>)?</h2>(.*?)</li>", page, re.DOTALL)
    assert found is not None, title
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found[1])).split())


def behind(user, page: str, title: str) -> int:
    """How many calls the list shows that a tile leads to."""
    found = re.search(rf'<h2[^>]*><a href="([^"]+)">{title}</a>', page)
    assert found is not None, title
    listed = browser_of(user).get(html.unescape(found[1])).content.decode()
    assert "panel-body problem" not in listed
    return len(re.findall(r'<tr class="call\b', listed))


def test_figures_at_a_glance_lead_to_the_calls_behind_them(owner, agent):
    settled(agent)
    settled(agent, silent=True)
    made.ringing_call(agent)
    missed = made.ringing_call(agent)
    CallLog.objects.filter(session=missed).update(status="no-answer")
    trial = settled(agent)
    CallLog.objects.filter(session=trial).update(is_test=True)
    keeping.keep()
    page = page_of(owner)
    assert tile(page, "Calls") == "4 none before · 1 not answered yet"
    assert tile(page, "Answered").startswith("67 % 2 calls")
    assert tile(page, "Minutes").startswith("2.8 none before · 1:24 each")
    assert tile(page, "Silent calls").startswith("1 50 % of the talks")
    assert abs(int(tile(page, "Turn latency").split()[0]) - 790) <= 790 * ERROR_PERCENT / 100
    assert tile(page, "Cost per minute") != "–"
    assert [behind(owner, page, title) for title in ("Calls", "Silent calls")] == [4, 1]
    assert "achieved" in page.lower() and "elevenlabs" in page
    series = json.loads(re.search(r'<script id="series" type="application/json">(.*?)</script>', page)[1])  # type: ignore[index]
    assert series["calls"] == [0, 0, 0, 0, 0, 0, 4] and series["answered"][-1] == 2 and series["before"] == [0] * 7
    assert page_of(made.operator()).count("No calls in these days") == 1, "nobody sees other people's calls"
    assert tile(page_of(made.operator(superuser=True)), "Calls").startswith("4")


def test_exact_reads_each_call_and_says_so(owner, agent):
    settled(agent)
    keeping.keep()
    settled(agent)
    counted, exact = page_of(owner), page_of(owner, "?exact=on")
    assert tile(counted, "Calls").startswith("1 ") and tile(exact, "Calls").startswith("2 ")
    assert "at most 2 % off" in counted and "Read from each call just now" in exact
    assert tile(exact, "Turn latency").startswith("790 ms")


def test_calls_are_put_together_by_agent_version_number_and_hour(owner, agent):
    settled(agent)
    agent.prompt += " Be brief."
    agent.save()
    settled(agent)
    keeping.keep()
    rows = {
        by: page_of(owner, f"?by={by}&compare=none").split('id="groups-head"')[1].split("</table>")[0]
        for by in ("agent", "version", "number", "clock")
    }
    assert rows["agent"].count("<tr>") == 2 and "Clinic reception" in rows["agent"]
    assert "Clinic reception v1" in rows["version"] and "Clinic reception v2" in rows["version"]
    assert "+918047112233" in rows["number"]
    assert rows["clock"].count("<tr>") == 25
    for by, calls in (("version", 1), ("number", 2), ("clock", 2), ("agent", 2)):
        link = html.unescape(re.findall(r'<th scope="row" class="name"><a href="([^"]+)"', rows[by])[0])
        listed = browser_of(owner).get(link).content.decode()
        assert len(re.findall(r'<tr class="call\b', listed)) == calls, (by, link)


def test_narrowed_to_an_agent_or_a_direction(owner, agent):
    settled(agent)
    settled(made.agent_of(owner, "Survey"), direction="outbound")
    keeping.keep()
    assert tile(page_of(owner, f"?agent={agent.pk}"), "Calls").startswith("1 ")
    assert tile(page_of(owner, "?direction=outbound"), "Calls").startswith("1 ")
    assert tile(page_of(owner, "?number=%2B918047112233"), "Calls").startswith("2 ")
    page = page_of(owner, f"?agent={agent.pk}&direction=outbound")
    assert "No calls in these days" in page
    strangers = made.agent_of(made.operator())
    assert "Select a valid choice" in page_of(owner, f"?agent={strangers.pk}")


def test_the_period_before_ends_at_the_same_hour(owner, agent):
    calls = [settled(agent) for _ in range(3)]
    now = timezone.now()
    yesterday = timezone.localtime(now) - timedelta(days=1)
    Session.objects.filter(pk=calls[0].pk).update(created_at=yesterday)
    late = yesterday.replace(minute=0) + timedelta(hours=1)
    Session.objects.filter(pk=calls[1].pk).update(created_at=late)
    keeping.keep()
    page = page_of(owner, "?period=today")
    is_same_day = late.date() == yesterday.date()
    assert not is_same_day or tile(page, "Calls") == "1 as before"
    series = json.loads(re.search(r'<script id="series" type="application/json">(.*?)</script>', page)[1])  # type: ignore[index]
    assert len(series["labels"]) == 24 and sum(series["calls"]) == (1 if is_same_day else 2)
    assert "none before" not in page_of(owner, "?period=today&compare=none")


def test_periods():
    now = datetime(2026, 11, 20, 9, 40, tzinfo=UTC)  # 15:10 in India
    week = period(date(2026, 11, 14), date(2026, 11, 20), now)
    assert timezone.localtime(week.until).isoformat() == "2026-11-20T16:00:00+05:30"
    before = week.before()
    assert (before.first, before.last) == (date(2026, 11, 7), date(2026, 11, 13))
    assert timezone.localtime(before.until).isoformat() == "2026-11-13T16:00:00+05:30"
    past = period(date(2026, 10, 1), date(2026, 10, 31), now)
    assert past.until == timezone.make_aware(datetime(2026, 11, 1)) and past.before().first == date(2026, 8, 31)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ({}, "7"),
        ({"period": "30"}, "30"),
        ({"period": "nonsense"}, "7"),
        ({"since": "2026-01-01", "until": "2026-01-03"}, "custom"),
        ({"period": "30", "since": "2026-01-01", "until": "2026-01-03"}, "custom"),
        ({"period": "30", "since": "", "until": ""}, "30"),
    ],
)
def test_days_that_are_named_come_before_the_period(owner, asked, chosen):
    assert AskedForm(owner, asked).chosen_period() == chosen


def test_what_makes_no_sense_is_answered_with_words(owner):
    assert "Swap the two dates" in page_of(owner, "?since=2026-03-02&until=2026-03-01")
    assert "Choose at most 366 days" in page_of(owner, "?since=2020-01-01&until=2026-03-01")
    assert "Write the first day as YYYY-MM-DD" in page_of(owner, "?since=soon")
    assert "Choose days from 2000 on" in page_of(owner, "?since=0001-01-01&until=0001-01-02&by=nonsense&exact=on")
    assert Client().get("/analytics/").status_code == 302


def test_who_has_nothing_yet_is_told_so(owner):
    page = page_of(owner)
    assert "No call has been counted yet" in page and "No exophone is set up" in page
    RollupState.objects.create(pk=1, zone="Asia/Kolkata", currency="INR", counted_at=timezone.now() - timedelta(hours=3))
    assert "look whether beat and a worker are running" in page_of(owner)


def test_the_health_of_each_exophone(owner, agent, monkeypatch):
    made.tariff("0.60")
    Phone.objects.create(number="+918047112233", label="Front desk", agent=agent)
    Phone.objects.create(number="+918047110000", agent=agent)
    Phone.objects.create(number="+918047119999", agent=made.agent_of(made.operator()))
    settled(agent)
    failed = made.ringing_call(agent)
    CallLog.objects.filter(session=failed).update(status="failed", confirmation="not-confirmed")
    keeping.keep()
    health = page_of(owner).split('id="health-head"')[1]
    assert "Front desk" in health and "Many calls fail" in health and "No calls" in health
    assert "+918047119999" not in health
    assert "failed=on" in health and "unconfirmed=on" in health
    assert "₹0.00" in health, "two started minutes, as the tariff says"
    settled(agent)  # not counted yet, and read all the same
    monkeypatch.setattr("calls.analytics.health.MOST_COMPARED", 1)
    assert "too many calls to compare" in page_of(owner)


def test_the_list_knows_what_analytics_leads_to(owner, agent):
    settled(agent)
    silent = settled(agent, silent=True)
    version = agent.current_version
    browser = browser_of(owner)

    def listed(query: str) -> tuple[int, str]:
        page = browser.get(f"/calls/?{query}").content.decode()
        return len(re.findall(r'<tr class="call\b', page)), page

    assert listed("silent=on")[0] == 1 and silent.session_id in listed("silent=on")[1]
    assert listed("answered=yes")[0] == 2 and listed("answered=no")[0] == 0
    count, page = listed(f"version={version.pk}")
    assert count == 2 and f"Clinic reception v{version.number}" in page and f'name="version" value="{version.pk}"' in page
    hour = timezone.localtime(silent.created_at).hour
    assert listed(f"hour={hour}")[0] >= 1 and f"Between {hour}:00 and {hour}:59" in listed(f"hour={hour}")[1]
    assert listed(f"hour={(hour + 12) % 24}")[0] == 0
    assert "Select a valid choice" in listed("hour=24")[1]
