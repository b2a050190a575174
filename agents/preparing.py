"""Speaks the sentences of published agents beforehand. Repeatable: a sentence is paid for once, whoever and however often this runs."""

import asyncio
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import OuterRef, Subquery

from agents import assembly, catalogue, prepared, prepared_rows
from agents.models import Agent, AgentVersion
from agents.prepared_rows import PreparedSentence
from agents.spec import AgentSpec
from engine.errors import ProviderError
from engine.resample import Resampler
from providers import registry
from providers.connection import LoopClients
from providers.storage import ObjectStore

logger = structlog.get_logger()

MOST_IN_ONE_GO = 10
ONE_LIMIT_S = 30.0


def prepare(limit: int = MOST_IN_ONE_GO) -> int:
    """Makes what is missing, at most `limit` sentences; returns how many were made. One that fails does not hold up the others."""
    made = 0
    for spec, text, key in _missing():
        if made >= limit:
            break
        row = prepared_rows.claim(key, provider=spec.voice.provider, model=spec.voice.model, characters=len(prepared.spoken(spec, text)))
        if row is None:
            continue
        try:
            _make(spec, text, row)
            made += 1
        except (ProviderError, ImproperlyConfigured, TimeoutError) as error:
            reason = getattr(error, "message", "") or str(error) or f"The voice took longer than {ONE_LIMIT_S:.0f} s."
            prepared_rows.failed(row, reason)
            logger.warning("sentence_not_prepared", provider=row.provider, model=row.model, reason=reason[:300])
    if made:
        logger.info("sentences_prepared", made=made)
    return made


def _missing() -> Iterator[tuple[AgentSpec, str, str]]:
    """The sentences of the active agents' latest versions that have no finished row, first messages first."""
    latest = AgentVersion.objects.filter(agent=OuterRef("pk")).order_by("-number").values("pk")[:1]
    newest = Agent.objects.filter(active=True).annotate(version_id=Subquery(latest)).values("version_id")
    wanted: dict[str, tuple[int, AgentSpec, str]] = {}
    for version in AgentVersion.objects.filter(pk__in=newest).order_by("-pk"):
        spec = version.as_spec()
        for place, text in enumerate(prepared.sentences(spec)):
            wanted.setdefault(prepared.key_of(spec, text), (place, spec, text))
    finished = PreparedSentence.objects.filter(key__in=wanted, size_bytes__isnull=False)
    if settings.RECORDING_STORE.bucket:
        finished = finished.filter(in_storage=True)
    done = set(finished.values_list("key", flat=True))
    for key, (_place, spec, text) in sorted(wanted.items(), key=lambda item: item[1][0]):
        if key not in done:
            yield spec, text, key


def _make(spec: AgentSpec, text: str, row: PreparedSentence) -> None:
    # A row whose audio the store did not take comes here again: the cache may still have what was paid for.
    audio = prepared.recall(row.key) if row.is_ready else None
    if audio is None:
        audio = asyncio.run(speak(spec, prepared.spoken(spec, text)))
        prepared.keep(row.key, audio)
    is_stored = False
    if settings.RECORDING_STORE.bucket:
        try:
            _store(row.key, audio)
            is_stored = True
        except ProviderError as error:
            logger.warning("prepared_audio_not_stored", category=error.category.value)
    prepared_rows.made(row, size_bytes=len(audio), in_storage=is_stored)


async def speak(spec: AgentSpec, words: str) -> bytes:
    """PCM at the line's rate. Raises `ProviderError`, `NotReady` or TimeoutError."""
    # The vendor's plain way: what keeps connections warm for conversations has no use for one sentence.
    vendor = catalogue.vendor(spec.voice.provider)
    provider = vendor if vendor in registry.names("tts") else spec.voice.provider
    voice = assembly.own_voice(replace(spec, voice=replace(spec.voice, provider=provider)))
    resampler = Resampler(voice.sample_rate_hz, prepared.LINE_RATE_HZ)
    audio = b""
    try:
        async with asyncio.timeout(ONE_LIMIT_S), voice.speak(words) as chunks:
            async for chunk in chunks:
                audio += resampler.convert(chunk.pcm)
    finally:
        await LoopClients.close_everywhere()
    return (audio + resampler.flush())[: prepared.LONGEST_BYTES]


def _store(key: str, audio: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".pcm") as file:
        file.write(audio)
        file.flush()
        ObjectStore(settings.RECORDING_STORE).put_file(
            Path(file.name), prepared.storage_key(key), "audio/L16;rate=8000;channels=1", hashlib.sha256(audio).hexdigest()
        )
