"""The list's doors: filters as chips, columns, views of one's own, orders, both directions, and exports with an audit line."""

import csv
import io
import re
import zipfile
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from calls import commands, list_page
from calls.listing import exported, finding, sheets
from calls.listing.filters import CallFilters
from calls.listing.finding import Order, Wish
from calls.models import CallExport, CallLog, ChosenColumns, SavedView
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db
HOSTILE = '=HYPERLINK("http://x")<script>'


@pytest.fixture
def owner():
    return made.operator()


@pytest.fixture
def signed_in(owner):
    client = Client()
    client.force_login(owner)
    return client


def shown(html: str) -> list[str]:
    return re.findall(r'class="call-link" href="/calls/(\w+)/"', html)


def linked(pattern: str, html: str) -> str:
    found = re.search(pattern, html, re.S)
    assert found
    return found[1]


def settled(agent, said: str = "Mujhe refund चाहिए", **how):
    session = made.talking_call(agent, **how)
    made.exchange(session, 0, said, "Of course.")
    made.use(session)
    made.end(session)
    commands.account(session)
    return session


def test_words_that_were_said_find_the_call_and_show_where(signed_in, owner):
    agent = made.agent_of(owner)
    session, _other = settled(agent, "So I want <b>my refund</b> चाहिए today"), settled(agent, "Good morning")
    html = signed_in.get("/calls/", {"text": "REFUND चाहिए"}).content.decode()
    assert shown(html) == [session.session_id]
    assert re.search(r'<tr class="said">.*&lt;b&gt;my <mark>refund</mark>&lt;/b&gt;', html, re.S)
    assert "1 call" in html and "Said: REFUND चाहिए" in html
    assert shown(signed_in.get("/calls/", {"text": '"refund today"'}).content.decode()) == []


def test_each_filter_that_is_set_is_a_chip_that_takes_it_away(signed_in, owner):
    wanted = {"status": "completed", "least": "1:00", "most": "2", "unconfirmed": "on", "sort": "longest", "cost_least": "1.5"}
    html = signed_in.get("/calls/", wanted).content.decode()
    chips = re.findall(r'<a class="chip" href="([^"]+)" aria-label="Take away: ([^"]+)"', html)
    assert [words for _address, words in chips] == [
        "Completed",
        "At least 1:00",
        "At most 2:00",
        "At least ₹1.5",
        "Not confirmed by carrier",
    ]
    for address, _words in chips:
        assert "sort=longest" in address and address.count("=") == 5
    assert re.search(r'<details class="more" open>', html) and 'name="sort" value="longest"' in html


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"least": "long"}, "Write the duration as minutes and seconds"),
        ({"least": "5", "most": "1"}, "The largest duration is smaller than the smallest."),
        ({"cost_least": "much"}, "Enter a number"),
        ({"cost_least": "2", "cost_most": "1"}, "The largest cost is smaller than the smallest."),
        ({"sort": "prettiest"}, "Select a valid choice"),
        ({"outcome": "'; DROP"}, "Select a valid choice"),
    ],
)
def test_a_senseless_filter_is_explained(signed_in, wanted, problem):
    response = signed_in.get("/calls/", wanted)
    assert response.status_code == 200 and problem in response.content.decode()


def test_tests_are_left_out_unless_asked_for_and_always_marked(signed_in, owner):
    agent = made.agent_of(owner)
    real, test = made.ringing_call(agent), made.ringing_call(agent)
    CallLog.objects.filter(session=test).update(is_test=True)
    assert shown(signed_in.get("/calls/").content.decode()) == [real.session_id]
    html = signed_in.get("/calls/", {"tests": "with"}).content.decode()
    assert shown(html) == [test.session_id, real.session_id] and html.count('<span class="pill quiet">Test</span>') == 1
    assert shown(signed_in.get("/calls/", {"tests": "only"}).content.decode()) == [test.session_id]


def test_a_heading_sorts_and_says_so(signed_in, owner):
    agent = made.agent_of(owner)
    calls = [made.ringing_call(agent) for _ in range(3)]
    for session, seconds in zip(calls, (30, 90, None), strict=True):
        CallLog.objects.filter(session=session).update(duration_s=seconds)
    html = signed_in.get("/calls/", {"sort": "longest"}).content.decode()
    assert shown(html) == [calls[1].session_id, calls[0].session_id]
    assert 'aria-sort="descending"><a href="/calls/?sort=shortest">Duration' in html and "are not in this order" in html
    assert shown(signed_in.get("/calls/", {"sort": "shortest"}).content.decode()) == [calls[0].session_id, calls[1].session_id]


def test_the_list_is_turned_in_both_directions(signed_in, owner, monkeypatch):
    monkeypatch.setattr(list_page, "PAGE_ROWS", 2)
    agent = made.agent_of(owner)
    ids = [made.ringing_call(agent).session_id for _ in range(5)][::-1]
    first = signed_in.get("/calls/").content.decode()
    assert shown(first) == ids[:2] and 'id="newer"' not in first and "About" in first
    older = linked(r'id="older".*?href="(\?after=\d+)"', first)
    second = signed_in.get(f"/calls/{older}").content.decode()
    assert shown(second) == ids[2:4]
    newer = linked(r'id="newer".*?href="(\?before=\d+)"', second)
    made.ringing_call(agent)
    back = signed_in.get(f"/calls/{newer}", headers={"HX-Request": "true", "HX-Target": "newer"}).content.decode()
    assert shown(back) == ids[:2] and 'id="newer"' in back and 'id="older"' not in back and "<table" not in back


def test_more_calls_on_a_page_are_not_more_questions(signed_in, owner, django_assert_num_queries):
    agent = made.agent_of(owner)
    settled(agent)
    with CaptureQueriesContext(connection) as one:
        signed_in.get("/calls/")
    for _ in range(3):
        settled(agent)
    with django_assert_num_queries(len(one)):
        signed_in.get("/calls/")
    [rows] = [query["sql"] for query in one if '"calls_session"."id" IN' in query["sql"]]
    assert '"calls_recording"."state"' in rows and "transcript_text" not in rows and "prompt" not in rows


def test_columns_are_chosen_and_remembered(signed_in, owner):
    made.ringing_call(made.agent_of(owner))
    response = signed_in.post(reverse("call-columns"), {"columns": ["cost", "exophone", "nonsense"], "query": "status=ringing&x=1"})
    assert response["Location"] == "/calls/?status=ringing"
    assert ChosenColumns.objects.get(user=owner).columns == ["when", "exophone", "cost"]
    html = signed_in.get("/calls/").content.decode()
    assert re.findall(r'<th scope="col"[^>]*>(?:<a [^>]*>)?([^<]+)', html) == ["When", "Exophone", "Cost"] and "+918047112233" in html
    signed_in.post(reverse("call-columns"), {"query": ""})
    assert "Turn latency" in signed_in.get("/calls/").content.decode()


def test_a_view_keeps_filters_order_and_columns_for_one_person(signed_in, owner):
    agent = made.agent_of(owner)
    made.ringing_call(agent)
    asked = {"name": " Night <desk> ", "query": f"agent={agent.pk}&sort=oldest&page=7", "columns": ["cost", "status"]}
    response = signed_in.post(reverse("call-view-save"), asked)
    view = SavedView.objects.get()
    assert (view.name, view.query, view.columns) == ("Night <desk>", {"agent": str(agent.pk), "sort": "oldest"}, ["when", "status", "cost"])
    html = signed_in.get(response["Location"]).content.decode()
    assert (
        re.search(r'aria-current="page">Night &lt;desk&gt;', html) and "Turn latency" not in html.split("<thead>")[-1].split("</thead>")[0]
    )
    signed_in.post(reverse("call-view-save"), {**asked, "query": "status=busy"})
    assert SavedView.objects.get().query == {"status": "busy"}  # the same name: the same view

    stranger = Client()
    stranger.force_login(made.operator())
    assert "Night" not in stranger.get(f"/calls/?view={view.pk}").content.decode()
    stranger.post(reverse("call-view-delete", args=[SavedView.objects.get().pk]))
    assert SavedView.objects.count() == 1
    signed_in.post(reverse("call-view-delete", args=[SavedView.objects.get().pk]))
    assert SavedView.objects.count() == 0


def test_a_view_that_postgres_would_not_store_is_stored_without_the_reason(signed_in, owner):
    answer = signed_in.post(reverse("call-view-save"), {"name": "Night desk", "query": "number=98%00765"})
    assert answer.status_code == 302
    assert [(view.name, view.query) for view in SavedView.objects.all()] == [("Night desk", {"number": "98765"})]


def test_the_last_day_of_all_days_is_a_day(signed_in, owner):
    session = made.ringing_call(made.agent_of(owner))
    assert shown(signed_in.get("/calls/", {"since": "0001-01-01", "until": "9999-12-31"}).content.decode()) == [session.session_id]


def test_a_view_needs_a_name_and_there_is_an_end_to_them(signed_in, owner):
    assert "Give the view a name" in signed_in.post(reverse("call-view-save"), {"name": " "}, follow=True).content.decode()
    SavedView.objects.bulk_create(SavedView(user=owner, name=f"v{n}") for n in range(40))
    assert "Delete one" in signed_in.post(reverse("call-view-save"), {"name": "one more"}, follow=True).content.decode()
    assert SavedView.objects.count() == 40


# --- exports ----------------------------------------------------------------------------------------------------------------


def taken(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def may(owner, *names: str) -> Client:
    owner.user_permissions.add(*Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(owner)
    return client


def test_nobody_exports_without_the_permission(signed_in, owner):
    assert signed_in.get(reverse("call-export-csv")).status_code == 403
    assert "Export" not in signed_in.get("/calls/").content.decode() and not CallExport.objects.exists()
    assert "Excel (XLSX)" in may(owner, "export_calls").get("/calls/").content.decode()


def test_an_export_has_every_call_that_matches_masks_numbers_and_leaves_an_audit_line(owner, monkeypatch):
    monkeypatch.setattr(exported, "AT_ONCE", 2)
    agent = made.agent_of(owner, HOSTILE)
    sessions = [settled(agent), *(made.ringing_call(agent) for _ in range(3))]
    made.ringing_call(made.agent_of(made.operator()))
    response = may(owner, "export_calls").get(reverse("call-export-csv"), {"agent": agent.pk})
    assert response["Content-Disposition"].startswith('attachment; filename="calls-') and "no-store" in response["Cache-Control"]
    text = taken(response).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["Call"] for row in rows] == [session.session_id for session in reversed(sessions)]
    last = rows[-1]
    assert (last["Agent"], last["From"], last["Seconds"], last["Unpriced charges"]) == (f"'{HOSTILE}", "'+91••••••••12", "84", "1")
    assert "9876543" not in text
    line = CallExport.objects.get()
    assert (line.user, line.form, line.query, line.with_numbers, line.calls) == (owner, "csv", {"agent": str(agent.pk)}, False, 4)
    assert line.ended_at is not None


def test_an_export_with_a_senseless_filter_is_refused(owner):
    response = may(owner, "export_calls").get(reverse("call-export-xlsx"), {"least": "long"})
    assert response.status_code == 400 and not CallExport.objects.exists()


def test_an_export_that_cannot_be_read_says_so_before_a_file_begins(owner, monkeypatch):
    made.ringing_call(made.agent_of(owner))
    monkeypatch.setattr(exported, "PATIENCE_MS", 50)
    monkeypatch.setattr(finding, "_walk", lambda *_, **__: ("SELECT pg_sleep(30)", []))
    response = may(owner, "export_calls").get(reverse("call-export-xlsx"))
    assert response.status_code == 503 and "Content-Disposition" not in response and b"Narrow it" in response.content
    assert not CallExport.objects.exists()


def test_an_export_that_is_broken_off_says_how_far_it_came(owner, monkeypatch):
    monkeypatch.setattr(exported, "AT_ONCE", 1)
    agent = made.agent_of(owner)
    for _ in range(3):
        made.ringing_call(agent)
    response = may(owner, "export_calls").get(reverse("call-export-csv"))
    monkeypatch.setattr(commands, "note_export", lambda *_, **__: (_ for _ in ()).throw(OSError("gone")))
    with pytest.raises(OSError, match="gone"):
        taken(response)
    assert CallExport.objects.get().ended_at is None


def test_an_export_has_each_call_once_although_one_loses_its_place_meanwhile(owner, monkeypatch):
    monkeypatch.setattr(exported, "AT_ONCE", 2)
    agent = made.agent_of(owner)
    for rupees in range(5):
        CallLog.objects.filter(session=made.ringing_call(agent)).update(cost=rupees)
    batches = exported.Lines(Wish(owner.pk, CallFilters(), Order.COSTLIEST), with_numbers=False).batches()
    written = [line[0] for line in next(batches)]
    CallLog.objects.filter(session__session_id=written[-1]).update(cost=None)
    written += [line[0] for batch in batches for line in batch]
    assert len(written) == len(set(written)) == 5


@pytest.mark.django_db(transaction=True)
def test_whoever_takes_their_time_over_an_export_holds_no_connection(owner, monkeypatch):
    monkeypatch.setattr(exported, "AT_ONCE", 1)
    monkeypatch.setattr(sheets, "PIECE_BYTES", 1)
    agent = made.agent_of(owner)
    for _ in range(3):
        made.ringing_call(agent)
    answer = may(owner, "export_calls").get(reverse("call-export-csv"))
    pieces = iter(answer)
    for _ in range(2):
        assert next(pieces)
        assert connection.connection is None


def test_superusers_export_numbers(owner):
    made.ringing_call(made.agent_of(owner), user_phone="+919876543212")
    client = Client()
    client.force_login(made.operator(superuser=True))
    book = zipfile.ZipFile(io.BytesIO(taken(client.get(reverse("call-export-xlsx")))))
    assert b"+919876543212" in book.read("xl/worksheets/sheet1.xml") and CallExport.objects.get().with_numbers


async def test_an_export_beside_the_event_loop_makes_each_piece_when_the_last_is_taken():
    made_pieces = []

    def pieces():
        for number in range(3):
            made_pieces.append(number)
            yield b"%d" % number

    taken = []
    async for piece in list_page._without_blocking(pieces()):
        taken.append(piece)
        assert len(made_pieces) == len(taken)
    assert taken == [b"0", b"1", b"2"]
