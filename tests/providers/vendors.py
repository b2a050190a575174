"""The fake vendors behind one port, and what every contract test needs to know of a provider."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from engine.audio import AudioChunk, silence, split
from engine.errors import ProviderError
from engine.ports import TextToSpeech
from providers.config import DeepgramConfig, ElevenLabsConfig, OpenAIConfig
from providers.connection import Deadlines
from tests.simulator.serving import Served

T = TypeVar("T")

KEY = "key-of-the-tests-0123456789"
PATIENT = Deadlines(connect_ms=30_000, first_ms=30_000, between_ms=30_000, send_ms=30_000, close_ms=2_000, stall_ms=60_000)
HURRIED = Deadlines(connect_ms=30_000, first_ms=150, between_ms=150, send_ms=30_000, close_ms=500, stall_ms=200)
NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens


def openai_config(server: Served, key: str = KEY) -> OpenAIConfig:
    return OpenAIConfig(key, f"{server.http}/openai/v1")


def deepgram_config(server: Served, key: str = KEY) -> DeepgramConfig:
    return DeepgramConfig(key, f"{server.http}/deepgram")


def elevenlabs_config(server: Served, key: str = KEY) -> ElevenLabsConfig:
    return ElevenLabsConfig(key, f"{server.http}/elevenlabs")


def expect_key(server: Served) -> None:
    server.state.change_settings({"openai_key": KEY, "deepgram_key": KEY, "elevenlabs_key": KEY})


def order(server: Served, target: str, fault: str, **more: Any) -> None:
    server.state.faults.add({"target": target, "fault": fault, **more})


@asynccontextmanager
async def no_task_left() -> AsyncIterator[None]:
    """Fails if the block leaves a task of ours running. A few turns of the loop are allowed for callbacks to finish."""
    before = asyncio.all_tasks()
    yield
    for _ in range(2_000):
        left = asyncio.all_tasks() - before
        if not left:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"still running: {left}")


async def failure(work: Callable[[], Awaitable[Any]]) -> ProviderError:
    """The `ProviderError` that `work` ends with; a hang fails the test instead of stopping the suite."""
    async with asyncio.timeout(90):
        try:
            await work()
        except ProviderError as error:
            return error
    raise AssertionError("no ProviderError was raised")


async def spoken(port: TextToSpeech, text: str) -> bytes:
    async with port.speak(text) as chunks:
        return b"".join([chunk.pcm async for chunk in chunks])


def frames(pcm: bytes, sample_rate_hz: int, *, quiet_ms: int = 0) -> list[AudioChunk]:
    """Speech and the quiet behind it in the 20 ms pieces of a phone line."""
    size = 2 * sample_rate_hz * 20 // 1000
    return [AudioChunk(piece, sample_rate_hz) for piece in split(pcm + silence(quiet_ms, sample_rate_hz), size)]
