"""Complaint 9: a provider's socket drops in mid-call, and the agent is deaf or dumb from then on. Real sockets."""

import asyncio
import contextlib

from engine.audio import AudioChunk
from engine.hearing import Hearing
from engine.ports import FinalTranscript
from engine.tuning import Tuning
from providers.config import SpeechToTextOptions, Voice
from providers.deepgram.live import DeepgramSpeechToText
from providers.elevenlabs.live import ElevenLabsLiveTextToSpeech
from tests.providers.vendors import PATIENT, deepgram_config, elevenlabs_config, frames, order, spoken
from tests.simulator.serving import Served

RATE_HZ = 8000
SAID = "I would like to book a table for four people tonight."


async def test_a_sentence_is_heard_whole_though_the_recognisers_socket_drops_in_its_middle(vendors: Served) -> None:
    """The audio that had not become words is sent again on the next socket."""
    pcm = await vendors.state.speech.synthesise(SAID, RATE_HZ)
    order(vendors, "deepgram.live", "drop", after=1, times=1)
    heard: asyncio.Queue[str] = asyncio.Queue()
    lost: list[str] = []

    async def deliver(event: object) -> None:
        if isinstance(event, FinalTranscript) and event.text:
            await heard.put(event.text)

    hearing = Hearing(
        DeepgramSpeechToText(deepgram_config(vendors), SpeechToTextOptions("deepgram", "nova-3", endpointing_ms=200), PATIENT),
        RATE_HZ,
        Tuning(stt_keep_ms=20_000),
        now_ms=lambda: 0,
        deliver=deliver,
        on_failure=lambda error: lost.append(error.category.value),
        on_usage=lambda records: None,
    )
    running = asyncio.create_task(hearing.run())
    try:
        for frame in frames(pcm, RATE_HZ, quiet_ms=600):
            hearing.take(AudioChunk(frame.pcm, RATE_HZ))
            await asyncio.sleep(0)
        words: list[str] = []
        async with asyncio.timeout(60):
            while len(" ".join(words).split()) < len(SAID.split()):
                words.append(await heard.get())
    finally:
        hearing.finish()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(running, 30)
    assert " ".join(words) == SAID
    assert len(lost) == 1, "the drop was noticed, and once"


async def test_a_voice_whose_sockets_are_cut_between_two_sentences_speaks_each_of_them_all_the_same(vendors: Served) -> None:
    voice = Voice("elevenlabs", "simulatedVoiceAgent1", "eleven_flash_v2_5", language="en")
    port = ElevenLabsLiveTextToSpeech(elevenlabs_config(vendors), voice, PATIENT)
    for fault in ("none", "while they wait", "when it is used", "none"):
        if fault == "while they wait":
            for socket, _since in port._spares._waiting:
                socket.transport.abort()
        if fault == "when it is used":
            order(vendors, "elevenlabs.speech", "drop", after=0, times=1)
        pcm = await spoken(port, SAID)
        assert (await vendors.state.speech.recognise(pcm, port.sample_rate_hz)).text == SAID
