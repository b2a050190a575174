"""A call's recording: both sides as they were on the line, written while the call runs and served later as a WAV file.

Stereo, the caller left, the agent right as it was played. Never more than a second of it is in memory.
"""

import wave
from pathlib import Path

import numpy as np

FLUSH_FRAMES = 50


class Recording:
    """Open while the call runs. Both frames of a `write` have the same size."""

    def __init__(self, path: Path, sample_rate_hz: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.sample_rate_hz = sample_rate_hz
        self._caller: list[bytes] = []
        self._agent: list[bytes] = []
        self._file = wave.open(str(path), "wb")  # noqa: SIM115 - open for as long as the call, closed by `close`
        self._file.setnchannels(2)
        self._file.setsampwidth(2)
        self._file.setframerate(sample_rate_hz)

    def write(self, caller: bytes, agent: bytes | None) -> None:
        self._caller.append(caller)
        self._agent.append(bytes(len(caller)) if agent is None else agent)
        if len(self._caller) >= FLUSH_FRAMES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        caller = np.frombuffer(b"".join(self._caller), dtype="<i2")
        agent = np.frombuffer(b"".join(self._agent), dtype="<i2")
        self._caller, self._agent = [], []
        self._file.writeframesraw(np.column_stack((caller, agent)).tobytes())


def agent_channel(path: Path, start_ms: float, end_ms: float) -> tuple[bytes, int]:
    """What the agent's side of a stereo recording holds between two times, and its rate."""
    with wave.open(str(path), "rb") as file:
        rate = file.getframerate()
        first = min(max(0, int(start_ms * rate / 1_000)), file.getnframes())
        file.setpos(first)
        frames = file.readframes(max(0, int(end_ms * rate / 1_000) - first))
        samples = np.frombuffer(frames, dtype="<i2").reshape(-1, file.getnchannels())
        return samples[:, -1].tobytes(), rate


def mix_down(path: Path) -> None:
    """Makes a stereo recording mono, as `RecordingChannels=single` asks for."""
    mixed = path.with_suffix(".mono")
    with wave.open(str(path), "rb") as source, wave.open(str(mixed), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(source.getframerate())
        while frames := source.readframes(source.getframerate()):
            both = np.frombuffer(frames, dtype="<i2").reshape(-1, 2).astype(np.int32).sum(axis=1)
            target.writeframesraw(np.clip(both, -32_768, 32_767).astype("<i2").tobytes())
    mixed.replace(path)
