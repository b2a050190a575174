"""Fifteen calls at once over the real wire, each with its own fault on the way to one and the same kind of party.

Everything is real but the speech: the media socket, the conductor, the providers' clients, Postgres, Valkey and the simulated Exotel. Each
case has a wire of its own to the party that fails it; to all others it connects directly. Deadlines are a quarter of the real ones.
"""

import contextlib
import json
import threading
from asyncio import current_task
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.db import connections

from agents import assembly
from agents.models import Agent
from calls import broadcast
from calls.conductor import rows
from engine.plan import SessionParts, SessionPlan
from engine.tuning import Tuning
from providers.config import DeepgramConfig, ElevenLabsConfig, LanguageModelOptions, OpenAIConfig, SpeechToTextOptions, Voice
from providers.connection import Deadlines
from providers.deepgram.live import DeepgramSpeechToText
from providers.elevenlabs import client as elevenlabs_client
from providers.elevenlabs.tts import ElevenLabsTextToSpeech
from providers.openai import client as openai_client
from providers.openai.llm import OpenAILanguageModel
from simulator.speech.tones import write
from telephony import link, media
from telephony.models import Phone
from tests.faults.wires import FAULTS, Wire, Wires
from tests.telephony.conftest import FIRST

PARTIES = ("stt", "llm", "tts", "postgres", "valkey", "exotel")
DEADLINES = Deadlines(connect_ms=500, first_ms=600, between_ms=700, send_ms=500, close_ms=250, stall_ms=1500)
TUNING = Tuning(
    llm_first_token_ms=1000,
    llm_between_tokens_ms=800,
    tts_first_audio_ms=1000,
    tts_between_audio_ms=800,
    stt_open_ms=700,
    stt_finish_ms=300,
    mark_grace_ms=400,
    goodbye_limit_ms=2500,
    words_follow_ms=700,
    quiet_gap_ms=600,
    stale_interim_ms=1000,
    max_wait_ms=1500,
)
LISTENS = SpeechToTextOptions("deepgram", "nova-3", language="en", endpointing_ms=200)
THINKS = LanguageModelOptions("openai", "gpt-4o-mini", temperature=0.5, max_tokens=100)
SPEAKS = Voice("elevenlabs", "voice", "eleven_flash_v2_5")
SCENARIO = {
    "step": [
        {"wait_for_agent": {"quiet_ms": 250, "deadline_s": 4}},
        {"say": "Time?"},
        {"wait_for_agent": {"quiet_ms": 250, "deadline_s": 4}},
        {"say": "Bye"},
        {"wait_for_close": {"deadline_s": 6}},
    ],
    "reply": [
        {"heard": "(?i)bye", "say": "Bye.", "tool": {"name": "end_call", "arguments": {}}},
        {"heard": "(?i)time", "say": "It is ten."},
    ],
}
CASE: ContextVar[str] = ContextVar("case", default="")


def thinking(root: str) -> OpenAIConfig:
    return OpenAIConfig("k", f"{root}/openai/v1")


def speaking(root: str) -> ElevenLabsConfig:
    return ElevenLabsConfig("k", f"{root}/elevenlabs")


class Remembered:
    """The sentences that every agent has in memory."""

    def __init__(self) -> None:
        self._audio = {text: write(text, 8000) for text in ("Hello.", "Sorry.", "Bye.", "There?")}

    def get(self, text: str) -> bytes | None:
        return self._audio.get(text)


@dataclass
class Case:
    """One fault at one party, and what came of the call."""

    fault: str
    number: str
    wire: Wire
    report: dict[str, Any] = field(default_factory=dict)
    session_id: str = ""


class PerCase(Executor):
    """Threads of a case's own where its database is the party that fails; the shared ones for everybody else."""

    def __init__(self, shared: Executor) -> None:
        self.shared = shared
        self.own: dict[str, ThreadPoolExecutor] = {}

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        task = current_task()
        is_beat = task is not None and task.get_name() == "heartbeat"
        return (self.shared if is_beat else self.own.get(CASE.get(), self.shared)).submit(fn, *args, **kwargs)


def _through(port: int) -> None:
    """This thread's database is reached through `port`."""
    mine = connections.create_connection("default")
    options = {name: value for name, value in mine.settings_dict["OPTIONS"].items() if name != "pool"}
    mine.settings_dict = {**mine.settings_dict, "HOST": "127.0.0.1", "PORT": str(port), "OPTIONS": {**options, "connect_timeout": 2}}
    connections["default"] = mine


@contextlib.contextmanager
def staged(party: str, wires: Wires, root: str, media_port: int, settings: Any, monkeypatch: Any, owner: Any) -> Any:
    """The cases of one party, ready to be called. `root` is the simulator's."""
    simulator = ("127.0.0.1", int(root.rpartition(":")[2]))
    default = connections["default"].settings_dict
    redis_port = int(settings.REDIS_URL.rpartition(":")[2].partition("/")[0])
    targets = {
        "postgres": (default["HOST"], int(default["PORT"])),
        "valkey": ("127.0.0.1", redis_port),
        "exotel": ("127.0.0.1", media_port),
    }
    cases = {}
    for place, (name, fault) in enumerate(FAULTS.items()):
        number = f"+9180471100{place:02}"
        agent = Agent.objects.create(owner=owner, name=name, prompt="You answer.", first_message="Hello.", record_calls=False)
        Phone.objects.create(number=number, agent=agent)
        cases[name] = Case(name, number, wires.open(targets.get(party, simulator), fault))

    def address(kind: str, case: Case) -> str:
        return f"http://127.0.0.1:{case.wire.port}" if kind == party else root

    def assemble(spec: Any, call: Any = None, prepared_audio: Any = None) -> tuple[SessionPlan, SessionParts]:
        case = cases[spec.name]
        plan = SessionPlan("You answer.", "Hello.", 15_000, 1200, "live", "Sorry.", "Bye.", "There?", tuning=TUNING)
        stt, llm, tts = (address(kind, case) for kind in ("stt", "llm", "tts"))
        return plan, SessionParts(
            stt=DeepgramSpeechToText(DeepgramConfig("k", f"{stt}/deepgram"), LISTENS, DEADLINES),
            llm=OpenAILanguageModel(thinking(llm), THINKS, DEADLINES),
            tts=ElevenLabsTextToSpeech(speaking(tts), SPEAKS, DEADLINES),
            prepared=Remembered(),
        )

    WARMING[:] = [(thinking(address("llm", case)), speaking(address("tts", case))) for case in cases.values()]
    httpx.post(f"http://127.0.0.1:{media_port}/warm", timeout=60).raise_for_status()

    async def assemble_with_audio(spec: Any, call: Any, line_rate_hz: int) -> tuple[SessionPlan, SessionParts]:
        return assemble(spec)

    monkeypatch.setattr(assembly, "assemble_with_audio", assemble_with_audio)
    monkeypatch.setattr(rows, "ONE_ROW_LIMIT_S", 1.0)
    monkeypatch.setattr(link, "LOOK_EVERY_S", 1.0)
    threads = PerCase(rows._THREADS)
    monkeypatch.setattr(rows, "_THREADS", threads)
    if party == "postgres":
        threads.own = {
            name: ThreadPoolExecutor(4, thread_name_prefix=f"rows {name}", initializer=_through, initargs=(case.wire.port,))
            for name, case in cases.items()
        }
    if party == "valkey":
        layers = {
            name: RedisPubSubChannelLayer(hosts=[{"address": f"redis://127.0.0.1:{case.wire.port}/0"}]) for name, case in cases.items()
        }
        monkeypatch.setattr(broadcast, "get_channel_layer", lambda: layers.get(CASE.get()))
    try:
        yield cases
    finally:
        for own in threads.own.values():
            own.shutdown(wait=True)


WARMING: list[tuple[OpenAIConfig, ElevenLabsConfig]] = []


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The media socket, which remembers whose call it is; and `/warm`, which makes each case's clients as a process does at its start."""
    if scope["type"] == "http":
        for thinking, speaking in WARMING:
            openai_client.shared_client(thinking, DEADLINES)
            elevenlabs_client.shared_client(speaking, DEADLINES)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    if scope["type"] == "websocket":
        CASE.set(parse_qs(scope["query_string"].decode()).get("case", [""])[0])
    await media.application(scope, receive, send)


def voicebot_url(case: Case, port: int) -> str:
    query = httpx.QueryParams({"case": case.fault})
    return f"ws://exotel:{FIRST}@127.0.0.1:{port}/api/v1/media/exotel?{query}"


def call_all(root: str, cases: dict[str, Case]) -> None:
    """Every case's call at once; returns when all are over."""

    def call(place: int, case: Case) -> None:
        order = {"to": case.number, "from": f"+9198111222{place:02}", "scenario": SCENARIO}
        with httpx.stream("POST", f"{root}/control/calls", json=order, timeout=60) as events:
            for line in events.iter_lines():
                event = json.loads(line)
        case.report = event["report"]

    callers = [threading.Thread(target=call, args=(place, case)) for place, case in enumerate(cases.values())]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)


def longest_silence_ms(report: dict[str, Any]) -> float:
    """The longest time on the open stream in which neither side made a sound."""
    start = report["stream_started_ms"]
    if start is None:
        return 0.0
    sounds = sorted((one["start_ms"], one["end_ms"]) for one in [*report["agent"], *report["turns"]])
    longest, quiet_since = 0.0, start
    for begins, ends in [*sounds, (report["duration_ms"], report["duration_ms"])]:
        longest = max(longest, begins - quiet_since)
        quiet_since = max(quiet_since, ends)
    return longest
