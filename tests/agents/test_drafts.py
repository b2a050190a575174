"""Drafts, publications with a reason, and the way back to an earlier version."""

import pytest
from django.core.exceptions import ValidationError

from agents import drafts, restoring
from agents.models import Agent, AgentDraft, Destination, HttpTool
from agents.spec import AgentSpec


def changed(agent: Agent, **fields) -> Agent:
    candidate = drafts.with_draft(agent)
    for name, value in fields.items():
        setattr(candidate, name, value)
    return candidate


def test_a_draft_changes_nothing_that_callers_meet(make_agent, operator):
    agent = make_agent()
    drafts.save_draft(changed(agent, prompt="You answer for a school."), by=operator)
    agent.refresh_from_db()
    assert (agent.prompt, agent.current_version.number) == ("You answer for a clinic.", 1)
    assert drafts.spec_of(agent).prompt == "You answer for a school."
    assert [change.field for change in drafts.draft_changes(agent)] == ["prompt"]


def test_a_draft_that_is_like_what_is_live_is_none(make_agent, operator):
    agent = make_agent()
    drafts.save_draft(changed(agent, llm_temperature=0.1), by=operator)
    assert drafts.save_draft(changed(agent, llm_temperature=0.7), by=operator) is None
    assert not AgentDraft.objects.exists()


def test_a_published_draft_tells_who_and_why(make_agent, operator):
    agent = make_agent()
    drafts.save_draft(changed(agent, first_message="Namaste."), by=operator)
    version = drafts.publish_draft(agent, by=operator, reason="  Callers asked who we are. ")
    assert (version.number, version.published_by, version.reason) == (2, operator, "Callers asked who we are.")
    assert version.as_spec().first_message == "Namaste."
    assert not AgentDraft.objects.exists()
    with pytest.raises(drafts.NothingToPublish):
        drafts.publish_draft(agent, by=operator, reason="again")


def test_what_was_published_meanwhile_stays_where_the_draft_says_nothing(make_agent, operator):
    agent = make_agent()
    drafts.save_draft(changed(agent, first_message="Namaste."), by=operator)
    live = Agent.objects.get(pk=agent.pk)
    live.llm_temperature = 0.2
    live.save()
    spec = drafts.publish_draft(agent, by=operator, reason="both").as_spec()
    assert (spec.first_message, spec.llm.temperature) == ("Namaste.", 0.2)


def test_a_draft_that_could_not_talk_is_not_published_and_kept(make_agent, operator):
    agent = make_agent()
    drafts.save_draft(changed(agent, llm_model="gpt-4-turbo"), by=operator)
    with pytest.raises(ValidationError, match="shut down"):
        drafts.publish_draft(agent, by=operator, reason="cheaper")
    assert agent.current_version.number == 1
    assert AgentDraft.objects.exists()


def test_every_part_of_a_spec_comes_back(make_agent, operator):
    agent = make_agent(
        manners={"speculate": False},
        fallbacks={
            "llm": [{"provider": "openai", "model": "gpt-6.1-sol"}],
            "tts": [{"provider": "openai", "model": "x", "voice_id": "alloy"}],
        },
        pronunciations=[{"written": "Rao", "spoken": "Raav"}],
        extraction_schema={"type": "object", "properties": {"order": {"type": "string"}}},
        recording_retention_days=30,
    )
    assert restoring.fields_of(agent.spec()).keys() == set(drafts.FIELDS)
    assert Agent(owner=operator, **restoring.fields_of(agent.spec())).spec() == agent.spec()


def test_an_earlier_version_comes_back_with_its_tools_and_people(make_agent, operator):
    agent = make_agent()
    tool = HttpTool(agent=agent, name="look_up", description="Looks up.", url="https://api.example.com/x", secret_headers='{"A": "b"}')
    tool.save(by=operator)
    desk = Destination(agent=agent, name="Desk", description="Sales", numbers=["+918047112233"])
    desk.save(by=operator)
    good = agent.current_version
    assert good.published_by == operator
    tool.description, desk.active = "Something else.", False
    tool.save()
    desk.save()
    other = Destination(agent=agent, name="Other", description="Other", numbers=["+918047112244"])
    other.save()

    done = restoring.restore(good, by=operator, reason="The new tool confuses it.")

    assert done.is_new
    assert not done.warnings
    assert AgentSpec.to_json(done.version.as_spec()) == good.spec
    assert (done.version.restores, done.version.reason) == (good.number, "The new tool confuses it.")
    tool.refresh_from_db()
    assert tool.secrets == {"A": "b"}


def test_a_tool_that_was_deleted_comes_back_without_its_secrets_and_says_so(make_agent, operator):
    agent = make_agent()
    tool = HttpTool(agent=agent, name="look_up", description="Looks up.", url="https://api.example.com/x", secret_headers='{"A": "b"}')
    tool.save()
    good = agent.current_version
    tool.delete(by=operator)
    HttpTool(agent=agent, name="look_up", description="Another.", url="https://api.example.com/y").save()
    done = restoring.restore(good, by=operator)
    assert "look_up had been deleted" in done.warnings[0]
    assert [one.description for one in done.version.as_spec().tools] == ["Looks up."]
    assert done.version.reason == f"Back to version {good.number}."


def test_a_version_whose_name_is_taken_by_now_does_not_come_back(make_agent, operator):
    agent = make_agent()
    old = agent.current_version
    Agent.objects.filter(pk=agent.pk).update(name="School desk")
    agent.refresh_from_db()
    agent.save()
    make_agent(name="Clinic desk")
    with pytest.raises(ValidationError, match="already an agent called"):
        restoring.restore(old, by=operator)
    assert agent.current_version.number == 2
