"""`python -m simulator call`: places calls on a running simulator, prints what happens on them, and judges."""

import asyncio
import json
import statistics
import sys
from dataclasses import dataclass
from typing import Any

import httpx

from simulator import scenario as scenarios
from simulator.report import lines
from simulator.scenario import ScenarioRefused

NO_EVENT_FOR_S = 600.0
_SENTENCES = {
    "call_placed": "{caller} calls {called} ({scenario})",
    "answered": "answered",
    "stream_opened": "stream open to {to}, {sample_rate_hz} Hz",
    "stream_failed": "NO STREAM: {error}",
    "stream_refused": "NO STREAM: {why}",
    "no_flow": "NO FLOW: {why}",
    "first_audio": "first audio from the agent after {since_start_ms} ms",
    "caller_speaks": "caller: {text}",
    "caller_silent": "caller is silent",
    "agent_speaks": "agent speaks",
    "agent_silent": "agent is silent",
    "key_pressed": "caller presses a key",
    "clear": "the agent clears what was queued ({dropped_ms} ms)",
    "breach": "BREACH {rule}: {detail}",
    "scenario_failed": "SCENARIO FAILED: {reason}",
    "stream_closed": "stream closed by {by} (code {code})",
    "passthru": "Passthru answered {status}",
    "callback": "{what}: {result}",
    "ended": "call {status}",
}


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asked for. `over_s`: the calls begin evenly spread over so many seconds, as real callers do."""

    server: str
    to_number: str
    from_number: str
    scenario: str
    count: int = 1
    concurrency: int = 1
    over_s: float = 0.0
    as_json: bool = False


class CallNotPlaced(RuntimeError):
    """The server could not be asked, or refused; the message is for the person at the terminal."""


def dial(order: Order) -> int:
    """0: every call was completed with nothing broken. 1: not so, the reasons were printed. 2: no call could be placed."""
    try:
        table = scenarios.load_table(order.scenario)
        scenarios.parse(table, table["name"])
        reports = asyncio.run(_dial_all(order, table))
    except (ScenarioRefused, CallNotPlaced) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    if order.count > 1:
        _print_summary(order, reports)
    return 0 if all(report["ok"] for report in reports) else 1


async def _dial_all(order: Order, table: dict[str, Any]) -> list[dict[str, Any]]:
    gate = asyncio.Semaphore(order.concurrency)
    timeout = httpx.Timeout(10.0, read=NO_EVENT_FOR_S)
    limits = httpx.Limits(max_connections=order.concurrency + 1)
    async with httpx.AsyncClient(base_url=order.server, timeout=timeout, limits=limits, trust_env=False) as http:

        async def one(number: int) -> dict[str, Any]:
            await asyncio.sleep(order.over_s * number / order.count)
            async with gate:
                return await _dial_one(http, order, table, number)

        tasks = [asyncio.create_task(one(number)) for number in range(order.count)]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _dial_one(http: httpx.AsyncClient, order: Order, table: dict[str, Any], number: int) -> dict[str, Any]:
    body = {"to": order.to_number, "scenario": table}
    caller = order.from_number or (f"+9198{10_000_000 + number}" if order.count > 1 else "")
    if caller:
        body["from"] = caller
    try:
        async with http.stream("POST", "/control/calls", json=body) as response:
            if response.status_code != 200:
                await response.aread()
                raise CallNotPlaced(_why(response))
            async for line in response.aiter_lines():
                event = json.loads(line)
                _print_event(order, event)
                if event["event"] == "report":
                    report: dict[str, Any] = event["report"]
                    return report
    except httpx.ConnectError as error:
        raise CallNotPlaced(f"no simulator answers at {order.server}; start it with: python -m simulator serve") from error
    except httpx.HTTPError as error:
        raise CallNotPlaced(f"the simulator at {order.server} broke off: {type(error).__name__}") from error
    raise CallNotPlaced(f"the simulator at {order.server} ended the call without a report")


def _why(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"the simulator answered HTTP {response.status_code}"


def _print_event(order: Order, event: dict[str, Any]) -> None:
    if order.as_json:
        print(json.dumps(event, ensure_ascii=False), flush=True)
    elif event["event"] == "report":
        if order.count == 1 or not event["report"]["ok"]:
            print("\n".join(lines(event["report"])), flush=True)
    elif order.count == 1:
        sentence = _SENTENCES.get(event["event"], event["event"])
        print(f"{event['at_ms'] / 1_000:7.2f} s  {sentence.format_map(event)}", flush=True)


def _print_summary(order: Order, reports: list[dict[str, Any]]) -> None:
    answers = sorted(turn["voice_to_voice_ms"] for report in reports for turn in report["turns"] if turn["voice_to_voice_ms"] is not None)
    summary: dict[str, Any] = {"calls": len(reports), "ok": sum(report["ok"] for report in reports), "turns": len(answers)}
    if answers:
        summary["voice_to_voice_median_ms"] = round(statistics.median(answers))
        summary["voice_to_voice_p95_ms"] = answers[min(len(answers) - 1, int(len(answers) * 0.95))]
    print(
        json.dumps({"event": "summary", **summary}) if order.as_json else "  ".join(f"{name}: {value}" for name, value in summary.items())
    )
