"""The scripted model: which rule answers, what it fills in, how often, and what it does after a tool."""

import pytest

from simulator.replies import Heard, Replies, RuleRefused, ScriptedReply, choose, parse


def rules(*tables):
    return parse(tables)


def heard(*users, system="", after_tool=False):
    return Heard(system, users, after_tool)


def test_the_first_matching_rule_answers_the_last_user_message():
    script = rules({"heard": "friday", "say": "one"}, {"heard": "fri", "say": "two"}, {"heard": "", "say": "three"})
    assert choose(script, heard("monday", "this friday")).say == "one"
    assert choose(script, heard("friday", "frisbee")).say == "two"
    assert choose(script, heard("friday", "else")).say == "three"


def test_groups_and_the_whole_message_are_filled_in():
    script = rules({"heard": r"(?i)appointment (?:on|for) (\w+)(?: at (\w+))?", "say": "{1} is free{2}. You said: {last} {3}"})
    reply = choose(script, heard(" An appointment for Friday, please. "))
    assert reply.say == "Friday is free. You said: An appointment for Friday, please. {3}"


def test_a_tool_call_carries_filled_arguments():
    script = rules(
        {"heard": r"at (\d+)", "say": "Ok.", "tool": {"name": "book", "arguments": {"hour": "{1}", "notes": ["{last}", 3], "n": 2}}}
    )
    assert choose(script, heard("at 10")) == ScriptedReply("Ok.", "book", {"hour": "10", "notes": ["at 10", 3], "n": 2})


def test_times_is_counted_per_conversation_by_its_own_messages():
    script = rules({"heard": "hello", "say": "first", "times": 1}, {"heard": "hello", "say": "again"})
    assert choose(script, heard("hello")).say == "first"
    assert choose(script, heard("hello")).say == "first"  # the same request once more is the same turn
    assert choose(script, heard("hello", "hello")).say == "again"
    assert choose(script, heard("other", "hello")).say == "first"


def test_after_a_tool_result_the_same_rule_goes_on():
    script = rules({"heard": "bye", "say": "Goodbye.", "tool": {"name": "end_call"}, "after_tool": "Still here, {last}?", "times": 1})
    assert choose(script, heard("bye", after_tool=True)) == ScriptedReply("Still here, bye?")
    assert choose(rules({"heard": "x"}), heard("bye", after_tool=True)) == ScriptedReply("")


def test_without_a_rule_it_repeats_politely_what_it_heard():
    assert "my parcel" in choose((), heard("Where is my parcel")).say


def test_a_rule_can_be_bound_to_a_prompt():
    script = rules({"heard": "", "prompt": "clinic", "say": "clinic"}, {"heard": "", "say": "other"})
    assert choose(script, heard("x", system="You are a clinic's receptionist")).say == "clinic"
    assert choose(script, heard("x", system="You sell shoes")).say == "other"


def test_a_conversation_without_a_word_of_the_user_matches_an_empty_text():
    assert choose(rules({"heard": r"^$", "say": "Welcome."}), heard()).say == "Welcome."


def test_layers_of_running_calls_lie_over_the_standard_rules_and_leave_with_their_call():
    replies = Replies(rules({"heard": "", "say": "standard"}))
    scenario, same = rules({"heard": "", "say": "scenario"}), rules({"heard": "", "say": "scenario"})
    replies.push(scenario)
    replies.push(same)
    assert replies.choose(heard("x")).say == "scenario"
    assert len(replies.rules) == 2  # equal layers are one
    replies.remove(scenario)
    assert replies.choose(heard("x")).say == "scenario"
    replies.remove(same)
    replies.remove(same)
    assert replies.choose(heard("x")).say == "standard"


def test_the_shipped_rules_greet_book_and_end():
    replies = Replies.standard()
    assert "Friday at ten is free" in replies.choose(heard("an appointment for Friday")).say
    assert replies.choose(heard("ok, bye")).tool == "end_call"
    assert replies.choose(heard()).say


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"heard": "("}, "not a regular expression"),
        ({"herd": "x"}, "unknown keys: herd"),
        ({"heard": "x", "times": 0}, "times"),
        ({"heard": "x", "times": True}, "times"),
        ({"heard": "x", "tool": "end_call"}, "tool"),
        ({"heard": "x", "tool": {"arguments": {}}}, "tool"),
    ],
)
def test_a_bad_rule_is_refused_with_its_number_and_the_reason(table, why):
    with pytest.raises(RuleRefused, match=rf"reply 2.*{why}"):
        rules({"heard": "fine"}, table)
