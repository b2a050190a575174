"""Pure parts: what is filled into prompts, how manners become the engine's tuning, how secrets are kept."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.core.exceptions import ValidationError
from pytest_django.fixtures import Settings

from agents import encryption, manners, variables
from agents.encryption import Undecipherable, decrypt, encrypt
from agents.models import Agent
from agents.variables import CallFacts, fill, stands_still, unknown
from engine.tuning import Tuning

FACTS = CallFacts(
    "Asha", datetime(2026, 11, 22, 16, 5, tzinfo=UTC), "+919876543210", {"name": "Ravi", "note": "{{agent_name}}", "none": ""}
)


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("Hi {{customer.name}}, I am {{ agent_name }}.", "Hi Ravi, I am Asha."),
        ("{{date}} at {{time}}", "Sunday, 22 November 2026 at 4:05 PM"),
        ("From {{caller_number}}", "From +919876543210"),
        ("Hi {{customer.surname|sir or madam}}.", "Hi sir or madam."),
        ("Hi {{customer.none|there}}{{customer.surname}}.", "Hi there."),
        ("{{customer.note}}", "{{agent_name}}"),
        ("{single} and {} stay", "{single} and {} stay"),
    ],
)
def test_variables_are_filled_in_once(text: str, reads: str) -> None:
    assert fill(text, FACTS) == reads


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{{caller_number}} {{agent_name}} {{date}} {{time}} {{customer.order_id|x}}", []),
        ("{{name}} {{name}} {{customer}} {{customer.Big}} {{}}", ["name", "customer", "customer.Big", ""]),
        ("no braces", []),
    ],
)
def test_a_name_that_no_call_could_fill_in_is_told(text: str, names: list[str]) -> None:
    assert unknown(text) == names


def test_only_what_is_the_same_in_every_call_stands_still() -> None:
    assert stands_still("I am {{agent_name}}.")
    assert not stands_still("It is {{time}}.")
    assert not stands_still("Hi {{customer.name}}.")


# Deadlines on providers, buffers and last resorts: a wrong value of these would cost calls, and none of them is a manner.
OURS = {
    "budget_grace_ms",
    "max_lead_ms", "mark_grace_ms", "prefetch_ms", "max_queued_ms", "answer_budget_ms", "llm_first_token_ms", "llm_between_tokens_ms",
    "tts_first_audio_ms", "tts_between_audio_ms", "stt_open_ms", "stt_reopen_attempts", "stt_keep_ms", "stt_finish_ms", "max_tool_rounds",
    "parting_ms", "hand_over_ms", "goodbye_limit_ms", "max_duration_grace_ms",
}  # fmt: skip
OF_THE_RECOGNISER = {"end_of_turn_confidence", "eager_confidence", "end_of_turn_timeout_ms"}


def test_every_manner_of_the_engine_can_be_set_and_has_a_default_within_its_limits() -> None:
    assert set(manners.BY_NAME) == {field.name for field in dataclasses.fields(Tuning)} - OURS | OF_THE_RECOGNISER
    assert manners.problems({manner.name: manner.default for manner in manners.MANNERS}) == []
    assert all(str(manner.label) and str(manner.help) for manner in manners.MANNERS)
    assert all(manner.low < manner.high for manner in manners.MANNERS if type(manner.default) in (int, float))


@pytest.mark.parametrize(
    "manner", [each for each in manners.MANNERS if type(each.default) in (int, float)], ids=lambda manner: str(manner.name)
)
def test_each_number_is_taken_to_its_limits_and_not_beyond(manner: manners.Manner) -> None:
    kind = type(manner.default)
    if manner.name not in ("eager_confidence", "end_of_turn_confidence"):  # those bound each other too
        assert manners.problems({manner.name: kind(manner.low)}) == manners.problems({manner.name: kind(manner.high)}) == []
    assert len(manners.problems({manner.name: kind(manner.low - 1)})) == len(manners.problems({manner.name: kind(manner.high + 1)})) == 1


@pytest.mark.parametrize("name", [each.name for each in manners.MANNERS if isinstance(each.default, list)])
def test_each_list_of_words_holds_english_romanised_hindi_and_devanagari_and_takes_all_of_them(name: str) -> None:
    default = manners.BY_NAME[name].default
    assert any(word.isascii() for word in default)
    assert any("\u0900" <= word[0] <= "\u097f" for word in default)
    made = manners.tuning(manners.stored({name: ["Wait", "RUKIYE zara", "रुकिए", "theek"]}))
    assert getattr(made, name) == frozenset({"wait", "rukiye", "zara", "रुकिए", "theek"})


def test_what_the_recogniser_is_told_is_set_like_any_manner_and_is_none_of_the_engines() -> None:
    set_so = {"end_of_turn_confidence": 0.8, "eager_confidence": 0.5, "silence_prompts": 1}
    assert manners.listening(set_so) == {"end_of_turn_confidence": 0.8, "eager_confidence": 0.5}
    assert manners.tuning(set_so) == dataclasses.replace(Tuning(), silence_prompts=1)
    assert manners.listening({}) == {}
    [wrong] = manners.problems({"end_of_turn_confidence": 0.6, "eager_confidence": 0.7})
    assert "no more than" in wrong


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_speech_ms": -1}, {"min_speech_ms": True}, {"min_speech_ms": "300"}, {"min_speech_ms": 2001}, {"speculate": 1},
        {"backchannels": "ok haan"}, {"backchannels": ["..."]}, {"backchannels": [1]}, {"voicemail": ""}, {"key_end": "##"},
        {"llm_first_token_ms": 1}, {"echo_similarity": float("nan")}, {"echo_similarity": True}, {"echo_similarity": "0.5"}, [],
    ],
)  # fmt: skip
def test_a_manner_out_of_its_limits_is_told(wrong: Any) -> None:
    assert len(manners.problems(wrong)) == 1


def test_manners_become_tuning_and_the_rest_stays_the_default() -> None:
    made = manners.tuning(manners.stored({"silence_prompts": 1, "backchannels": ["Theek hai!", "JI"], "speculate": True}))
    assert made == dataclasses.replace(Tuning(), silence_prompts=1, backchannels=frozenset({"theek", "hai", "ji"}))
    assert manners.tuning({}) == Tuning()


def test_manners_of_another_release_never_stop_a_call() -> None:
    assert manners.tuning({"gone": 1, "min_speech_ms": "fast", "silence_prompts": 0}).silence_prompts == 0


# --- secrets ----------------------------------------------------------------------------------------------------------

OLD, NEW = "11" * 32, "22" * 32


@pytest.mark.parametrize("text", ["", "hush", "ग़ुप्त", "x" * 5000])
def test_a_secret_comes_back_as_it_was_and_never_looks_the_same_twice(text: str) -> None:
    first, second = encrypt(text, "a.b"), encrypt(text, "a.b")
    assert decrypt(first, "a.b") == decrypt(second, "a.b") == text
    assert first != second
    assert not text or text not in first


def test_keys_are_rotated_without_losing_a_secret(settings: Settings) -> None:
    settings.FIELD_KEYS = {"old": OLD}
    stored = encrypt("hush", "a.b")
    settings.FIELD_KEYS = {"old": OLD, "new": NEW}
    assert decrypt(stored, "a.b") == "hush"
    assert encrypt("hush", "a.b").startswith("v1:new:")
    settings.FIELD_KEYS = {"new": NEW}
    with pytest.raises(Undecipherable, match=r"'old'\. Add that key to FIELD_KEYS"):
        decrypt(stored, "a.b")
    settings.FIELD_KEYS = {"old": NEW}
    with pytest.raises(Undecipherable, match="does not fit the key 'old'") as caught:
        decrypt(stored, "a.b")
    assert isinstance(caught.value.__cause__, InvalidTag)


def test_a_secret_moved_to_another_column_cannot_be_read() -> None:
    with pytest.raises(Undecipherable):
        decrypt(encrypt("hush", "a.b"), "a.c")


def test_without_field_keys_the_key_follows_from_the_secret_key(settings: Settings) -> None:
    settings.FIELD_KEYS = {}
    stored = encrypt("hush", "a.b")
    assert decrypt(stored, "a.b") == "hush"
    settings.SECRET_KEY = "another"
    with pytest.raises(Undecipherable):
        decrypt(stored, "a.b")
    assert len(encryption.keys()) == 1


def test_an_encrypted_field_cannot_be_searched(db: None) -> None:
    from agents.models import HttpTool

    with pytest.raises(TypeError, match="cannot be searched"):
        HttpTool.objects.filter(secret_headers="{}").exists()


def test_nothing_is_published_with_a_variable_that_no_call_can_fill_in(make_agent: Callable[..., Agent]) -> None:
    """Whatever door it came through: forms refuse it before, a script that saves rows is refused here."""
    agent = make_agent(first_message="Hi {{customer.name|there}}!")
    agent.first_message = "Hi {{custmer.name}}!"
    with pytest.raises(ValidationError, match=r"There is no \{\{custmer\.name\}\}"):
        agent.save()
    assert agent.versions.count() == 1
    agent.refresh_from_db()
    assert agent.first_message == "Hi {{customer.name|there}}!"


def test_never_is_a_time_that_no_call_has() -> None:
    assert variables.NEVER.year == 1
