"""One port made of several: who works, who is left alone, and from when on nobody else may take over."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from engine.errors import ErrorCategory, ProviderError
from engine.ports import LanguageModel, Message, ReplyFinished, SpeechToText, Switching, TextDelta, TextToSpeech
from providers.breakers import PROCESS_HEALTH, Health
from providers.config import LanguageModelOptions, OpenAIConfig, SpeechToTextOptions, Voice
from providers.deepgram.live import DeepgramSpeechToText
from providers.elevenlabs.tts import ElevenLabsTextToSpeech
from providers.fallback import FallbackLanguageModel, FallbackSpeechToText, FallbackTextToSpeech
from providers.openai.llm import OpenAILanguageModel
from providers.openai.tts import OpenAITextToSpeech
from tests.providers.vendors import (
    HURRIED,
    KEY,
    NOWHERE,
    PATIENT,
    deepgram_config,
    elevenlabs_config,
    expect_key,
    failure,
    no_task_left,
    openai_config,
    order,
    spoken,
)
from tests.simulator.serving import Served, settled

TEXT = "Please hold the line."
ASKED = (Message("user", "hello"),)


def voices(server: Served, *, elevenlabs_rate_hz: int = 24_000) -> list[TextToSpeech]:
    eleven = Voice("elevenlabs", "simulatedVoiceAgent1", "eleven_flash_v2_5", sample_rate_hz=elevenlabs_rate_hz)
    return [
        ElevenLabsTextToSpeech(elevenlabs_config(server), eleven, PATIENT),
        OpenAITextToSpeech(openai_config(server), Voice("openai", "marin", "tts-1"), PATIENT),
    ]


def models(server: Served, *names: str, hurried: bool = False) -> list[LanguageModel]:
    return [
        OpenAILanguageModel(openai_config(server), LanguageModelOptions("openai", name), HURRIED if hurried else PATIENT) for name in names
    ]


async def words_of(port: LanguageModel) -> str:
    async with port.reply(ASKED, ()) as events:
        return "".join([event.text async for event in events if isinstance(event, TextDelta)])


def thinkers(server: Served) -> list[str]:
    return [request.facts["request"]["model"] for request in server.state.seen]


def seen(server: Served) -> list[str]:
    return [request.target for request in server.state.seen]


async def test_the_first_provider_works_as_long_as_it_is_well(vendors: Served) -> None:
    port = FallbackTextToSpeech(voices(vendors))
    for _ in range(2):
        await spoken(port, TEXT)
    assert seen(vendors) == ["elevenlabs.speech"] * 2
    assert {record.provider for record in port.usage(TEXT)} == {"elevenlabs"}


async def test_the_next_one_speaks_the_whole_text_and_is_the_one_that_is_charged(vendors: Served) -> None:
    order(vendors, "elevenlabs.speech", "status", status=500)
    port = FallbackTextToSpeech(voices(vendors))
    pcm = await spoken(port, TEXT)
    assert (await vendors.state.speech.recognise(pcm, 24_000)).text == TEXT
    assert [(record.provider, record.model) for record in port.usage(TEXT)] == [("openai", "tts-1")]


async def test_a_stand_in_with_another_sample_rate_is_heard_at_the_first_ones(vendors: Served) -> None:
    order(vendors, "elevenlabs.speech", "status", status=500)
    port = FallbackTextToSpeech(voices(vendors, elevenlabs_rate_hz=8_000))
    async with port.speak(TEXT) as chunks:
        heard = [chunk async for chunk in chunks]
    assert {chunk.sample_rate_hz for chunk in heard} == {port.sample_rate_hz} == {8_000}
    assert (await vendors.state.speech.recognise(b"".join(chunk.pcm for chunk in heard), 8_000)).text == TEXT


async def test_a_slow_provider_is_left_for_a_fast_one_and_its_request_closed(vendors: Served) -> None:
    order(vendors, "elevenlabs.speech", "hang")
    eleven = Voice("elevenlabs", "simulatedVoiceAgent1", "eleven_flash_v2_5", sample_rate_hz=24_000)
    hurried = ElevenLabsTextToSpeech(elevenlabs_config(vendors), eleven, HURRIED)
    async with no_task_left():
        await spoken(FallbackTextToSpeech([hurried, voices(vendors)[1]]), TEXT)
    assert settled(vendors, "elevenlabs.speech")


async def test_a_provider_that_failed_in_a_session_is_not_the_first_choice_of_its_next_sentence(vendors: Served) -> None:
    order(vendors, "elevenlabs.speech", "status", status=500, times=1)
    port = FallbackTextToSpeech(voices(vendors))
    assert isinstance(port, Switching)
    for _ in range(2):
        await spoken(port, TEXT)
    assert seen(vendors) == ["openai.speech"] * 2
    assert port.switches == 1


async def test_three_failures_in_the_process_and_new_sessions_no_longer_ask_there_until_one_probes(vendors: Served) -> None:
    now = 0.0
    health = Health(rest_ms=60_000, clock=lambda: now)
    order(vendors, "elevenlabs.speech", "status", status=500)
    for _ in range(5):
        await spoken(FallbackTextToSpeech(voices(vendors), health), TEXT)
    assert vendors.state.faults.taken["elevenlabs.speech status"] == 3

    now = 60.0
    for _ in range(3):
        await spoken(FallbackTextToSpeech(voices(vendors), health), TEXT)
    assert vendors.state.faults.taken["elevenlabs.speech status"] == 4

    now, asked = 120.0, len(seen(vendors))
    vendors.state.faults.clear()
    for _ in range(2):
        await spoken(FallbackTextToSpeech(voices(vendors), health), TEXT)
    assert seen(vendors)[asked:] == ["elevenlabs.speech"] * 2


async def test_the_health_is_the_processes_unless_another_is_given(vendors: Served) -> None:
    order(vendors, "elevenlabs.speech", "status", status=401)
    await spoken(FallbackTextToSpeech(voices(vendors)), TEXT)
    await spoken(FallbackTextToSpeech(voices(vendors)), TEXT)
    assert PROCESS_HEALTH.resting == (("elevenlabs", "eleven_flash_v2_5"),)
    assert vendors.state.faults.taken["elevenlabs.speech status"] == 1


async def test_a_resting_provider_is_still_better_than_none(vendors: Served) -> None:
    health = Health(rest_ms=60_000)
    for port in voices(vendors):
        health.failed((port.provider, port.model), ProviderError(port.provider, ErrorCategory.QUOTA, "no credit", retryable=False))
    await spoken(FallbackTextToSpeech(voices(vendors), health), TEXT)
    assert seen(vendors) == ["elevenlabs.speech"]


async def test_nobody_takes_over_in_the_middle_of_a_sentence(vendors: Served) -> None:
    order(vendors, "elevenlabs.speech", "drop", after=3_000)
    error = await failure(lambda: spoken(FallbackTextToSpeech(voices(vendors)), TEXT))
    assert (error.provider, error.category) == ("elevenlabs", ErrorCategory.TRUNCATED)
    assert seen(vendors) == ["elevenlabs.speech"]


async def test_when_all_fail_the_last_failure_is_told(vendors: Served) -> None:
    order(vendors, "elevenlabs.speech", "status", status=500)
    order(vendors, "openai.speech", "status", status=429)
    error = await failure(lambda: spoken(FallbackTextToSpeech(voices(vendors)), TEXT))
    assert (error.provider, error.category) == ("openai", ErrorCategory.RATE_LIMITED)


def test_a_chain_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one provider"):
        FallbackTextToSpeech([])


async def test_a_language_model_that_is_down_is_replaced_before_its_first_word(vendors: Served) -> None:
    options = LanguageModelOptions("openai", "gpt-6-luna")
    down = OpenAILanguageModel(OpenAIConfig(KEY, f"{NOWHERE}/v1"), replace(options, model="down"), PATIENT)
    chain: Sequence[LanguageModel] = [down, OpenAILanguageModel(openai_config(vendors), options, PATIENT)]
    async with FallbackLanguageModel(chain).reply(ASKED, ()) as events:
        heard = [event async for event in events]
    assert "".join(event.text for event in heard if isinstance(event, TextDelta)) == "Hello. What can I do for you?"
    end = heard[-1]
    assert isinstance(end, ReplyFinished)
    assert {record.model for record in end.usage} == {"gpt-6-luna"}


async def test_a_language_model_lost_before_anything_could_be_said_is_replaced_with_nothing_said_twice(vendors: Served) -> None:
    order(vendors, "openai.chat", "drop", after=2, times=1)
    chain = FallbackLanguageModel(models(vendors, "gpt-6-luna", "gpt-6-sol"))
    assert await words_of(chain) == "Hello. What can I do for you?"
    assert thinkers(vendors) == ["gpt-6-luna", "gpt-6-sol"]
    assert chain.switches == 1


async def test_a_language_model_lost_after_its_first_sentence_is_a_failure_and_the_next_reply_goes_elsewhere(vendors: Served) -> None:
    order(vendors, "openai.chat", "drop", after=6, times=1)
    chain = FallbackLanguageModel(models(vendors, "gpt-6-luna", "gpt-6-sol"))
    error = await failure(lambda: words_of(chain))
    assert error.category == ErrorCategory.TRUNCATED
    assert thinkers(vendors) == ["gpt-6-luna"]
    await words_of(chain)
    assert thinkers(vendors) == ["gpt-6-luna", "gpt-6-sol"]


async def test_a_model_that_is_open_but_slow_is_left_for_one_that_answers(vendors: Served) -> None:
    order(vendors, "openai.chat", "hang", times=1)
    chain = FallbackLanguageModel(models(vendors, "gpt-6-luna", "gpt-6-sol"), patience_ms=300)
    async with no_task_left():
        assert await words_of(chain) == "Hello. What can I do for you?"
    assert settled(vendors, "openai.chat")


async def test_the_last_of_a_chain_has_its_own_deadlines(vendors: Served) -> None:
    vendors.state.change_settings({"llm_first_token_ms": 150})
    assert await words_of(FallbackLanguageModel(models(vendors, "gpt-6-luna"), patience_ms=1)) == "Hello. What can I do for you?"


async def test_a_recogniser_that_is_lost_is_not_the_first_choice_of_the_next_stream(vendors: Served) -> None:
    first, second = (
        DeepgramSpeechToText(deepgram_config(vendors), SpeechToTextOptions("deepgram", model), PATIENT) for model in ("nova-3", "nova-2")
    )
    ports: Sequence[SpeechToText] = [first, second]
    chain = FallbackSpeechToText(ports)
    lost = ProviderError("deepgram", ErrorCategory.CONNECTION, "lost", retryable=True)
    with pytest.raises(ProviderError):
        async with chain.stream(8_000):
            raise lost
    async with chain.stream(8_000):
        pass
    assert [dict(request.facts["query"])["model"] for request in vendors.state.seen] == ["nova-3", "nova-2"]


def ears(server: Served, *keys: str) -> list[SpeechToText]:
    models = ("nova-3", "nova-2")
    return [
        DeepgramSpeechToText(deepgram_config(server, key), SpeechToTextOptions("deepgram", model), PATIENT)
        for model, key in zip(models, keys, strict=False)
    ]


async def test_a_recogniser_that_refuses_us_is_replaced_before_anything_is_heard(vendors: Served) -> None:
    expect_key(vendors)
    async with FallbackSpeechToText(ears(vendors, "wrong", KEY)).stream(8_000):
        pass
    assert dict(vendors.state.seen[-1].facts["query"])["model"] == "nova-2"


async def test_a_recogniser_that_turns_hopeless_in_mid_call_is_worth_another_try_while_there_is_a_stand_in(vendors: Served) -> None:
    chain = FallbackSpeechToText(ears(vendors, KEY, KEY))
    worth_it = []
    for _ in range(2):
        error = await failure(lambda: _lost(chain))
        worth_it.append(error.retryable)
    assert worth_it == [True, False]


async def _lost(chain: FallbackSpeechToText) -> None:
    async with chain.stream(8_000):
        raise ProviderError("deepgram", ErrorCategory.BAD_REQUEST, "refused what we sent (closed with 1008)", retryable=False)


async def test_when_one_refuses_and_another_is_only_away_the_chain_is_worth_another_try(vendors: Served) -> None:
    expect_key(vendors)
    away = DeepgramSpeechToText(replace(deepgram_config(vendors), base_url=NOWHERE), SpeechToTextOptions("deepgram", "nova-3"), PATIENT)
    refusing = ears(vendors, "wrong")
    for ports in ([away, *refusing], [*refusing, away]):
        assert (await failure(partial(_lost, FallbackSpeechToText(ports)))).retryable


async def test_warming_a_chain_warms_everyone_and_tells_of_a_failure(vendors: Served) -> None:
    expect_key(vendors)
    await FallbackTextToSpeech(voices(vendors)).warm()
    wrong = OpenAITextToSpeech(openai_config(vendors, "wrong"), Voice("openai", "marin", "tts-1"), PATIENT)
    error = await failure(FallbackTextToSpeech([voices(vendors)[0], wrong]).warm)
    assert (error.provider, error.category) == ("openai", ErrorCategory.AUTHENTICATION)
