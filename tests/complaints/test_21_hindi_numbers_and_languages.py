"""Complaint 21: ₹1,25,000 is read as an American would, a PIN code becomes a number, and the language flips in mid-call."""

import pytest

from agents import assembly
from agents.models import Agent
from engine.events import EndReason
from tests.engine.carrier import HangsUp, Says
from tests.engine.stage import perform
from tests.engine.vendors import Thought

ASKS = [Says(5000, "kitna hua bataiye please"), HangsUp(16_000)]


def plan_of(language: str):
    spec = Agent(name="Desk", prompt="You answer.", first_message="नमस्ते!", language=language).spec()
    return assembly.plan(spec, assembly.OnCall(assembly.facts_of(spec)))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Your bill is ₹1,25,000.", "Your bill is 1 lakh 25000 rupees."),
        ("आपका बिल ₹1,25,000 है।", "आपका बिल 1 लाख 25000 रुपये है।"),
        ("Aapka balance Rs. 2,50,00,000 hai.", "Aapka balance 2 crore 50 lakh rupees hai."),
        ("PIN code 560001 hai, right?", "PIN code 5 6 0, 0 0 1 hai, right?"),
        ("Call 9876543210 please.", "Call 9 8 7 6 5, 4 3 2 1 0 please."),
        ("डॉक्टर 12/05/2026 को 17:30 बजे मिलेंगे।", "डॉक्टर 12 मई 2026 को शाम 5 बजकर 30 मिनट मिलेंगे।"),
    ],
    ids=["rupees", "rupees in Hindi", "crores in Hinglish", "a PIN code", "a phone number", "a date in Hindi"],
)
def test_numbers_reach_the_voice_as_they_are_said_in_india_and_the_transcript_as_they_were_written(written, said):
    scene = perform(ASKS, thoughts=[Thought(written)], session_plan=plan_of("multi"))
    assert " ".join(scene.voice.spoken[1:]).startswith(said)
    assert scene.dialogue[2] == ("agent", written)


def test_an_agent_of_both_languages_follows_the_caller_and_its_own_sentences_are_of_both():
    plan = plan_of("multi")
    assert "in the language of the caller's last sentence" in plan.instructions
    assert all(max(sentence) >= "\u0900" for sentence in (plan.still_there, plan.apology, plan.goodbye))


def test_a_hindi_agent_stays_with_hindi_to_its_last_sentence():
    scene = perform([], session_plan=plan_of("hi"))
    assert scene.reason is EndReason.SILENCE
    latin = [text for _, text in scene.dialogue if any("a" <= letter.lower() <= "z" for letter in text)]
    assert not latin
