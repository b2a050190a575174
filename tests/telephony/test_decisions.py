"""The line's pure decisions, as tables."""

from datetime import timedelta

import pytest

from engine.events import EndReason
from telephony.branching import BRANCHES, branch
from telephony.credentials import is_authorised
from telephony.polling import LONGEST_CALL, LOOKS_S, RULE_S, WHILE_RINGING, WHILE_RUNNING, next_look

S = lambda seconds: timedelta(seconds=seconds)  # noqa: E731


def test_three_looks_are_the_rule_and_the_last_of_them_comes_within_ten_minutes():
    assert LOOKS_S[:3] == RULE_S and RULE_S[-1] <= 9 * 60


def test_every_end_reason_has_its_branch():
    assert set(BRANCHES) == set(EndReason)


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"is_known": False, "has_talked": False, "end_reason": ""}, 200),
        ({"is_known": True, "has_talked": False, "end_reason": ""}, 200),
        ({"is_known": True, "has_talked": True, "end_reason": ""}, 302),
        ({"is_known": True, "has_talked": True, "end_reason": "agent-goodbye"}, 302),
        ({"is_known": True, "has_talked": True, "end_reason": "provider-failed"}, 200),
        ({"is_known": True, "has_talked": True, "end_reason": "a reason of tomorrow"}, 302),
        ({"is_known": True, "has_talked": True, "end_reason": "agent-goodbye", "stream_failed": True}, 200),
        ({"is_known": True, "has_talked": True, "end_reason": "transferred"}, 200),
        ({"is_known": True, "has_talked": True, "end_reason": "", "has_transfer": True}, 200),
        ({"is_known": True, "has_talked": True, "end_reason": "caller-hangup", "has_transfer": True}, 302),
        ({"is_known": True, "has_talked": True, "end_reason": "transferred", "has_transfer": True, "dial_status": "completed"}, 302),
        ({"is_known": True, "has_talked": True, "end_reason": "transferred", "has_transfer": True, "dial_status": "no-answer"}, 200),
    ],
)
def test_the_branch_of_a_flow(facts, status):
    assert branch(**facts) == status


def test_the_carrier_is_asked_early_then_patiently_then_not_at_all():
    age, looks = 10.0, [10.0]
    while (wait := next_look(since_end=S(age), since_start=S(age + 60), is_complete=False)) is not None:
        age += wait.total_seconds()
        looks.append(age)
    assert looks == list(LOOKS_S)


@pytest.mark.parametrize(
    ("facts", "wait"),
    [
        ({"since_end": None, "since_start": S(60), "is_complete": False}, WHILE_RINGING),
        ({"since_end": None, "since_start": S(600), "is_complete": False, "since_talk": S(10)}, WHILE_RINGING),
        ({"since_end": None, "since_start": S(600), "is_complete": False, "since_talk": S(100)}, S(100)),
        ({"since_end": None, "since_start": S(9000), "is_complete": False, "since_talk": S(1000)}, WHILE_RUNNING),
        ({"since_end": None, "since_start": LONGEST_CALL, "is_complete": False, "since_talk": S(10)}, None),
        ({"since_end": S(12), "since_start": S(60), "is_complete": True}, None),
        ({"since_end": S(12), "since_start": S(60), "is_complete": False}, S(138)),
        ({"since_end": S(147), "since_start": S(600), "is_complete": False}, S(273)),
        ({"since_end": S(4000), "since_start": S(6000), "is_complete": False}, None),
    ],
)
def test_when_the_carrier_is_asked_again(facts, wait):
    assert next_look(**facts) == wait


@pytest.mark.parametrize(
    ("authorization", "query", "is_let_in"),
    [
        ("", "key=one", True),
        ("", "a=b&key=two", True),
        ("", "key=wrong&key=two", True),
        ("", "key=two&key=wrong", False),
        ("", "key=", False),
        ("", "KEY=one", False),
        ("", "key=one%00", False),
        ("", "", False),
        ("Basic OnR3bw==", "", True),  # :two
        ("basic eDpvbmU=", "", True),  # x:one
        ("Basic b25l", "", True),  # one
        ("Basic eDp3cm9uZw==", "key=one", True),
        ("Basic eDp3cm9uZw==", "", False),
        ("Basic !", "", False),
        ("Digest one", "", False),
    ],
)
def test_who_is_let_in(authorization, query, is_let_in):
    assert is_authorised(secrets=("one", "two"), authorization=authorization, query_string=query) is is_let_in
    assert not is_authorised(secrets=(), authorization=authorization, query_string=query)


def test_too_many_parameters_are_no_key():
    assert not is_authorised(secrets=("one",), authorization="", query_string="&".join(["x=1"] * 500) + "&key=one")
