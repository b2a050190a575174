"""The media process around its calls."""

import gc

from engine.errors import ErrorCategory, ProviderError
from providers.breakers import Health
from telephony import process


def test_what_start_up_made_is_never_searched_for_garbage_again():
    thresholds = gc.get_threshold()
    kept = [{"number": number} for number in range(1_000)]
    try:
        process.settle_memory()
        watched = {id(each) for each in gc.get_objects()}
        assert not any(id(each) in watched for each in kept)
        assert gc.get_freeze_count() >= len(kept)
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def test_how_each_provider_is_can_be_scraped():
    health = Health()
    health.tried(("deepgram", "nova-3"))
    for _ in range(3):
        health.failed(("openai", 'gpt "x" 6'), ProviderError("openai", ErrorCategory.SERVER, "down", retryable=True))
    told = process.provider_metrics(health.conditions)
    values = dict(line.split(" ") for line in told.splitlines() if not line.startswith("#"))
    assert values['voiceagents_provider_resting{provider="deepgram",model="nova-3"}'] == "0"
    assert values['voiceagents_provider_resting{provider="openai",model="gpt__x__6"}'] == "1"
    assert values['voiceagents_provider_failures_total{provider="openai",model="gpt__x__6"}'] == "3"
    assert told.count("# TYPE voiceagents_provider_resting gauge\n") == 1
    assert process.provider_metrics(()) == ""
