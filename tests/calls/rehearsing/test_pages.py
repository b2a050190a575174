"""The pages on which an agent is tried out in writing, and on which it is rehearsed."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone, translation

from agents import drafts
from calls import tasks
from calls.models import CallLog, RehearsalResult, RehearsalRun, Scenario, Session
from calls.rehearsing import runs, typed
from calls.rehearsing.rows import WrittenTalk
from calls.rehearsing.stage import TookTooLong
from calls.rehearsing.talk import AGENT, CALLER, Line, Talk
from tests.calls import made_calls as made
from tests.calls.rehearsing.conftest import BOOKING
from tests.calls.rehearsing.test_runs import CALLS_TUESDAY, held, scenario
from tests.hindi import english_left

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(client, agent):
    client.force_login(agent.owner)
    return client


HTMX = {"headers": {"hx-request": "true"}}


def test_a_line_is_typed_answered_and_said_otherwise(person, agent, says):
    says(agent=BOOKING)
    address = person.post(f"/agents/{agent.pk}/try/text/", {"with": "live"}).url
    assert "Namaste, Asha Clinic." in person.get(address).content.decode()
    said = person.post(f"{address}say/", {"line": "Good morning"}, **HTMX).content.decode()
    assert "Which day would suit you?" in said and "<html" not in said
    person.post(f"{address}say/", {"line": "On Tuesday"})
    talk = WrittenTalk.objects.get()
    assert [each["said"] for each in talk.exchanges] == ["", "Good morning", "On Tuesday"]
    assert talk.exchanges[2]["read"] > talk.exchanges[1]["read"] > 0 and (typed.cost(talk) or 0) > 0
    assert list(talk.session.turns.values_list("number", flat=True)) == [1, 2, 3, 4, 5]

    gone = person.post(f"{address}otherwise/", {"place": "1", "line": "Hello, Tuesday?"}, **HTMX)
    anew = WrittenTalk.objects.exclude(pk=talk.pk).get()
    assert gone["HX-Redirect"].endswith(f"{anew.session.session_id}/")
    assert [each["said"] for each in anew.exchanges] == ["", "Hello, Tuesday?"] and anew.waiting == ["On Tuesday"]
    assert list(anew.session.turns.values_list("text", flat=True))[:2] == ["Namaste, Asha Clinic.", "Hello, Tuesday?"]
    assert 'name="next" value="2"' in person.get(gone["HX-Redirect"]).content.decode()
    for _window in range(2):
        again = person.post(gone["HX-Redirect"] + "say/", {"next": "2"}, **HTMX).content.decode()
        assert again.count("Tuesday at five is booked") == 2
    talk.session.refresh_from_db()
    assert talk.session.state == Session.State.ENDED

    over = person.post(gone["HX-Redirect"] + "say/", {"line": "Thanks, bye"}, **HTMX).content.decode()
    assert "The agent said goodbye and hung up" in over
    late = person.post(gone["HX-Redirect"] + "say/", {"line": "One more thing"}, **HTMX).content.decode()
    assert "The conversation is over" in late
    log = anew.session.call_log
    log.refresh_from_db()
    assert (log.is_test, log.status) == (True, "completed")
    assert person.get(f"/calls/{anew.session.session_id}/").status_code == 200


def test_a_draft_is_tried_before_it_is_published(person, agent, says):
    says(agent=[{"heard": "", "say": "Yes?"}])
    agent.first_message = "Good day, this is the draft."
    drafts.save_draft(agent, by=agent.owner)
    address = person.post(f"/agents/{agent.pk}/try/text/", {"with": "draft"}).url
    assert "Good day, this is the draft." in person.get(address).content.decode()
    assert Session.objects.get().spec().first_message == "Good day, this is the draft.", "the call's page shows what talked"
    assert person.get(f"/agents/{agent.pk}/try/text/").status_code == 200


def answering(monkeypatch, *answers: str | Exception) -> None:
    """The agent greets and then answers so, one after the other."""
    left: list[str | Exception] = ["Namaste.", *answers]

    def hold(*args: object, **how: object) -> Talk:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Talk(lines=[Line(1, CALLER, "…"), Line(2, AGENT, answer)], lasted_ms=1000, is_left=True)

    monkeypatch.setattr(typed, "hold", hold)


def test_a_window_that_was_left_behind_goes_on_where_the_talk_stands(agent, monkeypatch):
    answering(monkeypatch, "One.", "Two.")
    talk = typed.begin(agent, by=agent.owner, is_draft=False)
    behind = WrittenTalk.objects.get(pk=talk.pk)
    typed.say(talk, "first")
    typed.say(behind, "second")
    talk.refresh_from_db()
    assert [each["said"] for each in talk.exchanges] == ["", "first", "second"]
    assert [line["number"] for each in talk.exchanges for line in each["lines"]] == [1, 2, 3, 4, 5, 6]
    typed.end(WrittenTalk.objects.get(pk=talk.pk))
    with pytest.raises(typed.Over):
        typed.say(behind, "third")


def test_a_line_that_could_not_be_said_again_goes_on_waiting(agent, monkeypatch):
    answering(monkeypatch, TookTooLong(), "One.")
    talk = typed.begin(agent, by=agent.owner, is_draft=False)
    talk.waiting = ["first", "second"]
    talk.save()
    with pytest.raises(TookTooLong):
        typed.go_on(talk, 1)
    talk.refresh_from_db()
    assert (talk.waiting, talk.busy_since) == (["first", "second"], None)
    typed.go_on(talk, 1)
    talk.refresh_from_db()
    assert talk.waiting == ["second"] and talk.exchanges[-1]["said"] == "first"


def test_two_windows_say_a_line_that_waits_once(agent, monkeypatch):
    answering(monkeypatch, "One.", "Two.")
    talk = typed.begin(agent, by=agent.owner, is_draft=False)
    talk.waiting = ["first", "second"]
    talk.save()
    other = WrittenTalk.objects.get(pk=talk.pk)  # which knows nothing of what the first one says
    for window in (talk, other):
        typed.go_on(window, 1)
        assert [each["said"] for each in window.exchanges] == ["", "first"], "both show the same"
    assert other.waiting == ["second"] and WrittenTalk.objects.get(pk=talk.pk).busy_since is None
    typed.go_on(other, 2)
    talk.refresh_from_db()
    assert [each["said"] for each in talk.exchanges] == ["", "first", "second"] and talk.waiting == []


def test_what_is_said_otherwise_talks_as_the_talk_did_and_leaves_it_if_that_fails(agent, monkeypatch):
    answering(monkeypatch, "One.", TookTooLong(), "Another.")
    talk = typed.begin(agent, by=agent.owner, is_draft=False)
    typed.say(talk, "first")
    agent.prompt += " Be kind."
    agent.save()
    with pytest.raises(TookTooLong):
        typed.otherwise(talk, 1, "else", by=agent.owner)
    failed = WrittenTalk.objects.exclude(pk=talk.pk).get()
    states = dict(Session.objects.values_list("pk", "state"))
    assert (states[talk.session_id], states[failed.session_id]) == (Session.State.ACTIVE, Session.State.ENDED)
    anew = typed.otherwise(talk, 1, "else", by=agent.owner)
    assert (anew.session.agent_version.number, agent.current_version.number) == (1, 2)
    assert Session.objects.get(pk=talk.session_id).state == Session.State.ENDED


def test_two_lines_at_once_are_one_too_many(person, agent, says):
    says(agent=BOOKING)
    talk = typed.begin(agent, by=agent.owner, is_draft=False)
    WrittenTalk.objects.filter(pk=talk.pk).update(busy_since=timezone.now())
    address = f"/agents/{agent.pk}/try/text/{talk.session.session_id}/say/"
    assert "still answering" in person.post(address, {"line": "Hello?"}, **HTMX).content.decode()


def test_talks_that_everybody_has_left_are_ended_by_the_sweeper(agent, says):
    says(agent=BOOKING)
    left, new = (typed.begin(agent, by=agent.owner, is_draft=False) for _ in range(2))
    WrittenTalk.objects.filter(pk=left.pk).update(touched_at=timezone.now() - typed.IDLE * 1.1)
    assert tasks.sweep_sessions() == 1 and tasks.sweep_sessions() == 0
    left.session.refresh_from_db()
    new.session.refresh_from_db()
    assert (left.session.state, new.session.state) == (Session.State.ENDED, Session.State.ACTIVE)
    assert left.session.jobs.filter(kind="calls.account").exists()


def test_a_rehearsal_waits_for_its_worker_as_long_as_it_takes(agent):
    scenario(agent)
    run = runs.begin_run(agent, by=agent.owner)
    CallLog.objects.update(created_at=timezone.now() - timedelta(hours=2))
    assert tasks.sweep_sessions() == 0
    assert run.results.get().session.state == Session.State.WAITING


def test_a_scenario_is_written_run_and_read(person, agent, says):
    says(agent=BOOKING, caller=CALLS_TUESDAY)
    form = {"name": "Books a slot", "goal": "An appointment", "most_lines": "8", "active": "on", "wishes": "be nice"}
    wrong = person.post(f"/agents/{agent.pk}/rehearsals/new/", form)
    assert "begin with one of" in wrong.content.decode()
    assert person.post(f"/agents/{agent.pk}/rehearsals/new/", {**form, "wishes": "says: booked\nsays: unicorn"}).status_code == 302
    one = Scenario.objects.get()
    assert "says: unicorn" in person.get(f"/agents/{agent.pk}/rehearsals/{one.pk}/").content.decode()
    address = person.post(f"/agents/{agent.pk}/rehearsals/run/", {"with": "live"}).url
    waiting = person.get(address).content.decode()
    assert 'hx-trigger="every 2s"' in waiting and "0 of 1 are over" in waiting
    held(RehearsalRun.objects.get())
    shown = person.get(address, **HTMX).content.decode()
    assert "0 of 1 passed" in shown and "every 2s" not in shown and "it was never said" in shown and "#turn-" in shown
    listed = person.get(f"/agents/{agent.pk}/rehearsals/").content.decode()
    assert "Books a slot" in listed and "Failed" in listed
    person.cookies[settings.LANGUAGE_COOKIE_NAME] = "hi"
    paths = (address, f"/agents/{agent.pk}/rehearsals/", f"/agents/{agent.pk}/rehearsals/new/", f"/agents/{agent.pk}/try/text/")
    with translation.override("en"):
        for path in paths:
            read = person.get(path).content.decode()
            assert (
                english_left(
                    read, agent.name, agent.owner.username, one.name, "An appointment", "caller, transfer, limit", BOOKING[0]["say"]
                )
                == []
            )
    person.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    person.post(f"/agents/{agent.pk}/rehearsals/rule/", {"required": "yes"})
    assert "Publish without rehearsals" in person.get(f"/agents/{agent.pk}/rehearsals/").content.decode()
    person.post(f"/agents/{agent.pk}/rehearsals/{one.pk}/delete/")
    assert not Scenario.objects.exists()


def test_a_run_by_voice_is_ordered_and_shown_as_such(person, agent):
    sent = {"name": "Rings", "goal": "A slot", "wishes": "answers within: 2 seconds", "most_lines": "4", "active": "on", "by_voice": "on"}
    person.post(f"/agents/{agent.pk}/rehearsals/new/", sent)
    one = Scenario.objects.get()
    assert one.by_voice and "by voice</span>" in person.get(f"/agents/{agent.pk}/rehearsals/").content.decode()
    ways = []
    for how in ("", "text", "voice"):
        address = person.post(f"/agents/{agent.pk}/rehearsals/run/", {"with": "live", "how": how}).url
        ways.append(RehearsalRun.objects.latest("pk").results.get().by_voice)
    assert ways == [True, False, True]
    result = RehearsalRun.objects.latest("pk").results.get()
    result.session.jobs.update(last_error="Every line is busy. The rehearsal waits until a call has ended.")
    assert "Every line is busy." in person.get(address).content.decode()
    RehearsalResult.objects.filter(pk=result.pk).update(state="running")
    shown = person.get(address).content.decode()
    assert "by voice</span>" in shown and f"/calls/{result.session.session_id}/" in shown, "operators may listen while it goes on"


def test_a_call_page_offers_its_scenario(person, agent):
    session = made.talking_call(agent)
    made.exchange(session, 1, "Tuesday please", "Booked.")
    made.end(session)
    address = f"/agents/{agent.pk}/rehearsals/from/{session.session_id}/"
    assert address in person.get(f"/calls/{session.session_id}/").content.decode()
    assert "Tuesday please" in person.get(address).content.decode()


def test_strangers_find_nothing_and_readers_change_nothing(client, agent, says):
    one = scenario(agent)
    run = runs.begin_run(agent, by=None)
    stranger = made.operator()
    client.force_login(stranger)
    assert client.get(f"/agents/{agent.pk}/rehearsals/").status_code == 404
    assert client.get(f"/agents/{agent.pk}/rehearsals/runs/{run.pk}/").status_code == 404
    reader = made.operator()
    agent.owner = reader
    agent.save()
    client.force_login(reader)
    assert client.get(f"/agents/{agent.pk}/rehearsals/").status_code == 200
    for path in ("rehearsals/run/", "rehearsals/rule/", f"rehearsals/{one.pk}/", "try/text/"):
        assert client.post(f"/agents/{agent.pk}/{path}", {}).status_code == 403, path
