"""The same agent on Pipecat, with its Exotel serializer: its own services against the same simulator, as light as it can be configured.

No voice detector and no turn model of its own: turns begin and end with Deepgram's words, as ours do, which favours it.
Run as `python pipecat_agent.py PORT SIMULATOR_PORT` with the interpreter of `.local/peers-venv`.
"""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import EndWorkerFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection
from pipecat.serializers.exotel import ExotelFrameSerializer
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.deepgram.tts import DeepgramHttpTTSService
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.turns.user_start import TranscriptionUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

PORT, SIMULATOR = int(sys.argv[1]), int(sys.argv[2])
RATE_HZ = 8_000
END_CALL = FunctionSchema(name="end_call", description="Ends the call.", properties={}, required=[])


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with aiohttp.ClientSession() as session:
        app.state.session = session
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.websocket("/")
async def media(websocket: WebSocket) -> None:
    await websocket.accept()
    start = json.loads(await websocket.receive_text())
    while start.get("event") != "start":
        start = json.loads(await websocket.receive_text())
    await _converse(websocket, start["stream_sid"], start["start"]["call_sid"])


async def _converse(websocket: WebSocket, stream_sid: str, call_sid: str) -> None:
    transport = FastAPIWebsocketTransport(
        websocket=websocket,
        params=FastAPIWebsocketParams(
            audio_in_enabled=True, audio_out_enabled=True, add_wav_header=False, serializer=ExotelFrameSerializer(stream_sid, call_sid)
        ),
    )
    stt = DeepgramSTTService(
        api_key="sim-deepgram",
        base_url=f"ws://127.0.0.1:{SIMULATOR}/deepgram",
        settings=DeepgramSTTService.Settings(model="nova-3", language="en", endpointing=300, interim_results=True),
    )
    llm = OpenAILLMService(
        api_key="sim-openai",
        base_url=f"http://127.0.0.1:{SIMULATOR}/openai/v1",
        settings=OpenAILLMService.Settings(model="gpt-4o-mini", system_instruction="You answer the phone."),
    )
    tts = DeepgramHttpTTSService(
        api_key="sim-deepgram",
        base_url=f"http://127.0.0.1:{SIMULATOR}/deepgram",
        aiohttp_session=app.state.session,
        sample_rate=RATE_HZ,
        settings=DeepgramHttpTTSService.Settings(voice="aura-2-thalia-en"),
    )

    async def end_call(params: Any) -> None:
        await params.llm.push_frame(EndWorkerFrame(), FrameDirection.UPSTREAM)

    llm.register_function("end_call", end_call)
    context = LLMContext([], tools=ToolsSchema(standard_tools=[END_CALL]))
    turns = UserTurnStrategies(
        start=[TranscriptionUserTurnStartStrategy()], stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.0)]
    )
    aggregators = LLMContextAggregatorPair(context, user_params=LLMUserAggregatorParams(user_turn_strategies=turns))
    worker = PipelineWorker(
        Pipeline([transport.input(), stt, aggregators.user(), llm, tts, transport.output(), aggregators.assistant()]),
        params=PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ),
        enable_rtvi=False,
    )

    @transport.event_handler("on_client_connected")
    async def greet(_transport: Any, _client: Any) -> None:
        await worker.queue_frames([TTSSpeakFrame("Hello, how can I help you?")])

    @transport.event_handler("on_client_disconnected")
    async def leave(_transport: Any, _client: Any) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    uvicorn.run(app, host="127.0.0.1", port=PORT, loop="uvloop", ws="websockets-sansio", ws_per_message_deflate=False, log_level="warning")
