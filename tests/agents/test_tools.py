"""The tools of one call: over the engine's own toolbox to a real service, with a ledger that remembers."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django.fixtures import Settings
from structlog.testing import capture_logs

from agents import assembly, http_tools
from agents.assembly import OnCall
from agents.ledger import Begun
from agents.models import Agent
from agents.spec import AgentSpec, DestinationSpec, HttpToolSpec
from agents.tools import LEDGER_LIMIT_S, NOT_AGAIN, SecretDigits
from agents.variables import NEVER, CallFacts
from engine.events import EndReason
from engine.keypad import Keypad
from engine.ports import ToolCall
from engine.tools import Toolbox, ToolResult
from tests.providers.test_operator_http import LOOPBACK, answers, service

FACTS = CallFacts("Desk", NEVER, "+919876543210", {"id": "A/1"})
SCHEMA = {"type": "object", "properties": {"day": {"type": "string"}, "pin": {"type": "string"}}}
SALES = DestinationSpec(7, "Sales", "Prices and offers", ("+918047112200",), 30, "I connect you, {{customer.id}}.")


class MemoryLedger:
    """As Postgres keeps it, for one call; `broken` is a database that is away."""

    def __init__(self, *, broken: bool = False) -> None:
        self.runs: list[dict[str, Any]] = []
        self.transfers: list[int] = []
        self.broken = broken

    async def begin(self, tool: str, arguments: dict[str, Any], *, acts: bool) -> Begun:
        if self.broken:
            raise OSError
        same = [run for run in self.runs if (run["tool"], run["arguments"]) == (tool, arguments) and run["state"] != "failed"]
        if acts and same:
            return Begun(None, same[0]["state"], same[0]["result"])
        self.runs.append({"tool": tool, "arguments": arguments, "state": "running", "result": ""})
        return Begun(len(self.runs))

    async def end(self, run_id: int, state: str, result: str) -> None:
        self.runs[run_id - 1] |= {"state": state, "result": result}

    async def transfer(self, destination: DestinationSpec) -> bool:
        if self.broken:
            await asyncio.sleep(LEDGER_LIMIT_S * 10)
        self.transfers.append(destination.id)
        return True


def book(place: str = "", **how: Any) -> HttpToolSpec:
    return HttpToolSpec(3, "book", "Books.", SCHEMA, "POST", f"http://{place}/days/{{day}}?c={{{{customer.id}}}}", **how)


def spec(*tools: HttpToolSpec, **fields: Any) -> AgentSpec:
    import dataclasses

    return dataclasses.replace(Agent(name="Desk", prompt="You answer.").spec(), tools=tools, **fields)


def toolbox(agent: AgentSpec, ledger: MemoryLedger | None, keypad: Keypad | None = None) -> Toolbox:
    return Toolbox(assembly.tools_of(agent, OnCall(FACTS, "sess_1", ledger=ledger), keypad or Keypad()))


async def use(box: Toolbox, name: str, **arguments: Any) -> ToolResult:
    return await box.call(ToolCall("1", name, json.dumps(arguments)))


@pytest.fixture
def secret_headers(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """The row's secret, as the real reader gives it (proved in the conducted call below)."""
    settings.TOOL_ALLOWED_NETWORKS = LOOPBACK

    async def read(_spec: HttpToolSpec) -> dict[str, str]:
        return {"Authorization": "Bearer hush"}

    monkeypatch.setattr(http_tools, "_secret_headers", read)


@pytest.mark.usefixtures("secret_headers")
async def test_a_wish_becomes_one_request_and_its_repeat_gets_the_first_result() -> None:
    ledger = MemoryLedger()
    async with service(answers("200 OK", b'{"booked": 17}')) as (place, seen):
        box = toolbox(spec(book(place, headers={"X-A": "1"}, fixed={"caller": "{{caller_number}}"})), ledger)
        with capture_logs() as logs:
            first = await use(box, "book", day="mon/day")
            again = await use(box, "book", day="mon/day")
    assert (first.ok, first.content, again.content) == (True, '{"booked": 17}', '{"booked": 17}')
    assert len(seen) == 1
    head, body = seen[0].decode().split("\r\n\r\n", 1)
    assert head.startswith("POST /days/mon%2Fday?c=A%2F1 HTTP/1.1\r\n")
    assert json.loads(body) == {"caller": "+919876543210"}
    key = http_tools.idempotency_key("sess_1", "book", {"day": "mon/day"})
    for line in ("Authorization: Bearer hush", "X-A: 1", "X-Session-Id: sess_1", f"Idempotency-Key: {key}"):
        assert f"\r\n{line}" in head
    assert ledger.runs == [{"tool": "book", "arguments": {"day": "mon/day"}, "state": "done", "result": '{"booked": 17}'}]
    assert logs == []


@pytest.mark.usefixtures("secret_headers")
@pytest.mark.parametrize(
    ("status", "acts", "state", "told"),
    [
        ("409 Conflict", True, "failed", "refused (HTTP 409). taken"),
        ("500 Oops", True, "unknown", NOT_AGAIN),
        ("500 Oops", False, "failed", "refused (HTTP 500)"),
        ("302 Found", True, "failed", "refused (HTTP 302)"),
    ],
)
async def test_how_sure_the_ledger_is_follows_the_answer(status: str, acts: bool, state: str, told: str) -> None:
    ledger = MemoryLedger()
    async with service(answers(status, b"taken", "text/plain")) as (place, _seen):
        result = await use(toolbox(spec(book(place, acts=acts)), ledger), "book", day="x")
    assert told in result.content
    assert ledger.runs[0]["state"] == state


@pytest.mark.usefixtures("secret_headers")
async def test_what_may_have_happened_is_not_asked_again() -> None:
    ledger = MemoryLedger()
    async with service(answers("503 Busy", b"")) as (place, seen):
        box = toolbox(spec(book(place)), ledger)
        assert [(await use(box, "book", day="x")).content for _ in range(2)] == [NOT_AGAIN, NOT_AGAIN]
        assert len(seen) == 1


@pytest.mark.usefixtures("secret_headers")
async def test_a_ledger_that_is_away_costs_the_caller_nothing() -> None:
    async with service(answers("200 OK", b"fine", "text/plain")) as (place, _seen):
        assert (await use(toolbox(spec(book(place)), MemoryLedger(broken=True)), "book", day="x")).content == "fine"


async def test_a_tool_never_reaches_the_network_it_runs_in(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TOOL_ALLOWED_NETWORKS = ()

    async def none(_spec: HttpToolSpec) -> dict[str, str]:
        return {}

    monkeypatch.setattr(http_tools, "_secret_headers", none)
    ledger = MemoryLedger()
    async with service(answers("200 OK", b"{}")) as (place, seen):
        result = await use(toolbox(spec(book(place)), ledger), "book", day="x")
    assert "private network" in result.content
    assert (seen, ledger.runs[0]["state"]) == ([], "failed")


# --- handing over -----------------------------------------------------------------------------------------------------


async def test_the_model_names_a_destination_and_the_call_ends_after_the_handover_sentence() -> None:
    ledger = MemoryLedger()
    box = toolbox(spec(destinations=(SALES,)), ledger)
    declared = next(each for each in box.specs if each.name == "transfer_call")
    assert "7: Sales, Prices and offers" in declared.description
    assert "8047112200" not in str(declared)
    result = await use(box, "transfer_call", destination=7)
    assert (result.ok, result.say, result.ends) == (True, "I connect you, A/1.", EndReason.TRANSFERRED)
    assert ledger.transfers == [7]
    assert "8047112200" not in result.content


async def test_a_destination_that_does_not_exist_is_refused() -> None:
    ledger = MemoryLedger()
    result = await use(toolbox(spec(destinations=(SALES,)), ledger), "transfer_call", destination=8)
    assert (result.ok, ledger.transfers, result.ends) == (False, [], None)


async def test_a_decision_that_cannot_be_kept_hands_nobody_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.tools.LEDGER_LIMIT_S", 0.05)
    result = await use(toolbox(spec(destinations=(SALES,)), MemoryLedger(broken=True)), "transfer_call", destination=7)
    assert result.ends is None
    assert "cannot be handed over now" in result.content


def test_without_destinations_or_a_ledger_there_is_no_transfer() -> None:
    names = [each.name for each in toolbox(spec(), MemoryLedger()).specs] + [
        each.name for each in toolbox(spec(destinations=(SALES,)), None).specs
    ]
    assert "transfer_call" not in names


# --- keys -------------------------------------------------------------------------------------------------------------


async def press(keypad: Keypad, keys: str) -> None:
    while not keypad.is_collecting:
        await asyncio.sleep(0)
    for key in keys:
        keypad.keys.press(key, 0)


async def collected(keys: str, **wanted: Any) -> tuple[ToolResult, MemoryLedger]:
    keypad, ledger = Keypad(), MemoryLedger()
    box = toolbox(spec(collects_digits=True), ledger, keypad)
    result, _ = await asyncio.gather(use(box, "collect_digits", **wanted), press(keypad, keys))
    return result, ledger


async def test_keys_are_given_to_the_model() -> None:
    result, _ledger = await collected("4711#", secret=False)
    assert result.content == "The caller pressed 4711."


async def test_secret_keys_are_known_by_name_only() -> None:
    result, ledger = await collected("4711", secret=True, length=4)
    assert result.content == "The caller pressed 4 keys, kept as secret_digits_1."
    assert "4711" not in str(ledger.runs)


@pytest.mark.usefixtures("secret_headers")
async def test_secret_keys_reach_the_service_and_nobody_else() -> None:
    keypad, ledger = Keypad(), MemoryLedger()
    async with service(answers("200 OK", b"PIN 4711 is right", "text/plain")) as (place, seen):
        box = toolbox(spec(book(place), collects_digits=True), ledger, keypad)
        with capture_logs() as logs:
            await asyncio.gather(use(box, "collect_digits", secret=True, length=4), press(keypad, "4711"))
            result = await use(box, "book", day="x", pin="secret_digits_1")
    assert json.loads(seen[0].split(b"\r\n\r\n", 1)[1]) == {"pin": "4711"}
    assert result.content == "PIN •••• is right"
    assert "4711" not in str(ledger.runs) + str(logs)


@pytest.mark.usefixtures("secret_headers")
@pytest.mark.parametrize(("method", "arguments"), [("GET", {"pin": "secret_digits_1"}), ("POST", {"day": "secret_digits_1"})])
async def test_secret_keys_never_go_into_an_address(method: str, arguments: dict[str, str]) -> None:
    import dataclasses

    keypad, ledger = Keypad(), MemoryLedger()
    async with service(answers("200 OK", b"")) as (place, seen):
        box = toolbox(spec(dataclasses.replace(book(place), method=method), collects_digits=True), ledger, keypad)
        await asyncio.gather(use(box, "collect_digits", secret=True, length=4), press(keypad, "4711"))
        result = await use(box, "book", **arguments)
    assert "only be sent in a request's body" in result.content
    assert seen == []


def test_secret_digits_do_not_print_themselves() -> None:
    secrets = SecretDigits()
    secrets.keep("4711")
    assert "4711" not in repr(secrets)


def test_what_a_row_holds_is_what_the_spec_says(make_agent: Callable[..., Agent]) -> None:
    agent = make_agent()
    row = agent.http_tools.create(name="book", description=" Books. ", method="GET", url="https://example.com/", acts=False)
    assert agent.current_version.as_spec().tools == (row.spec(),)
    assert (row.spec().description, row.spec().parameters) == ("Books.", {"type": "object", "properties": {}})
