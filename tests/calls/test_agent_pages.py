"""The pages about agents at their door: made from a starter, changed as a draft, published with a reason, compared, brought back."""

import re
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents.models import Agent, AgentDraft
from agents.starters import starters
from calls import commands, entry
from calls.agent_pages import estimating, record
from calls.agent_pages.forms import AgentForm
from calls.analytics import keeping
from engine.events import TurnLatency
from telephony.models import Phone
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    """An operator who may make and change agents, and is no superuser."""
    user = made.operator()
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="agents"))
    return user


@pytest.fixture
def agent(owner):
    return made.agent_of(owner)


@pytest.fixture
def browser(owner):
    return browser_of(owner)


def browser_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def filled_in(agent: Agent, **changed) -> dict:
    """What a browser sends for the form of this agent."""
    form = AgentForm(instance=agent)
    sent = {field.name: field.value() for field in form}
    sent = {name: value for name, value in {**sent, **changed}.items() if value not in (None, False)}
    return {**({"agent": agent.pk} if agent.pk else {}), **sent}


def notices(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


@pytest.mark.parametrize("key", [*starters(), ""])
def test_an_agent_is_made_from_what_the_form_offers(browser, owner, key):
    address = reverse("agent-start", args=[key]) if key else reverse("agent-new")
    page = browser.get(address)
    assert page.status_code == 200
    sent = {field.name: field.value() for field in page.context["form"]}
    sent = {name: value for name, value in sent.items() if value not in (None, False)}
    if not key:
        sent |= {"name": "Desk", "prompt": "You answer for a school."}
    answer = browser.post(address, sent, follow=True)
    made_agent = Agent.objects.get()
    assert made_agent.owner == owner
    assert (made_agent.current_version.number, made_agent.current_version.published_by) == (1, owner)
    assert [tool.active for tool in made_agent.http_tools.all()] == [False] * (len(starters()[key].tools) if key else 0)
    if key:
        assert made_agent.manners == starters()[key].fields["manners"]
        assert made_agent.extraction_schema == starters()[key].fields.get("extraction_schema")
    assert answer.redirect_chain[-1][0] == reverse("agent-page", args=[made_agent.pk])
    assert made_agent.name in notices(answer)


def test_the_gallery_offers_every_starter(browser):
    page = browser.get(reverse("agent-gallery")).content.decode()
    assert all(starter.title in page for starter in starters().values())
    assert browser.get(reverse("agent-start", args=["nowhere"])).status_code == 404


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": "Hello {{customer}}"}, "There is no {{customer}}"),
        ({"llm_model": "gpt-4-turbo"}, "was shut down"),
        ({"name": "Clinic reception"}, "There is already an agent"),
        ({"manner_silence_prompts": "99"}, "less than or equal to 5"),
        ({"manner_voicemail": "leave-message"}, "Write the message"),
    ],
)
def test_a_form_that_could_not_talk_is_given_back_with_what_to_do(browser, owner, agent, change, words):
    sent = filled_in(Agent(owner=owner, name="Second", prompt="You answer."), **change)
    answer = browser.post(reverse("agent-new"), sent)
    assert answer.status_code == 200
    page = answer.content.decode().replace("&#x27;", "'")
    assert words in page
    assert 'aria-invalid="true"' in page
    assert Agent.objects.count() == 1


def test_a_draft_is_saved_shown_and_published_with_a_reason(browser, owner, agent):
    edit = reverse("agent-edit", args=[agent.pk])
    browser.post(edit, filled_in(agent, prompt="You answer for a school.", manner_silence_prompts="1", do="draft"))
    agent.refresh_from_db()
    assert agent.prompt == "You answer the phone of a clinic."
    assert AgentDraft.objects.get().saved_by == owner
    assert "You answer for a school." in browser.get(edit).content.decode()
    page = browser.get(reverse("agent-page", args=[agent.pk])).content.decode()
    assert "A draft differs from what is live" in page
    assert "Prompt, Questions into silence before the goodbye" in page
    assert "draft differs" in browser.get(reverse("agent-list")).content.decode()
    side_by_side = browser.get(reverse("agent-compare", args=[agent.pk]), {"from": 1, "to": "draft"}).content.decode()
    assert "<ins>for</ins>" in side_by_side
    assert "<del>the phone of</del>" in side_by_side

    refused = browser.post(reverse("agent-publish", args=[agent.pk]), {"reason": " "}, follow=True)
    assert "Write why" in notices(refused)
    done = browser.post(reverse("agent-publish", args=[agent.pk]), {"reason": "Term begins"}, follow=True)
    assert "Version 2 is live" in notices(done)
    version = Agent.objects.get(pk=agent.pk).current_version
    assert (version.number, version.reason, version.published_by, version.spec["manners"]) == (
        2,
        "Term begins",
        owner,
        {"silence_prompts": 1},
    )
    assert "Term begins" in done.content.decode()


def test_publishing_from_the_form_needs_a_reason_and_keeps_the_draft(browser, agent):
    edit = reverse("agent-edit", args=[agent.pk])
    browser.post(edit, filled_in(agent, first_message="Good day!", do="publish"))
    assert agent.current_version.number == 1
    assert AgentDraft.objects.get().fields == {"first_message": "Good day!"}
    browser.post(edit, filled_in(agent, first_message="Good day!", do="publish", reason="Friendlier"))
    assert agent.current_version.spec["first_message"] == "Good day!"


def test_what_the_form_does_not_show_stays_as_it_is(browser, owner):
    agent = made.agent_of(owner, manners={"speculate": False, "silence_prompts": 3}, pronunciations=[{"written": "Rao", "spoken": "Raav"}])
    browser.post(reverse("agent-edit", args=[agent.pk]), filled_in(agent, manner_silence_prompts="", do="publish", reason="Default"))
    spec = agent.current_version.as_spec()
    assert spec.manners == {"speculate": False}
    assert spec.pronunciations[0].written == "Rao"


def test_a_draft_is_thrown_away_by_the_page_and_by_htmx(browser, agent):
    for headers, status in (({}, 302), ({"HX-Request": "true"}, 204)):
        browser.post(reverse("agent-edit", args=[agent.pk]), filled_in(agent, first_message="Hm.", do="draft"))
        answer = browser.post(reverse("agent-discard", args=[agent.pk]), headers=headers)
        assert answer.status_code == status
        assert not AgentDraft.objects.exists()
    assert answer.headers["HX-Redirect"] == reverse("agent-page", args=[agent.pk])


def test_an_earlier_version_comes_back_with_one_click(browser, owner, agent):
    agent.prompt = "You answer for a school."
    agent.save()
    answer = browser.post(reverse("agent-restore", args=[agent.pk, 1]), follow=True)
    assert "Version 1 is live again, as version 3" in notices(answer)
    version = Agent.objects.get(pk=agent.pk).current_version
    assert (version.number, version.restores, version.published_by) == (3, 1, owner)
    assert version.spec["prompt"] == "You answer the phone of a clinic."
    assert "what is live already" in notices(browser.post(reverse("agent-restore", args=[agent.pk, 3]), follow=True))


def test_an_agent_is_switched_off_and_on(browser, agent):
    for value, active in (("no", False), ("yes", True)):
        browser.post(reverse("agent-switch", args=[agent.pk]), {"active": value})
        assert Agent.objects.get(pk=agent.pk).active is active
    assert agent.current_version.number == 1


def test_switching_an_agent_off_undoes_nothing_that_is_published_meanwhile(browser, agent, monkeypatch):
    def seen_before_it_changes(request, pk):
        seen = entry.visible(request, pk)
        other = Agent.objects.get(pk=pk)
        other.prompt = "You answer for a school."
        other.save()
        return seen

    monkeypatch.setattr("calls.agent_pages.views.visible", seen_before_it_changes)
    browser.post(reverse("agent-switch", args=[agent.pk]), {"active": "no"})
    agent.refresh_from_db()
    assert (agent.active, agent.prompt, agent.current_version.number) == (False, "You answer for a school.", 2)


@pytest.mark.parametrize("told", ["²", "७x", "9" * 30, "-1", ""])
def test_what_is_no_number_of_ours_names_nothing(browser, agent, told):
    assert browser.get(reverse("agent-page", args=[agent.pk]), {"before": told}).status_code == 200
    asked = browser.get(reverse("agent-compare", args=[agent.pk]), {"from": told or "0"})
    assert asked.status_code == 404
    assert browser.post(reverse("agent-estimate"), {"agent": told}).status_code == 200
    assert browser.post(f"/agents/{agent.pk}/rehearsals/run/", {"scenario": told}).status_code == 302
    assert browser.get("/calls/", {"view": told, "after": told}).status_code == 200
    assert browser.get("/alerts/", {"before": told}).status_code == 200


def test_pages_and_deeds_are_closed_to_strangers_and_to_those_who_may_not(agent):
    stranger, plain = browser_of(made.operator()), browser_of(agent.owner)
    names = ["agent-page", "agent-compare", "agent-edit"]
    deeds = ["agent-publish", "agent-discard", "agent-switch"]
    agent.owner.user_permissions.clear()
    assert [stranger.get(reverse(name, args=[agent.pk])).status_code for name in names] == [404, 404, 403]
    assert [plain.get(reverse(name, args=[agent.pk])).status_code for name in names] == [200, 200, 403]
    assert {plain.post(reverse(name, args=[agent.pk])).status_code for name in deeds} == {403}
    assert {plain.post(reverse(name)).status_code for name in ("agent-estimate", "agent-hear")} == {403}
    assert plain.get(reverse("agent-gallery")).status_code == 403
    assert Client().get(reverse("agent-list")).status_code == 302
    other = made.operator()
    other.user_permissions.set(Permission.objects.filter(content_type__app_label="agents"))
    assert {browser_of(other).post(reverse(name, args=[agent.pk])).status_code for name in deeds} == {404}


# --- the estimate -----------------------------------------------------------------------------------------------------


def amounts(page: str) -> dict[str, str]:
    rows = re.findall(r'<th scope="row">(.*?)<small>.*?<td class="num">(.*?)</td>', page, re.DOTALL)
    return {what: re.sub(r"<[^>]*>", " ", cell).split()[0] for what, cell in rows}


def test_the_estimate_is_itemised_in_rupees_and_names_what_has_no_price(browser, agent):
    made.tariff("0.60")
    commands.add_exchange_rate(base="USD", quote="INR", rate=Decimal("90"), on=timezone.localdate(), source="RBI", by=None)
    page = browser.post(reverse("agent-estimate"), filled_in(agent, record_calls=True)).content.decode()
    told = amounts(page)
    # 0.60 and 18 % tax; 0.0048 $ a minute of listening in one language; 450 characters at 0.05 $ a thousand; both channels at 0.0043 $.
    assert told["The telephone line, with tax"] == "₹0.71"
    assert told["Listening"] == "₹0.43"
    assert told["Speaking"] == "₹2.02"
    assert told["Transcription of the recording"] == "₹0.77"
    assert "On top" not in page
    odd = browser.post(reverse("agent-estimate"), filled_in(agent, llm_model="a-model-nobody-priced")).content.decode()
    assert "no price for openai a-model-nobody-priced (input tokens, output tokens)" in odd
    assert "unpriced" in odd


def test_without_a_tariff_or_a_rate_the_estimate_says_what_is_missing(browser, agent):
    page = browser.post(reverse("agent-estimate"), filled_in(agent)).content.decode()
    assert "no price for Exotel (tariff)" in page
    assert "no exchange rate from USD" in page
    assert "$0.0225" in page


def test_the_parts_add_up_and_a_longer_prompt_costs_more(agent):
    made.tariff("0.60")
    commands.add_exchange_rate(base="USD", quote="INR", rate=Decimal("90"), on=timezone.localdate(), source="RBI", by=None)
    short = estimating.estimated(agent.spec())
    agent.prompt *= 200
    long = estimating.estimated(agent.spec())
    assert short.total == sum(item.counted or Decimal(0) for item in short.items)
    assert long.prompt_share is not None
    assert short.prompt_share is not None
    assert long.total - short.total == pytest.approx(long.prompt_share - short.prompt_share)
    assert long.prompt_tokens > 150 * short.prompt_tokens
    agent.mode = "voicemail"
    assert [item.name for item in estimating.estimated(agent.spec()).items] == ["line", "speaking", "transcription"]


def test_the_price_of_the_agents_own_number_counts(agent):
    made.tariff("0.60")
    made.tariff("1.20", model="+918047112233")
    Phone.objects.create(number="+918047112233", agent=agent)
    assert estimating.estimated(agent.spec(), exophone="+918047112233").items[0].amounts["INR"] == Decimal("1.416")


def test_the_wait_for_an_answer_is_what_was_measured_with_these_models(browser, agent):
    test = commands.open_spoken_test(agent.current_version, by="meera")
    made.exchange(test, 1, "Hello?", "Good morning.", latency=TurnLatency(endpointing_ms=10, llm_ms=10, tts_ms=10, total_ms=30))
    assert estimating.answers_in(agent.spec()).total_ms is None
    session = made.talking_call(agent)
    made.exchange(session, 1, "Hello?", "Good morning.")
    soon = estimating.answers_in(agent.spec())
    assert (soon.model_ms, soon.voice_ms, soon.total_ms) == (280, 150, 730)
    page = browser.post(reverse("agent-estimate"), filled_in(agent)).content.decode()
    assert "730 ms" in page
    assert (
        "no calls with it here yet" in browser.post(reverse("agent-estimate"), filled_in(agent, llm_model="gpt-6.1-sol")).content.decode()
    )


def test_a_half_filled_form_has_an_estimate_too(browser):
    page = browser.post(reverse("agent-estimate"), {"voice_speed": "nonsense", "prompt": "Hi {{nobody}}"})
    assert page.status_code == 200
    assert "There is no {{nobody}}" in page.content.decode()


def test_the_estimate_of_somebody_elses_agent_is_not_there(browser):
    theirs = made.agent_of(made.operator())
    assert browser.post(reverse("agent-estimate"), {"agent": theirs.pk}).status_code == 404


# --- how versions did -------------------------------------------------------------------------------------------------


def test_each_version_shows_its_own_calls_and_what_a_minute_of_them_cost(browser, agent):
    commands.add_exchange_rate(base="USD", quote="INR", rate=Decimal("90"), on=timezone.localdate(), source="RBI", by=None)
    first = agent.current_version
    session = made.talking_call(agent)
    made.use(session, key="one", unpriced=True)
    made.end(session, lasted_s=60)
    commands.account(session)
    agent.prompt = "You answer for a school."
    agent.save()
    second = agent.current_version
    made.ringing_call(agent)
    keeping.keep()
    found = record.records([first, second], owner_id=agent.owner_id, agent_id=agent.pk)
    assert (found[first.pk].calls, found[first.pk].answered, sum(cost.unpriced for cost in found[first.pk].costs)) == (1, 1, 1)
    assert (found[second.pk].calls, found[second.pk].answered, found[second.pk].cost) == (1, 0, None)
    amounts = [charge.amount * (90 if charge.currency == "USD" else 1) for charge in session.charges.all() if charge.amount is not None]
    converted = sum(amounts, Decimal())
    assert found[first.pk].cost == converted
    assert found[first.pk].per_minute(converted) == converted, "a minute of the line, not of our session"
    assert "without 1 unpriced uses" in browser.get(reverse("agent-page", args=[agent.pk])).content.decode()


def test_the_list_asks_the_database_as_often_for_many_agents(browser, owner, django_assert_max_num_queries):
    for number in range(12):
        made.agent_of(owner, f"Agent {number}")
    with django_assert_max_num_queries(14):
        assert browser.get(reverse("agent-list")).content.decode().count("agent-link") == 12
