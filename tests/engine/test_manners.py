"""The small decisions of good manners, each as a table: numbers, echo, farewells, machines, keys, false starts, silence, guesses."""

import asyncio
import math

import pytest

from engine.audio import AudioChunk, silence
from engine.barge_in import Verdict
from engine.dictation import expected_digits, is_dictating, trailing_digits
from engine.digits import DigitCollection, DigitEntry, DigitRules
from engine.echo import could_be_echo, is_echo
from engine.farewell import is_farewell
from engine.interruption import Interruption, Order
from engine.keypad import Keypad
from engine.ports import EagerEndOfTurn, FinalTranscript, InterimTranscript, SpeechStarted, TurnResumed
from engine.silence import SilenceLadder
from engine.speculation import Speculation
from engine.tone import ToneDetector
from engine.tuning import Tuning
from engine.voicemail import is_announcement
from tests.engine.virtual_loop import play

TUNING = Tuning()


@pytest.mark.parametrize(
    ("text", "asked", "dictating"),
    [
        ("my number is", "", True),
        ("mera number hai", "", True),
        ("the OTP is", "", True),
        ("my mobile number is 98765", "", True),
        ("my mobile number is 98765 43210", "", False),
        ("nine eight seven", "", True),
        ("nine eight double seven six five four three two one", "", False),
        ("nau aath saat", "", True),
        ("नौ आठ सात", "", True),
        ("98765", "What is your phone number?", True),
        ("9876543210", "What is your phone number?", False),
        ("560", "Your pin code, please?", True),
        ("560 001", "Your pin code, please?", False),
        ("for 2", "", False),
        ("table for two", "", False),
        ("at 5", "When shall we come?", False),
        ("in 2024", "", False),
        ("yes please", "", False),
    ],
)
def test_whether_a_number_is_being_dictated(text, asked, dictating):
    assert is_dictating(text, asked) is dictating


def test_digits_are_counted_in_figures_and_words():
    assert trailing_digits("it is 98 7 double six") == (5, 4)
    assert trailing_digits("no number here") == (0, 0)
    assert expected_digits("आपका मोबाइल नंबर क्या है?") == 10
    assert expected_digits("How are you?") is None


@pytest.mark.parametrize(
    ("heard", "echo", "perhaps"),
    [
        ("is open from nine to five", True, False),
        ("is opened from nine to five", True, False),
        ("open from", False, True),
        ("when does it open", False, False),
        ("and on sunday", False, False),
        ("", False, False),
    ],
)
def test_whether_we_hear_ourselves(heard, echo, perhaps):
    saying = "The clinic is open from nine to five on weekdays."
    assert is_echo(heard, saying, 0.75) is echo
    assert could_be_echo(heard, saying, 0.75) is perhaps
    assert not is_echo(heard, "", 0.75)
    assert not is_echo(heard, saying, 0)


@pytest.mark.parametrize(
    ("sentence", "leaves"),
    [
        ("Goodbye!", True),
        ("Thank you for calling, have a nice day.", True),
        ("See you tomorrow at five, Mister Kumar.", True),
        ("ठीक है, अलविदा।", True),
        ("Phir milenge!", True),
        ("Namaste, this is Asha.", False),
        ("Shall I say goodbye to her?", False),
        ("Take the train.", False),
    ],
)
def test_whether_a_sentence_takes_leave(sentence, leaves):
    assert is_farewell(sentence) is leaves


@pytest.mark.parametrize(
    ("text", "machine"),
    [
        ("please leave a message after the tone", True),
        ("the person you are calling is not answering please try later", True),
        ("the number you have dialed is switched off", True),
        ("hi this is Ravi I can't come to the phone", True),
        ("kripya beep ke baad apna sandesh record karein", True),
        ("कृपया बीप के बाद अपना संदेश रिकॉर्ड करें", True),
        ("you have reached the voice mail of Ravi", True),
        ("he is out would you like to leave a message?", False),
        ("hello", False),
        ("haan boliye kaun bol raha hai", False),
        ("I got your message yesterday", False),
    ],
)
def test_whether_a_machine_speaks(text, machine):
    assert is_announcement(text) is machine


def sound(*pitches_hz, ms=400, amplitude=5000):
    def level(index):
        return int(sum(amplitude / len(pitches_hz) * math.sin(2 * math.pi * pitch * index / 8000) for pitch in pitches_hz))

    pcm = b"".join(level(index).to_bytes(2, "little", signed=True) for index in range(ms * 8))
    return [pcm[at : at + 320] for at in range(0, len(pcm), 320)]


@pytest.mark.parametrize(
    ("frames", "tones"),
    [
        (sound(1000), 1),
        (sound(1400), 1),
        (sound(1000, ms=2000), 1),
        (sound(1000) + [silence(20, 8000)] * 20 + sound(1000), 2),
        (sound(1000, ms=120), 0),
        (sound(941, 1336), 0),
        (sound(400), 0),
        (sound(1000, amplitude=100), 0),
        ([frame for pitch in range(700, 2100, 80) for frame in sound(pitch, ms=40)], 0),
        ([silence(20, 8000)] * 50, 0),
    ],
    ids=["1000 Hz", "1400 Hz", "long", "two", "too short", "a key", "ringing", "faint", "a siren", "silence"],
)
def test_what_is_a_machines_tone(frames, tones):
    detector = ToneDetector()
    assert sum(detector.feed(AudioChunk(frame, 8000)) for frame in frames) == tones


def test_a_tone_is_heard_however_the_carrier_cuts_its_audio():
    pcm = b"".join(sound(1000))
    detector = ToneDetector()
    assert sum(detector.feed(AudioChunk(pcm[at : at + 1600], 8000)) for at in range(0, len(pcm), 1600)) == 1


@pytest.mark.parametrize(
    ("rules", "keys", "entry"),
    [
        (DigitRules(), "12#", DigitEntry("12", "terminator")),
        (DigitRules(length=4), "1234", DigitEntry("1234", "length")),
        (DigitRules(length=4), "12#", DigitEntry("12", "terminator")),
        (DigitRules(terminator=""), "1#2", None),
        (DigitRules(terminator="*"), "5?6*", DigitEntry("56", "terminator")),
    ],
)
def test_when_an_entry_of_keys_is_complete(rules, keys, entry):
    collection = DigitCollection(rules)
    given = [collection.press(key) for key in keys]
    assert given[-1] == entry
    assert not any(given[:-1])


def test_an_entry_never_shows_its_keys():
    entry = DigitEntry("7391", "length")
    assert "7391" not in repr(entry)
    assert entry.masked == "••••"


@pytest.mark.parametrize("wrong", [{"terminator": "x"}, {"terminator": "##"}, {"length": -1}, {"first_timeout_ms": 0}])
def test_rules_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValueError, match=r"terminator|collection"):
        DigitRules(**wrong)


def test_a_collection_ends_with_its_patience_and_hands_the_keys_back():
    async def scene():
        keypad = Keypad()
        assert not keypad.keys.press("1", 0)
        nothing = await keypad.collect(DigitRules(first_timeout_ms=3000))
        collecting = asyncio.create_task(keypad.collect(DigitRules(between_timeout_ms=2000)))
        await asyncio.sleep(0.01)
        assert keypad.keys.press("1", 5000)
        with pytest.raises(RuntimeError, match="already"):
            await keypad.collect(DigitRules())
        some = await collecting
        assert not keypad.is_collecting
        return nothing, some

    assert play(scene()) == (DigitEntry("", "nothing"), DigitEntry("1", "timeout"))


def test_a_sound_must_last_where_that_is_asked_for():
    interruption = Interruption(Tuning(min_speech_ms=300))
    assert interruption.hear(Verdict.SOUND, SpeechStarted(1000), 1100) is Order.GO_ON
    assert interruption.due_ms == 1300
    assert interruption.look(1299) is Order.GO_ON
    assert interruption.look(1300) is Order.PAUSE


def test_a_sound_that_was_a_haan_pauses_nobody_where_speech_must_last():
    interruption = Interruption(Tuning(min_speech_ms=300))
    interruption.hear(Verdict.SOUND, SpeechStarted(1000), 1100)
    assert interruption.hear(Verdict.ACKNOWLEDGEMENT, InterimTranscript("haan"), 1200) is Order.GO_ON
    assert interruption.due_ms is None


def test_a_pause_has_an_end_though_sounds_go_on():
    interruption = Interruption(TUNING)
    assert interruption.hear(Verdict.SOUND, SpeechStarted(1000), 1000) is Order.PAUSE
    resumed_ms = []
    for now_ms in range(1200, 4000, 200):
        interruption.hear(Verdict.SOUND, SpeechStarted(now_ms), now_ms)
        if interruption.look(now_ms) is Order.RESUME:
            resumed_ms.append(now_ms)
            break
    assert resumed_ms[0] <= 1000 + 2 * TUNING.false_start_ms + 200


@pytest.mark.parametrize(
    ("verdict", "event", "order"),
    [
        (Verdict.INTERRUPTION, InterimTranscript("what about"), Order.STOP),
        (Verdict.ACKNOWLEDGEMENT, InterimTranscript("haan"), Order.GO_ON),
        (Verdict.ACKNOWLEDGEMENT, FinalTranscript("haan", True, 1500), Order.RESUME),
        (Verdict.ECHO, InterimTranscript("the clinic is open"), Order.RESUME),
        (Verdict.FEW_WORDS, InterimTranscript("what"), Order.GO_ON),
        (Verdict.NOTHING, FinalTranscript("", True, 1500), Order.RESUME),
        (Verdict.NOTHING, FinalTranscript("", False, 1500), Order.GO_ON),
    ],
)
def test_what_a_pause_comes_to(verdict, event, order):
    interruption = Interruption(TUNING)
    interruption.hear(Verdict.SOUND, SpeechStarted(1000), 1000)
    assert interruption.hear(verdict, event, 1600) is order


def test_the_ladder_of_silence():
    ladder = SilenceLadder(5000, TUNING)
    ladder.begin(1000)
    assert ladder.due_ms == 6000
    ladder.sound(5500)
    assert ladder.due_ms == 5500 + TUNING.words_follow_ms
    assert [ladder.ask() for _ in range(3)] == [True, True, False]
    ladder.life(9000)
    assert ladder.ask()


def test_after_a_farewell_the_silence_is_short_until_somebody_speaks():
    ladder = SilenceLadder(8000, TUNING)
    ladder.begin(1000, after_farewell=True)
    assert (ladder.is_over, ladder.due_ms) == (True, 1000 + TUNING.farewell_wait_ms)
    ladder.life(2000)
    assert (ladder.is_over, ladder.due_ms) == (False, 10_000)


@pytest.mark.parametrize(
    ("event", "text", "due_ms"),
    [
        (InterimTranscript("I want tea."), "I want tea.", 1000 + TUNING.eager_stable_ms),
        (InterimTranscript("I want tea"), "I want tea", 1000 + TUNING.eager_stable_ms + 250),
        (InterimTranscript("I want tea and"), "I want tea and", None),
        (InterimTranscript("my number is 98765"), "my number is 98765", None),
        (EagerEndOfTurn("I want tea"), "I want tea", 1000),
        (EagerEndOfTurn("I want"), "I want and", None),
        (SpeechStarted(0), "", None),
    ],
)
def test_when_an_answer_is_begun_ahead(event, text, due_ms):
    ahead = Speculation(TUNING)
    ahead.hear(event, text, "", 1000)
    assert ahead.due_ms == due_ms


def test_a_prepared_answer_is_kept_for_the_same_words_only_and_guesses_are_few():
    ahead = Speculation(TUNING)
    ahead.hear(EagerEndOfTurn("I want tea"), "I want tea", "", 1000)
    ahead.prepare(7, "I want tea")
    assert ahead.hear(FinalTranscript("I want tea.", True, 1), "I want tea.", "", 1200) is None
    assert ahead.hear(TurnResumed(), "I want tea.", "", 1300) == 7
    ahead.hear(EagerEndOfTurn("tea please"), "tea please", "", 1400)
    assert ahead.is_due(1400)
    ahead.prepare(8, "tea please")
    assert ahead.hear(EagerEndOfTurn("tea for two"), "tea for two", "", 1500) == 8
    assert not ahead.is_due(1500)  # two wrong guesses are enough for one turn
    assert ahead.take() is None


def test_nothing_is_begun_ahead_where_that_is_switched_off():
    ahead = Speculation(Tuning(speculate=False))
    ahead.hear(EagerEndOfTurn("tea please"), "tea please", "", 1000)
    assert ahead.due_ms is None
