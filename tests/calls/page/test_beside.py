"""What was done beside the talk stands in the transcript of a call's page at its moment, and never on a shared one."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from calls import commands, wording
from calls.models import CallNote, OperatorOrder, Session, ToolRun, Turn
from calls.page import shown
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"
CALLER = "+919876543210"


@pytest.fixture
def session() -> Session:
    """Two exchanges; between them a tool, a whisper and a note, and a note that was written a minute after the call."""
    session = made.talking_call(made.agent_of(made.operator("asha")), user_phone=CALLER)
    made.exchange(session, 0, "Book me a slot", "Certainly")
    made.exchange(session, 1, "Thank you", "Goodbye")
    run = commands.begin_tool_run(session.session_id, tool="book", arguments={"phone": CALLER, "why": HOSTILE}, acts=True)
    commands.end_tool_run(run.run_id or 0, state="done", result=f"Booked for {CALLER}")
    commands.whisper(session, text=f"Fee waived {HOSTILE}", by="asha")
    during, later = (commands.add_note(session, text=text, by=session.owner) for text in ("Wrote down", "Long after"))
    made.end(session)
    session.refresh_from_db()
    assert session.started_at is not None
    Session.objects.filter(pk=session.pk).update(ended_at=session.started_at + timedelta(seconds=84))
    began, second = session.started_at, Turn.objects.filter(session=session).order_by("started_ms")[2]
    moment = began + timedelta(milliseconds=second.started_ms - 1)
    ToolRun.objects.update(started_at=moment, ended_at=moment + timedelta(milliseconds=340))
    OperatorOrder.objects.update(created_at=moment)
    CallNote.objects.filter(pk=during.pk).update(created_at=moment)
    CallNote.objects.filter(pk=later.pk).update(created_at=began + timedelta(seconds=85))
    return session


def page_of(session: Session, *, may: bool = False) -> str:
    wanted = Permission.objects.get(codename="view_numbers", content_type__app_label="calls")
    (session.owner.user_permissions.add if may else session.owner.user_permissions.remove)(wanted)
    client = Client()
    client.force_login(User.objects.get(pk=session.owner_id))
    html = client.get(reverse("call-page", args=[session.session_id])).content.decode()
    return html[html.index('data-part="log"') : html.index('data-part="interim"')]


def test_each_stands_between_the_turns_at_its_moment(session: Session) -> None:
    html = page_of(session)
    assert re.findall(r'data-turn="(\w+)', html) == ["caller", "agent", "tool", "note", "remark", "caller", "agent"]
    for words in ("book <", "Done, 340 ms", "asha whispered", "On its way to the agent", "asha noted", "The agent does not see it"):
        assert words in html, words
    assert "Wrote down" in html and "Long after" not in html and HOSTILE not in html


def test_a_number_in_what_a_tool_was_asked_and_gave_back_is_masked(session: Session) -> None:
    masked = wording.mask_number(CALLER)
    assert f"phone: {masked}" in page_of(session) and f"Booked for {masked}" in page_of(session)
    assert CALLER not in page_of(session)
    assert f"Booked for {CALLER}" in page_of(session, may=True)


def test_a_note_that_is_taken_away_leaves_the_transcript(session: Session) -> None:
    note = CallNote.objects.get(text="Wrote down")
    client = Client()
    client.force_login(session.owner)
    answer = client.post(reverse("call-note-remove", args=[session.session_id, note.pk]), headers={"HX-Request": "true"}).content.decode()
    assert f'<div id="remark-{note.pk}" hx-swap-oob="delete">' in answer
    assert "Wrote down" not in page_of(session)


def test_somebody_with_a_link_sees_the_talk_and_nothing_beside_it(session: Session) -> None:
    link = commands.share_call(session, days=1, with_recording=False, by=session.owner)
    html = Client().get(shown.share_path(link)).content.decode()
    assert "Book me a slot" in html
    for kept in ("beside", "book", "Booked", "Fee waived", "Wrote down", "asha"):
        assert kept not in html.replace("Book me", ""), kept
