"""Complaint 16: a person is taken for a machine and hung up on, or a machine is talked to for a minute."""

import pytest

from engine.events import EndReason
from engine.tuning import Tuning
from tests.engine.carrier import Beeps, HangsUp, Says
from tests.engine.stage import perform, plan
from tests.engine.vendors import Thought

GREETING, MESSAGE = "Hello, is that Mister Rao?", "This is Sunrise Clinic. Please call us back."
ENGLISH = "the person you are calling is not answering please leave a message after the tone"
HINDI = "आप जिस व्यक्ति से संपर्क करना चाहते हैं वह अभी बात नहीं कर सकते कृपया बीप के बाद संदेश छोड़ें"


def dialled(script, voicemail="leave-message"):
    wishes = plan(first_message=GREETING, outbound=True, voicemail_message=MESSAGE, tuning=Tuning(voicemail=voicemail))
    return perform(script, thoughts=[Thought("It is about your visit on Friday.")], session_plan=wishes)


@pytest.mark.parametrize("announcement", [ENGLISH, HINDI], ids=["English", "Hindi"])
@pytest.mark.parametrize("beeps", [True, False], ids=["a tone", "no tone"])
def test_a_machine_is_told_the_message_after_its_announcement_and_let_go(announcement, beeps):
    says = Says(600, announcement)
    tone = [Beeps(says.until_ms + 700, says.until_ms + 1200)] if beeps else []
    scene = dialled([says, *tone])
    assert scene.reason is EndReason.VOICEMAIL_DETECTED
    assert scene.dialogue[-1] == ("agent", MESSAGE)
    spoken_ms = scene.ms(scene.voice.asked_at_s[-1])
    assert spoken_ms > (tone[0].at_ms if tone else says.until_ms), "not over the announcement"
    assert len(scene.mind.asked) == 0, "no model talked to a machine"


def test_where_no_message_is_to_be_left_the_line_is_closed_as_soon_as_it_is_known():
    scene = dialled([Says(600, ENGLISH)], voicemail="hang-up")
    assert scene.reason is EndReason.VOICEMAIL_DETECTED
    assert scene.ended_ms < Says(600, ENGLISH).until_ms + 1000


@pytest.mark.parametrize(
    "words", ["he is not here would you like to leave a message?", "hello who is calling", "haan boliye", "I got your message yesterday"]
)
def test_a_person_is_talked_to(words):
    scene = dialled([Says(3000, words), HangsUp(12_000)])
    assert scene.reason is EndReason.CALLER_HANGUP
    assert ("agent", "It is about your visit on Friday.") in scene.dialogue


def test_an_announcement_read_out_in_the_middle_of_a_talk_is_no_machine():
    """Only the beginning of a call is judged."""
    scene = dialled([Says(3000, "yes speaking"), Says(26_000, "your mail says leave a message after the tone"), HangsUp(34_000)])
    assert scene.reason is EndReason.CALLER_HANGUP
