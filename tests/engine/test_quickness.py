"""How soon the caller hears something: a promise in ms for each way in which an answer can come early."""

from engine.events import AgentTurnEnded, AgentTurnStarted, UsageRecorded
from engine.tuning import Tuning
from tests.engine.carrier import HangsUp, Says
from tests.engine.stage import APOLOGY, GREETING, perform, plan
from tests.engine.vendors import Memory, Thought, Voice

ASKS = [Says(4000, "what does it cost?"), HangsUp(12_000)]
ENDPOINTING_MS, LLM_MS, TTS_MS = 300, 400, 200


def asked(*, speculate):
    return perform(
        ASKS,
        thoughts=[Thought("It costs five hundred.", first_ms=LLM_MS)],
        voice=Voice(first_ms=TTS_MS),
        session_plan=plan(tuning=Tuning(speculate=speculate, eager_stable_ms=100)),
        prepared=Memory(GREETING),
    )


def test_the_first_words_are_heard_at_once_even_with_every_provider_down():
    scene = perform([HangsUp(5000)], voice=Voice(always_fails="stall"), prepared=Memory(GREETING, APOLOGY))
    assert scene.of(AgentTurnStarted)[0].at_ms == 0
    assert scene.dialogue[0] == ("agent", GREETING)


def test_an_answer_begun_ahead_is_heard_sooner_than_the_plain_sum_of_its_parts():
    ahead, plain = (asked(speculate=speculate).of(AgentTurnStarted)[1].latency for speculate in (True, False))
    assert plain.total_ms >= ENDPOINTING_MS + LLM_MS + TTS_MS
    assert ahead.total_ms < ENDPOINTING_MS + LLM_MS + TTS_MS
    assert ahead.total_ms == plain.total_ms - 180  # the final came 180 ms after our own ear knew that the line was quiet


def test_answering_ahead_says_and_costs_the_same_where_the_guess_was_right():
    ahead, plain = asked(speculate=True), asked(speculate=False)
    assert ahead.dialogue == plain.dialogue
    assert bytes(ahead.line.played) == bytes(plain.line.played)
    wanted = [event.record.quantity for event in plain.of(UsageRecorded) if event.record.kind != "stt"]
    kept = [event.record.quantity for event in ahead.of(UsageRecorded) if event.record.kind != "stt" and not event.record.purpose]
    assert kept == wanted


def test_a_long_first_sentence_is_spoken_from_its_first_clause_on():
    long = "Thank you for asking about this, the whole visit with the doctor costs five hundred rupees at our clinic in Pune."
    scene = perform(ASKS, thoughts=[Thought(long, gap_ms=100)], session_plan=plan(tuning=Tuning(speculate=False)))
    latency = scene.of(AgentTurnStarted)[1].latency
    assert latency.total_ms < 300 + 200 + 7 * 100 + 150 + 200
    assert scene.of(AgentTurnEnded)[1].heard == long
