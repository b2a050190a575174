"""The doors behind the page on which agents are tried: who may, as what, what is refused in words; and the line, over real sockets."""

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from websockets.exceptions import InvalidStatus

from agents import drafts
from agents.models import Agent
from calls import commands
from calls.models import Budget, CallLog, Session, Turn
from telephony import tokens
from tests.calls import made_calls as made
from tests.telephony.servers import eventually
from tests.telephony.stream import opened
from tests.telephony.test_media_socket import root as root
from tests.telephony.test_media_socket import vendors as vendors

NOTHING = "camera=(), geolocation=(), microphone=()"


def person(*, may: bool = True):
    user = made.operator()
    if may:
        user.user_permissions.add(Permission.objects.get(codename="change_agent"))
    return user


def browser_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def agent(db) -> Agent:
    return made.agent_of(person(), first_message="Welcome, {{customer.name|dear guest}}. You call from {{caller_number}}.")


@pytest.fixture
def browser(agent) -> Client:
    return browser_of(agent.owner)


def draft_of(agent: Agent, **changed) -> None:
    for name, value in changed.items():
        setattr(agent, name, value)
    drafts.save_draft(agent, by=agent.owner)


def page(browser: Client, agent: Agent, **query):
    return browser.get(reverse("agent-try", args=[agent.pk]), query)


def start(browser: Client, agent: Agent, **sent):
    return browser.post(reverse("agent-try-start", args=[agent.pk]), sent)


def test_the_page_offers_what_there_is_and_may_use_the_microphone(browser, agent):
    agent.name = "Front desk"
    agent.save()
    answer = page(browser, agent)
    assert [choice.key for choice in answer.context["choices"]] == ["2", "1"]
    assert answer["Permissions-Policy"] == "camera=(), geolocation=(), microphone=(self)"
    assert "unsafe" not in answer["Content-Security-Policy"]
    content = answer.content.decode()
    assert 'name="number"' in content and 'name="customer.name"' in content
    draft_of(agent, first_message="Hello!")
    answer = page(browser, agent)
    assert [choice.key for choice in answer.context["choices"]] == ["draft", "2", "1"]
    assert answer.context["chosen"].key == "draft" and 'name="number"' not in answer.content.decode()
    assert page(browser, agent, what="1").context["chosen"].key == "1"
    for nothing in ("9", "x", "9" * 40):
        assert page(browser, agent, what=nothing).status_code == 404
    other = browser.get(reverse("agent-page", args=[agent.pk]))
    assert other["Permissions-Policy"] == NOTHING
    assert reverse("agent-try", args=[agent.pk]) in other.content.decode()


def test_whoever_may_not_change_agents_tries_none(agent):
    nobody, stranger = browser_of(person(may=False)), browser_of(person())
    for client, status in ((nobody, 403), (stranger, 404)):
        assert page(client, agent).status_code == status
        assert start(client, agent).status_code == status
    assert page(Client(), agent).status_code == 302
    assert not Session.objects.exists()


def test_a_draft_is_tried_without_being_published(browser, agent):
    draft_of(agent, first_message="The draft speaks.")
    told = start(browser, agent, what="draft").json()
    session = Session.objects.get(session_id=told["session_id"])
    assert session.spec().first_message == "The draft speaks."
    assert agent.versions.count() == 1 and session.call_log.is_test
    token = tokens.check(told["socket"].rpartition("/")[2])
    assert token.is_fresh and (token.session_id, token.call_sid) == (session.session_id, session.session_id)
    version = Session.objects.get(session_id=start(browser, agent, what="1").json()["session_id"])
    assert version.draft_spec is None and version.spec().first_message.startswith("Welcome")


def test_the_agent_is_told_of_its_caller_what_its_texts_ask_for(browser, agent):
    sent = {"number": "098765 43212", "customer.name": " Asha ", "customer.secret": "x"}
    session = Session.objects.get(session_id=start(browser, agent, **sent).json()["session_id"])
    assert (session.user_phone, session.customer) == ("+919876543212", {"name": "Asha"})
    answer = start(browser, agent, number="12")
    assert answer.status_code == 400 and "country code" in answer.json()["error"]


def test_what_cannot_talk_is_refused_in_words(browser, agent, settings):
    settings.OPENAI_API_KEY = ""
    answer = start(browser, agent)
    assert answer.status_code == 409 and "OPENAI_API_KEY is not set" in answer.json()["error"]
    settings.OPENAI_API_KEY = "sim-openai"
    draft_of(agent, first_message="Hello {{nobody_knows}}")
    assert "The draft cannot talk yet" in start(browser, agent, what="draft").json()["error"]
    cache.set("media-room:one", 0, 5)
    cache.set("media-processes", ["one"], 5)
    answer = start(browser, agent, what="1")
    assert answer.status_code == 503 and "Every line is busy" in answer.json()["error"]
    cache.clear()
    Budget.objects.create(owner=agent.owner, scope="account-month", amount=0, currency="INR")
    assert "is used up" in start(browser, agent, what="1").json()["error"]
    assert not Session.objects.exists()


def test_a_line_that_never_opened_is_closed_and_why_is_said(browser, agent):
    told = start(browser, agent).json()
    cache.set("media-room:one", 3, 5)
    cache.set("media-processes", ["one"], 5)
    assert "cannot reach the media process at ws://127.0.0.1:1" in browser.post(told["unopened_url"]).json()["words"]
    assert CallLog.objects.get().status == "canceled"
    assert "was opened" in browser.post(told["unopened_url"]).json()["words"]
    cache.clear()
    assert "No media process answers" in browser.post(start(browser, agent).json()["unopened_url"]).json()["words"]
    real = made.ringing_call(agent)
    where = reverse("agent-try-unopened", args=[agent.pk, real.session_id])
    assert browser.post(where).status_code == 404
    assert browser_of(person()).post(told["unopened_url"]).status_code == 404
    assert CallLog.objects.get(session=real).status == "initiated"


# --- over real sockets --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_draft_speaks_over_the_door_that_exotels_audio_comes_through(root, settings):
    settings.MEDIA_BASE_URL = root
    agent = made.agent_of(person(), first_message="You are live.")
    draft_of(agent, first_message="The draft speaks.")
    told = start(browser_of(agent.owner), agent).json()
    with opened(told["socket"]) as stream:
        stream.start(call_sid=told["session_id"], stream_sid="a" * 32, **{"from": "", "to": ""})
        audio, mark = stream.until("mark")
        assert audio and {message["event"] for message in audio} == {"media"}
        with pytest.raises(InvalidStatus), opened(told["socket"]):
            pass  # its token is used
        stream.send(event="mark", stream_sid="a" * 32, mark=mark["mark"])
        stream.send(event="dtmf", stream_sid="a" * 32, dtmf={"digit": "5", "duration": "100"})
        stream.send(event="stop", stop={"call_sid": told["session_id"], "reason": "callended"})
        assert stream.closed() == 1000
    log = eventually(lambda: CallLog.objects.filter(session__session_id=told["session_id"], status="completed").first())
    assert log and (log.call_sid, log.ended_by, log.confirmation) == (None, "caller", "confirmed")
    turn = eventually(lambda: Turn.objects.filter(session=log.session).first())
    assert turn and turn.text == "The draft speaks."


@pytest.mark.django_db(transaction=True)
def test_a_token_of_a_test_opens_no_other_call(root, settings):
    settings.MEDIA_BASE_URL = root
    agent = made.agent_of(person())
    told = start(browser_of(agent.owner), agent).json()
    with opened(told["socket"]) as stream:
        stream.start(call_sid="another1")
        assert stream.closed() == 1008
    session = Session.objects.get(session_id=told["session_id"])
    assert session.state == "waiting" and commands.close_unopened(session)
