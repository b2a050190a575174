"""What a new agent can begin from: each starter can talk, and its tools only wait for an address."""

import pytest

from agents import validation, variables
from agents.starters import starters
from agents.tokens import estimated_tokens


def test_there_is_a_starter_for_each_common_job():
    assert list(starters()) == ["appointment", "support", "survey", "payment_reminder", "hindi_receptionist"]


@pytest.mark.parametrize("key", ["appointment", "support", "survey", "payment_reminder", "hindi_receptionist"])
def test_a_starter_can_talk_as_it_is(key, operator):
    starter = starters()[key]
    agent = starter.agent(operator)
    agent.full_clean()
    assert not validation.problems(agent)
    assert not validation.warnings(agent)
    agent.save()
    for tool in starter.make_tools(agent):
        tool.full_clean()
        assert not tool.active
    assert not agent.current_version.as_spec().tools
    # It shows how variables are used, and reads well where a call knows nothing.
    assert "{{agent_name}}" in agent.first_message
    facts = variables.CallFacts("Sunrise", variables.NEVER)
    assert "{{" not in variables.fill(agent.prompt + agent.first_message, facts)
    assert agent.manners


# Counted once with o200k_base.
COUNTED = {"appointment": 326, "support": 305, "survey": 225, "payment_reminder": 313, "hindi_receptionist": 303}


@pytest.mark.parametrize(("key", "tokens"), COUNTED.items())
def test_tokens_are_estimated_within_a_tenth(key, tokens):
    assert abs(estimated_tokens(starters()[key].fields["prompt"]) - tokens) <= tokens / 10


def test_nothing_has_no_tokens_and_anything_has_one():
    assert (estimated_tokens(""), estimated_tokens(" \n "), estimated_tokens("?")) == (0, 0, 1)
