"""What the model is told beside its prompt, and the sentences that need no model."""

from typing import Any

import pytest

from agents import prompts, variables
from agents.models import LANGUAGES, Agent
from agents.variables import CallFacts

FACTS = CallFacts("Desk", variables.NEVER, customer={"name": "Asha"})


def spec(**fields: Any):
    return Agent(**{"name": "Desk", "prompt": "You answer for a clinic. ", **fields}).spec()


def test_the_operators_words_come_first_and_the_manners_after() -> None:
    text = prompts.system_prompt(spec(), FACTS)
    assert text.startswith("You answer for a clinic.\n\n")
    for manner in ("telephone", "short sentences", "no lists, headings, markdown", "Speak English.", "end_call"):
        assert manner in text


@pytest.mark.parametrize(
    ("language", "words"), [("en-GB", "Speak English"), ("hi", "Speak Hindi"), ("multi", "language of the caller's last")]
)
def test_the_agent_is_told_its_language(language: str, words: str) -> None:
    assert words in prompts.system_prompt(spec(language=language), FACTS)


def test_braces_in_a_prompt_stay_as_they_are() -> None:
    assert prompts.system_prompt(spec(prompt="Say {name} and {}."), FACTS).startswith("Say {name} and {}.")


def test_voicemail_asks_no_model() -> None:
    assert prompts.system_prompt(spec(mode="voicemail", first_message="Speak after the tone."), FACTS) == ""


@pytest.mark.parametrize("language", [code for code, _name in LANGUAGES])
def test_every_language_has_every_prepared_sentence(language: str) -> None:
    tongue = prompts.tongue(language)
    for table in (
        prompts.APOLOGY,
        prompts.GOODBYE,
        prompts.STILL_THERE,
        prompts.FILLER,
        prompts.TIME_WARNING,
        prompts.HANDOVER,
        prompts.MUST_END,
    ):
        assert table[tongue].strip()
        assert len(table[tongue]) < 120


def test_the_prompt_is_filled_in_for_the_call() -> None:
    assert prompts.system_prompt(spec(prompt="You talk to {{customer.name}}."), FACTS).startswith("You talk to Asha.")
