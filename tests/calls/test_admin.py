"""Calls in the admin: everything is shown to whom it belongs, nothing can be edited, a parked job can run again."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from agents.models import Agent
from calls import commands, dispatch
from calls.models import Attempt, CallEvent, Charge, Job, Recording, Session, UsageLine
from calls.status import Direction

MODELS = ("session", "calllog", "turn", "recording", "usageline", "charge", "job")


@pytest.fixture
def staff(db: None) -> User:
    user = User.objects.create_user("asha", password="a long password", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    return user


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def browser(staff: User) -> Client:
    return browser_of(staff)


@pytest.fixture
def root(db: None) -> Client:
    return browser_of(User.objects.create_superuser("root"))


def full_call(owner: User, call_sid: str) -> Session:
    agent, _made = Agent.objects.get_or_create(owner=owner, name=f"Desk of {owner.username}", defaults={"prompt": "You answer."})
    session = commands.open_call(
        agent_version=agent.current_version,
        direction=Direction.INBOUND,
        user_phone="+919876543210",
        agent_phone="+918047112233",
        call_sid=call_sid,
    )
    session.turns.create(number=1, speaker="caller", text="<script>alert(1)</script>", started_ms=0, ended_ms=900)
    Recording.objects.create(session=session)
    line = UsageLine.objects.create(
        session=session, kind="llm", provider="openai", model="m", unit="input_tokens", quantity=9, evidence="e"
    )
    Charge.objects.create(session=session, usage_line=line, price_source="no price known")
    job = dispatch.enqueue("calls.account", session)
    Attempt.objects.create(job=job, number=1, provider="deepgram")
    return session


def row_of(model: str, session: Session) -> int:
    if model == "session":
        return session.pk
    manager = {
        "calllog": "call_log",
        "turn": "turns",
        "recording": "recording",
        "usageline": "usage_lines",
        "charge": "charges",
        "job": "jobs",
    }
    related = getattr(session, manager[model])
    return int((related.first() if hasattr(related, "first") else related).pk)


@pytest.mark.parametrize("model", MODELS)
def test_rows_are_shown_and_never_changed(root: Client, staff: User, model: str) -> None:
    session = full_call(staff, "sid1")
    base, row = f"/admin/calls/{model}/", row_of(model, session)
    assert root.get(base).status_code == 200
    page = root.get(f"{base}{row}/change/")
    assert page.status_code == 200
    assert "<script>alert(1)" not in page.content.decode()
    assert root.get(f"{base}add/").status_code == 403
    assert root.post(f"{base}{row}/change/", {"state": "x"}).status_code == 403
    assert root.post(f"{base}{row}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in root.get(base).content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_operators_see_rows_of_their_own_calls_only(browser: Client, staff: User, model: str) -> None:
    mine, theirs = full_call(staff, "sid1"), full_call(User.objects.create_user("vikram"), "sid2")
    page = browser.get(f"/admin/calls/{model}/")
    assert [row.pk for row in page.context["cl"].result_list] == [row_of(model, mine)]
    assert browser.get(f"/admin/calls/{model}/{row_of(model, mine)}/change/").status_code == 200
    assert browser.get(f"/admin/calls/{model}/{row_of(model, theirs)}/change/").status_code == 302


def test_the_media_token_is_nobodys_to_read(root: Client, staff: User) -> None:
    session = full_call(staff, "sid1")
    Session.objects.filter(pk=session.pk).update(media_token_id="opens-the-socket")
    assert "opens-the-socket" not in root.get(f"/admin/calls/session/{session.pk}/change/").content.decode()


def test_an_unpriced_charge_is_called_so(root: Client, staff: User) -> None:
    full_call(staff, "sid1")
    assert "unpriced" in root.get("/admin/calls/charge/").content.decode()


def run_again(client: Client, *jobs: Job) -> str:
    chosen = {"action": "run_again", "_selected_action": [job.pk for job in jobs]}
    return client.post("/admin/calls/job/", chosen, follow=True).content.decode()


def test_a_parked_job_runs_again(browser: Client, staff: User) -> None:
    job = full_call(staff, "sid1").jobs.get()
    Job.objects.filter(pk=job.pk).update(state="parked", attempts=5, last_error="no credit left")
    assert "1 job runs again." in run_again(browser, job)
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("queued", 0)


def test_several_parked_jobs_run_again_at_once_and_the_calls_keep_who_asked(browser: Client, staff: User) -> None:
    session = full_call(staff, "sid1")
    jobs = [dispatch.enqueue(kind, session) for kind in ("calls.upload_recording", "calls.transcribe_recording", "calls.analyse")]
    Job.objects.filter(pk__in=[job.pk for job in jobs[:2]]).update(state="parked", attempts=5, last_error="no credit left")
    shown = run_again(browser, *jobs)
    assert "2 jobs run again." in shown and "1 job was left alone" in shown
    assert {job.state for job in Job.objects.all()} == {"queued"}
    asked = CallEvent.objects.filter(kind="job-run-again")
    assert [(event.source, event.facts["by"], event.facts["was"]) for event in asked] == [
        ("operator", staff.get_username(), "no credit left")
    ] * 2


def test_a_job_that_is_not_parked_is_left_alone(browser: Client, staff: User) -> None:
    job = full_call(staff, "sid1").jobs.get()
    Job.objects.filter(pk=job.pk).update(state="done")
    assert "1 job was left alone" in run_again(browser, job)
    job.refresh_from_db()
    assert job.state == "done"


def test_operators_cannot_run_a_strangers_job(browser: Client) -> None:
    job = full_call(User.objects.create_user("vikram"), "sid2").jobs.get()
    Job.objects.filter(pk=job.pk).update(state="parked")
    run_again(browser, job)
    job.refresh_from_db()
    assert job.state == "parked"


def test_looking_is_not_enough_to_run_a_job(staff: User) -> None:
    job = full_call(staff, "sid1").jobs.get()
    Job.objects.filter(pk=job.pk).update(state="parked")
    staff.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    run_again(browser_of(User.objects.get(pk=staff.pk)), job)
    job.refresh_from_db()
    assert job.state == "parked"
