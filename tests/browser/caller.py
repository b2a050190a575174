"""A caller on the media socket for tests in a browser: a tone in real time, and the carrier's marks."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from websockets.exceptions import ConnectionClosed

from tests.providers.exotel import payloads
from tests.telephony.stream import Stream, opened

FRAME_S = 0.1
_WAVE = (9000 * np.sin(2 * np.pi * 440 * np.arange(800) / 8000)).astype("<i2")  # whole periods: frames join without a click
TONE = base64.b64encode(_WAVE.tobytes()).decode()


@contextmanager
def calling(url: str) -> Iterator[None]:
    """Within, somebody is on the line."""
    with opened(url) as stream:
        stream.start()
        is_over = threading.Event()
        threads = [threading.Thread(target=work, args=(stream, is_over), daemon=True) for work in (_speak, _listen)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            is_over.set()
            stream.socket.close()
            for thread in threads:
                thread.join(30)


def _speak(stream: Stream, is_over: threading.Event) -> None:
    due = time.monotonic()
    while not is_over.is_set():
        try:
            stream.send(event="media", media={"payload": TONE})
        except ConnectionClosed:
            return
        due += FRAME_S
        is_over.wait(max(due - time.monotonic(), 0))


def _listen(stream: Stream, is_over: threading.Event) -> None:
    while not is_over.is_set():
        try:
            told = json.loads(stream.socket.recv())
        except ConnectionClosed:
            return
        if told["event"] == "mark":
            stream.send(event="mark", stream_sid=payloads.STREAM_SID, mark=told["mark"])
