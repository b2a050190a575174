"""The way out: vendors are reached through the environment's proxy, what is on this machine is not, and tools' services never are."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from engine.errors import ErrorCategory
from engine.ports import Message
from providers import operator_http
from providers.config import LanguageModelOptions, SpeechToTextOptions, TranscriptionOptions, Voice
from providers.deepgram.batch import DeepgramTranscriber
from providers.deepgram.live import DeepgramSpeechToText
from providers.deepgram.tts import DeepgramTextToSpeech
from providers.elevenlabs.live import ElevenLabsLiveTextToSpeech
from providers.elevenlabs.tts import ElevenLabsTextToSpeech
from providers.openai.llm import OpenAILanguageModel
from providers.proxies import may_use_proxy
from tests.providers.vendors import PATIENT, deepgram_config, elevenlabs_config, failure, openai_config, spoken
from tests.simulator.serving import Served

VENDOR = "http://vendor.test"  # no such name: it can be reached by way of a proxy only
TEXT = "Please hold the line."


@dataclass
class Proxy:
    """Brings every request to `port`, whatever host it is for, and remembers for whom it was."""

    port: int
    address: str = ""
    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, rest = head.split(b" ", 2)
            host = target.removeprefix(b"http://").partition(b"/")[0].partition(b":")[0].decode()
            self.asked.append(host)
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)
            if method == b"CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = b"/" + target.removeprefix(b"http://").partition(b"/")[2]
                far_writer.write(b" ".join((method, path, rest)))
            await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    with suppress(OSError):
        writer.close()


@asynccontextmanager
async def proxy_to(server: Served, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    proxy = Proxy(int(server.http.rsplit(":", 1)[1]))
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    monkeypatch.setenv("http_proxy", proxy.address)
    try:
        yield proxy
    finally:
        listening.close()


async def _listen(base_url: str, server: Served) -> None:
    config = replace(deepgram_config(server), base_url=f"{base_url}/deepgram")
    async with DeepgramSpeechToText(config, SpeechToTextOptions("deepgram", "nova-3"), PATIENT).stream(8_000):
        pass


async def _think(base_url: str, server: Served) -> None:
    config = replace(openai_config(server), base_url=f"{base_url}/openai/v1")
    async with OpenAILanguageModel(config, LanguageModelOptions("openai", "gpt-6-luna"), PATIENT).reply(
        [Message("user", "hi")], ()
    ) as events:
        assert [event async for event in events]


async def _speak_aura(base_url: str, server: Served) -> None:
    config = replace(deepgram_config(server), base_url=f"{base_url}/deepgram")
    assert await spoken(DeepgramTextToSpeech(config, Voice("deepgram", "thalia", "aura-2"), PATIENT), TEXT)


async def _speak_eleven(base_url: str, server: Served) -> None:
    config = replace(elevenlabs_config(server), base_url=f"{base_url}/elevenlabs")
    assert await spoken(ElevenLabsTextToSpeech(config, Voice("elevenlabs", "simulatedVoiceAgent1", "eleven_flash_v2_5"), PATIENT), TEXT)


async def _speak_live(base_url: str, server: Served) -> None:
    config = replace(elevenlabs_config(server), base_url=f"{base_url}/elevenlabs")
    voice = Voice("elevenlabs-live", "simulatedVoiceAgent1", "eleven_flash_v2_5")
    assert await spoken(ElevenLabsLiveTextToSpeech(config, voice, PATIENT), TEXT)


Use = Callable[[str, Served], Awaitable[None]]
EVERYONE = [_listen, _think, _speak_aura, _speak_eleven, _speak_live]


@pytest.mark.parametrize("use", EVERYONE)
async def test_every_vendor_is_reached_through_the_proxy_of_the_environment(
    use: Use, vendors: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy_to(vendors, monkeypatch) as proxy:
        await use(VENDOR, vendors)
    assert set(proxy.asked) == {"vendor.test"}


@pytest.mark.parametrize("use", EVERYONE)
async def test_what_is_on_this_machine_is_reached_without_it(use: Use, vendors: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy_to(vendors, monkeypatch) as proxy:
        await use(vendors.http, vendors)
    assert proxy.asked == []


@pytest.mark.parametrize("use", EVERYONE)
async def test_a_host_that_needs_no_proxy_is_not_asked_for_there(use: Use, vendors: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy_to(vendors, monkeypatch) as proxy:
        monkeypatch.setenv("no_proxy", "direct.test")
        error = await failure(lambda: use("http://direct.test", vendors))
    assert error.category in (ErrorCategory.CONNECTION, ErrorCategory.TIMEOUT)
    assert proxy.asked == []


async def test_a_finished_recording_goes_through_the_proxy_too(vendors: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "call.raw").write_bytes(b"no recording at all")
    config = replace(deepgram_config(vendors), base_url=f"{VENDOR}/deepgram")
    transcriber = DeepgramTranscriber(config, TranscriptionOptions("deepgram", "nova-3"))
    async with proxy_to(vendors, monkeypatch) as proxy:
        await failure(lambda: asyncio.to_thread(transcriber.transcribe, tmp_path / "call.raw"))
    assert proxy.asked == ["vendor.test"]


async def test_a_proxy_that_refuses_is_a_vendor_that_cannot_be_reached(vendors: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(refuse, "127.0.0.1", 0)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    error = await failure(lambda: _listen(VENDOR, vendors))
    listening.close()
    assert (error.category, error.retryable) == (ErrorCategory.CONNECTION, True)
    assert "HTTPS_PROXY" in error.message


async def test_a_tools_service_is_never_asked_for_through_a_proxy(vendors: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy_to(vendors, monkeypatch) as proxy:
        monkeypatch.setenv("https_proxy", proxy.address)
        for scheme in ("http", "https"):
            with pytest.raises(operator_http.NotSent):
                await operator_http.ask(operator_http.ServiceRequest("GET", f"{scheme}://vendor.test/"), timeout_ms=10_000)
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://api.deepgram.com", True),
        ("wss://api.deepgram.com/v1/listen", True),
        ("http://127.0.0.1:8080/x", False),
        ("http://[::1]:8080", False),
        ("ws://localhost:9", False),
        ("http://10.0.0.7", True),
    ],
)
def test_only_this_machine_itself_is_kept_from_the_proxy(url: str, may: bool) -> None:
    assert may_use_proxy(url) is may
