"""The floor: a media socket that forwards the caller to recognition and plays a stored answer, with no logic, no model and no rows.

Whatever stands between the carrier and the recogniser in Python costs at least this much. Run as `python relay.py PORT SIMULATOR_PORT`.
"""

import asyncio
import base64
import json
import sys
import urllib.request
from typing import Any

import uvicorn
from websockets.asyncio.client import connect

PORT, SIMULATOR = int(sys.argv[1]), int(sys.argv[2])
CHUNK_BYTES, CHUNK_S, LEAD_S = 3_200, 0.2, 0.4
LISTEN = (
    f"ws://127.0.0.1:{SIMULATOR}/deepgram/v1/listen?model=nova-3&language=en&encoding=linear16&sample_rate=8000&channels=1"
    "&interim_results=true&punctuate=true&endpointing=300&vad_events=true"
)


def _spoken(text: str) -> bytes:
    request = urllib.request.Request(
        f"http://127.0.0.1:{SIMULATOR}/elevenlabs/v1/text-to-speech/simulatedVoiceAgent1/stream?output_format=pcm_8000",
        json.dumps({"text": text, "model_id": "eleven_flash_v2_5"}).encode(),
        {"xi-api-key": "sim-elevenlabs", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        pcm: bytes = answer.read()
    return pcm + bytes(-len(pcm) % CHUNK_BYTES)


ANSWER = _spoken("This is the answer to your question. It has two sentences, and together they last for about five seconds on the line.")
GREETING, GOODBYE = _spoken("Hello, how can I help you?"), _spoken("Goodbye.")


async def _play(send: Any, stream_sid: str, pcm: bytes) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number, start in enumerate(range(0, len(pcm), CHUNK_BYTES)):
        await asyncio.sleep(max(0.0, began + number * CHUNK_S - LEAD_S - loop.time()))
        payload = base64.b64encode(pcm[start : start + CHUNK_BYTES]).decode()
        await send(
            {"type": "websocket.send", "text": json.dumps({"event": "media", "stream_sid": stream_sid, "media": {"payload": payload}})}
        )
    await asyncio.sleep(max(0.0, began + len(pcm) / 16_000 - loop.time()) + 0.2)


async def _answer(recogniser: Any, send: Any, stream_sid: str) -> None:
    await _play(send, stream_sid, GREETING)
    async for message in recogniser:
        result = json.loads(message)
        if result.get("type") == "Results" and result.get("speech_final"):
            text = result["channel"]["alternatives"][0]["transcript"]
            if "bye" in text.lower():
                await _play(send, stream_sid, GOODBYE)
                await send({"type": "websocket.close", "code": 1000})
                return
            if text:
                await _play(send, stream_sid, ANSWER)


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "websocket":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    answering: asyncio.Task[None] | None = None
    async with connect(LISTEN, additional_headers={"Authorization": "Token sim-deepgram"}, compression=None) as recogniser:
        while (message := await receive())["type"] == "websocket.receive":
            told = json.loads(message["text"])
            if told["event"] == "media":
                await recogniser.send(base64.b64decode(told["media"]["payload"]))
            elif told["event"] == "start":
                answering = asyncio.create_task(_answer(recogniser, send, told["stream_sid"]))
    if answering is not None:
        answering.cancel()


if __name__ == "__main__":
    uvicorn.run(
        application, host="127.0.0.1", port=PORT, loop="uvloop", ws="websockets-sansio", ws_per_message_deflate=False, lifespan="off",
        log_level="warning",
    )  # fmt: skip
