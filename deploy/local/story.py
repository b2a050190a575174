"""Tells the demo's call: the simulator's events and our own API, side by side, in plain lines. Reports whatever is missing."""

import base64
import json
import queue
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from decimal import Decimal
from itertools import takewhile
from typing import Any

CALL_S = 180.0
SETTLE_S = 120.0
INTERRUPTION_MS = 400


class Api:
    """Our REST API as the demo operator sees it."""

    def __init__(self, base: str, credentials: tuple[str, str]) -> None:
        self._base = base
        self._authorization = "Basic " + base64.b64encode(":".join(credentials).encode()).decode()

    def get(self, path: str) -> Any:
        request = urllib.request.Request(f"{self._base}{path}", headers={"Authorization": self._authorization})  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310  (our own address)
            return json.load(response)


def tell(base: str, credentials: tuple[str, str], environment: dict[str, str], *, to_number: str, from_number: str) -> list[str]:
    """Places the call, prints the conversation and the settled call. Returns what went wrong, in sentences; empty if nothing did."""
    api = Api(base, credentials)
    before = {call["session_id"] for call in api.get("/api/v1/calls/")["results"]}
    print(f"\n{from_number} dials {to_number} ...\n", flush=True)
    port = environment["OPENAI_BASE_URL"].split(":")[2].split("/")[0]
    command = [
        sys.executable,
        "-m",
        "simulator",
        "call",
        "--port",
        port,
        "--to",
        to_number,
        "--from",
        from_number,
        "--scenario",
        "demo",
        "--json",
    ]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as caller:
        try:
            report, session_id = _listen(caller, api, before)
        finally:
            caller.kill()
        errors = (caller.stderr.read() if caller.stderr else "").strip()
    if session_id is None:
        return [f"no call reached the product: {errors or 'the simulator placed none'}"]
    if report is None:
        return [f"the simulator reported no end of the call: {errors or 'it ran into its deadline'}"]
    failures = [*report["problems"], *_interruption(report)]
    call = _settle(api, session_id)
    _print_settled(call)
    return failures + _missing(call)


def _events(caller: subprocess.Popen[str]) -> "queue.Queue[dict[str, Any] | None]":
    events: queue.Queue[dict[str, Any] | None] = queue.Queue(maxsize=10_000)

    def read() -> None:
        assert caller.stdout is not None
        for line in caller.stdout:
            if line.startswith("{"):
                events.put(json.loads(line))
        events.put(None)

    threading.Thread(target=read, daemon=True).start()
    return events


def _listen(caller: subprocess.Popen[str], api: Api, before: set[str]) -> tuple[dict[str, Any] | None, str | None]:
    events, told, session_id, report, over = _events(caller), 0, None, None, False
    deadline = time.monotonic() + CALL_S
    while time.monotonic() < deadline:
        try:
            while (event := events.get(timeout=0.25)) is not None:
                report = event.get("report", report)
            over = True
        except queue.Empty:
            pass
        if session_id is None:
            new = [call["session_id"] for call in api.get("/api/v1/calls/")["results"] if call["session_id"] not in before]
            session_id = new[0] if new else None
        if session_id is not None:
            turns = list(takewhile(_is_over, api.get(f"/api/v1/calls/{session_id}/")["turns"]))
            for turn in turns[told:]:
                print(_turn(turn), flush=True)
            told = max(told, len(turns))
        if over:
            break
    return report, session_id


def _is_over(turn: dict[str, Any]) -> bool:
    """Rows are there while a turn is still being spoken; until it is over they have no length."""
    return bool(turn["ended_ms"] > turn["started_ms"])


def _turn(turn: dict[str, Any]) -> str:
    head = f"{turn['started_ms'] / 1000:6.1f} s  {turn['speaker']:<6}  {turn['text']}"
    notes = []
    if latency := turn["latency"]:
        parts = f"endpointing {latency['endpointing_ms']}, model {latency['llm_ms']}, voice {latency['tts_ms']}"
        notes.append(f"answered in {latency['total_ms']} ms ({parts})")
    if turn["interrupted"]:
        rest = turn["generated_text"][len(turn["text"]) :].strip()
        notes.append(f"INTERRUPTED by the caller, audio cleared {turn['silence_after_ms']} ms later; never heard: {rest!r}")
    return head + "".join(f"\n                  · {note}" for note in notes)


def _interruption(report: dict[str, Any]) -> list[str]:
    """What is wrong about the interruption: at least one must have happened, each in time."""
    stops = [turn["interruption_ms"] for turn in report["turns"] if turn["interrupts"]]
    for stop in stops:
        print(f"\nThe agent's sound ended {stop} ms after the caller's first sound.")
    print(f"Exotel's rules were broken {len(report['breaches'])} times; all of the agent's audio was played: {report['all_audio_played']}.")
    if not stops:
        return ["nobody interrupted the agent"]
    return [f"an interruption took {stop} ms, {INTERRUPTION_MS} ms allowed" for stop in stops if stop is None or stop > INTERRUPTION_MS]


def _settle(api: Api, session_id: str) -> dict[str, Any]:
    print("\nThe call is over. Fetching, storing, transcribing and accounting ...", flush=True)
    deadline = time.monotonic() + SETTLE_S
    while True:
        call: dict[str, Any] = api.get(f"/api/v1/calls/{session_id}/")
        if call["settled_at"] or time.monotonic() > deadline:
            return call
        time.sleep(0.5)


def _print_settled(call: dict[str, Any]) -> None:
    recording = call["recording"] or {}
    print(f"\n  status      {call['status']}, ended: {call['end_reason']}")
    print(f"  duration    {call['duration_s']} s by the carrier")
    print(f"  recording   {recording.get('bucket')}/{recording.get('key')}, {recording.get('size_bytes')} bytes")
    print(f"              sha256 {recording.get('sha256')}")
    print(f"  transcript  {recording.get('transcript_text') or '-'}")
    print("  costs")
    for line in call["charges"]["lines"]:
        what = " ".join(str(line[name]) for name in ("kind", "provider", "model", "purpose") if line[name])
        amount = f"{line['currency']} {Decimal(line['amount']):.6f}" if line["amount"] is not None else "unpriced"
        print(f"    {what:<52} {line['quantity']:>9} {line['unit']:<20} {amount}")
    for tax in call["charges"]["taxes"]:
        print(f"    {tax['name'] + ' on the line':<52} {'':>30} {tax['currency']} {Decimal(tax['amount']):.6f}")
    totals = " + ".join(f"{currency} {Decimal(amount):.6f}" for currency, amount in call["charges"]["totals"].items())
    print(f"    {'total':<52} {'':>30} {totals or '-'}", flush=True)


def _missing(call: dict[str, Any]) -> list[str]:
    recording = call["recording"] or {}
    speakers = {turn["speaker"] for turn in call["turns"] if turn["text"]}
    expected = {
        "the call was not settled in time": call["settled_at"],
        "the call did not end as completed": call["status"] == "completed",
        "the carrier's duration is missing": call["duration_s"],
        "the recording is not in object storage": recording.get("key") and recording.get("size_bytes"),
        "the post-call transcript is missing": recording.get("transcript_text"),
        "there are no cost lines": call["charges"]["lines"],
        "some cost lines are unpriced": not call["charges"]["unpriced"],
        "caller and agent did not both speak": speakers == {"caller", "agent"},
        "no turn of the agent was interrupted": any(turn["interrupted"] for turn in call["turns"]),
    }
    return [sentence for sentence, there in expected.items() if not there]
