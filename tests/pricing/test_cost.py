"""What a use costs. The first table is the three calculators of the integration guide; then the models that live today."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.usage import Unit, UsageKind, UsageRecord
from pricing.cost import Priced, Unpriced, cost
from pricing.price_list import price_list

LLM, STT, TTS, FILE = UsageKind.LLM, UsageKind.STT, UsageKind.TTS, UsageKind.TRANSCRIPTION
INPUT, CACHED, OUTPUT, AUDIO, CHARACTERS = (
    Unit.INPUT_TOKENS,
    Unit.CACHED_INPUT_TOKENS,
    Unit.OUTPUT_TOKENS,
    Unit.AUDIO_MS,
    Unit.CHARACTERS,
)


def used(kind: UsageKind, provider: str, model: str, unit: Unit, quantity: int) -> UsageRecord:
    return UsageRecord(kind, provider, model, unit, quantity, "request-1")


THE_GUIDE = [
    # calculateCost(model, inputTokens, outputTokens), per 1,000 tokens
    (LLM, "openai", "gpt-4", INPUT, 1000, "0.03"),
    (LLM, "openai", "gpt-4", OUTPUT, 1000, "0.06"),
    (LLM, "openai", "gpt-4-turbo", INPUT, 1000, "0.01"),
    (LLM, "openai", "gpt-4-turbo", OUTPUT, 500, "0.015"),
    (LLM, "openai", "gpt-3.5-turbo", INPUT, 1000, "0.0005"),
    (LLM, "openai", "gpt-3.5-turbo", OUTPUT, 1, "0.0000015"),
    # calculateCost(durationSeconds): 0.0043 per minute
    (FILE, "deepgram", "nova-2", AUDIO, 60_000, "0.0043"),
    (STT, "deepgram", "nova-2", AUDIO, 90_000, "0.00645"),
    # calculateCost(provider, characters)
    (TTS, "openai", "tts-1", CHARACTERS, 1000, "0.015"),
    # The guide has 0.30 per 1,000,000 characters for ElevenLabs: a thousandfold too little. The real price counts.
    (TTS, "elevenlabs", "eleven_turbo_v2", CHARACTERS, 1000, "0.05"),
]

TODAY = [
    (LLM, "openai", "gpt-6-luna", INPUT, 1_000_000, "0.10"),
    (LLM, "openai", "gpt-6-luna", CACHED, 1_000_000, "0.01"),
    (LLM, "openai", "gpt-6-luna", CACHED, 1, "0.00000001"),
    (LLM, "openai", "gpt-6-luna", OUTPUT, 1_000_000, "0.50"),
    (LLM, "openai", "gpt-6.1-sol", CACHED, 1_000_000, "0.10"),
    (STT, "deepgram", "nova-3", AUDIO, 60_000, "0.0048"),
    (FILE, "deepgram", "nova-3", AUDIO, 60_000, "0.0043"),
    (STT, "deepgram", "nova-3", AUDIO, 1, "0.00000008"),
    (STT, "deepgram", "flux-general-multi", AUDIO, 60_000, "0.0078"),
    (TTS, "elevenlabs", "eleven_flash_v2_5", CHARACTERS, 642, "0.0321"),
    (TTS, "elevenlabs", "eleven_v3", CHARACTERS, 1000, "0.10"),
]


@pytest.mark.parametrize(("kind", "provider", "model", "unit", "quantity", "amount"), THE_GUIDE + TODAY)
def test_a_use_costs_its_quantity_times_its_price(kind, provider, model, unit, quantity, amount):
    found = cost(used(kind, provider, model, unit, quantity))
    assert isinstance(found, Priced)
    assert found.money.amount == Decimal(amount)
    assert found.money.currency == "USD"
    assert found.price.source
    assert found.price.read_on.year >= 2026


@pytest.mark.parametrize(
    ("kind", "provider", "model", "unit"),
    [
        (LLM, "openai", "gpt-9-unheard-of", INPUT),
        (LLM, "openai", "gpt-4", CACHED),
        (LLM, "somebody-else", "gpt-4", INPUT),
        (TTS, "elevenlabs", "a-new-voice-model", CHARACTERS),
        (TTS, "openai", "gpt-4o-mini-tts", CHARACTERS),
        (LLM, "deepgram", "nova-3", AUDIO),
    ],
)
def test_what_has_no_price_is_unpriced_and_never_takes_another_models_price(kind, provider, model, unit):
    found = cost(used(kind, provider, model, unit, 1_000_000))
    assert isinstance(found, Unpriced)
    assert model in found.reason
    assert "prices.toml" in found.reason


@pytest.mark.parametrize(
    ("kind", "language", "amount"),
    [(STT, "multi", "0.0058"), (FILE, "multi", "0.0052"), (STT, "hi", "0.0048"), (STT, "en-IN", "0.0048")],
)
def test_several_languages_at_once_cost_more_where_the_provider_says_so(kind, language, amount):
    found = cost(used(kind, "deepgram", "nova-3", AUDIO, 60_000), language=language)
    assert isinstance(found, Priced)
    assert found.money.amount == Decimal(amount)


def test_nothing_used_of_something_priced_costs_nothing():
    found = cost(used(TTS, "elevenlabs", "eleven_flash_v2_5", CHARACTERS, 0))
    assert isinstance(found, Priced)
    assert found.money.amount == 0


def test_a_negative_quantity_is_a_bug():
    with pytest.raises(ValueError, match="-1 characters"):
        cost(used(TTS, "elevenlabs", "eleven_flash_v2_5", CHARACTERS, -1))


def test_every_model_that_thinks_has_prices_for_what_it_reads_and_writes():
    models = {price.model for price in price_list() if price.kind == LLM}
    for model in models:
        units = {price.unit for price in price_list() if price.model == model}
        assert {INPUT, OUTPUT} <= units, model


@given(quantity=st.integers(0, 10**12), more=st.integers(0, 10**9))
def test_costs_are_exact_and_grow_with_the_quantity(quantity, more):
    little = cost(used(LLM, "openai", "gpt-6-luna", INPUT, quantity))
    much = cost(used(LLM, "openai", "gpt-6-luna", INPUT, quantity + more))
    assert isinstance(little, Priced)
    assert isinstance(much, Priced)
    assert little.money.amount == Decimal(quantity) / 10_000_000
    assert much.money.amount >= little.money.amount
