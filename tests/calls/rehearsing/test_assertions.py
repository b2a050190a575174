"""What people write of a rehearsal, and whether a conversation shows it."""

from decimal import Decimal

import pytest

from calls.rehearsing.assertions import NotUnderstood, from_json, parse, written
from calls.rehearsing.grading import Judgement, grade
from calls.rehearsing.talk import AGENT, CALLER, Line, Talk, ToolUse
from engine.events import EndReason

TALK = Talk(
    lines=[
        Line(1, AGENT, "Namaste, Asha Clinic."),
        Line(2, CALLER, "Tuesday at five, and I want a refund."),
        Line(3, AGENT, "आपका अपॉइंटमेंट पक्का है: Tuesday, at FIVE."),
    ],
    tools=[ToolUse("book_slot", {"day": "Tuesday", "hour": 17}, "done", True, 3)],
    reason=EndReason.AGENT_GOODBYE,
    lasted_ms=64_000,
)


@pytest.mark.parametrize(
    ("wish", "passed", "turns"),
    [
        ("tool called: book_slot", True, (3,)),
        ('tool called: book_slot {"day": "tuesday"}', True, (3,)),
        ('tool called: book_slot {"day": "/^tue/", "hour": 17}', True, (3,)),
        ('tool called: book_slot {"day": "Monday"}', False, (3,)),
        ("tool called: cancel_slot", False, ()),
        ("tool never called: cancel_slot", True, ()),
        ("tool never called: book_slot", False, (3,)),
        ("says: tuesday at five", True, (3,)),
        ("says: अपॉइंटमेंट पक्का है", True, (3,)),
        ("says: पक्", False, ()),
        ("says: a refund", False, ()),
        ("says: /five.?$/", True, (3,)),
        ("never says: refund", True, ()),
        ("never says: /tues|mon/", False, (3,)),
        ("ended by: agent", True, (3,)),
        ("ended by: caller", False, (3,)),
        ("within: 64 seconds", True, ()),
        ("within: 60", False, ()),
        ("costs at most: ₹0.5", True, ()),
        ("costs at most: 0.2 rupees", False, ()),
    ],
)
def test_a_wish_is_judged_by_what_happened(wish, passed, turns):
    verdict = grade(parse(wish), TALK, cost=Decimal("0.31"))[0]
    assert (verdict.passed, verdict.turns) == (passed, turns), verdict.why


def test_an_unknown_cost_is_not_under_any_limit():
    verdict = grade(parse("costs at most: ₹100"), TALK, cost=None)[0]
    assert not verdict.passed and "nobody knows" in verdict.why


def test_only_a_reader_can_judge_a_criterion():
    wanted = parse("judged: It is polite.\njudged: It is short.")
    verdicts = grade(wanted, TALK, cost=None, judgements={"It is polite.": Judgement(True, "“Namaste”", (1,))})
    assert [(verdict.passed, verdict.turns) for verdict in verdicts] == [(True, (1,)), (False, ())]


def test_what_is_written_is_stored_and_written_the_same():
    text = 'tool called: book_slot {"day": "Tuesday"}\nsays: goodbye\nended by: agent\nwithin: 60 seconds\ncosts at most: ₹5'
    stored = [each.to_json() for each in parse(text)]
    assert written(from_json(stored)) == text


@pytest.mark.parametrize(
    ("line", "help_"),
    [
        ("be nice", "begin with one of"),
        ("says:", "write something behind"),
        ("says: /(/", "no regular expression"),
        ("ended by: nobody", "write one of: agent"),
        ("within: soon", "a number of seconds"),
        ("costs at most: little", "an amount in rupees"),
        ("tool called: book slot", "the name of a tool"),
        ("tool called: book {day}", "no JSON"),
        ("judged: " + "x" * 600, "at most 500"),
    ],
)
def test_a_line_that_means_nothing_is_explained(line, help_):
    with pytest.raises(NotUnderstood) as told:
        parse(f"says: hello\n\n{line}")
    assert told.value.problems[0].startswith("Line 3: ") and help_ in told.value.problems[0]
