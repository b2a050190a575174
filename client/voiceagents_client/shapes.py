"""The answers that programs use most, as types. They are what the server sends: dictionaries, with more in them than is named here."""

from typing import Any, TypedDict


class Agent(TypedDict):
    id: int
    owner: str
    name: str
    prompt: str
    first_message: str
    language: str
    active: bool
    version: int
    warnings: list[str]


Call = TypedDict(
    "Call",
    {
        "session_id": str,
        "agent": int,
        "agent_name": str,
        "agent_version": int,
        "direction": str,
        "status": str,
        "from": str,
        "to": str,
        "created_at": str,
        "duration_s": int | None,
        "end_words": str,
        "failure": str,
        "settled_at": str | None,
        "median_latency_ms": int | None,
        "totals": dict[str, str],
        "unpriced": int,
    },
)


class Turn(TypedDict):
    id: int
    session_id: str
    number: int
    speaker: str
    text: str
    interrupted: bool
    started_ms: int
    ended_ms: int
    latency: dict[str, int | None] | None


class Charge(TypedDict):
    id: int
    session_id: str
    kind: str
    provider: str
    model: str
    unit: str
    quantity: int
    is_tax: bool
    amount: str | None
    currency: str


class Scenario(TypedDict):
    id: int
    agent: int
    name: str
    persona: str
    goal: str
    facts: str
    opening: str
    language: str
    most_lines: int
    by_voice: bool
    assertions: list[str]
    active: bool


class Evidence(TypedDict):
    number: int
    speaker: str
    text: str


class Verdict(TypedDict):
    wish: str
    passed: bool
    why: str
    evidence: list[Evidence]


class RehearsalResult(TypedDict):
    scenario: int
    scenario_name: str
    session_id: str
    by_voice: bool
    state: str
    verdicts: list[Verdict]
    problem: str
    cost: str | None
    currency: str
    lasted_ms: int | None


class Rehearsal(TypedDict):
    id: int
    agent: int
    agent_name: str
    version: int | None
    is_draft: bool
    state: str
    total: int
    over: int
    passed: int
    results: list[RehearsalResult]


Row = dict[str, Any]
