"""The `voiceagents` command where things go wrong: outages, addresses, keys, files, code pages and names that look like ids."""

import io
import json
import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml
from django.contrib.auth.models import User
from django.utils.timezone import now

pytest.importorskip("typer")

from access import keys
from agents.models import Agent
from calls.models import CallLog, RehearsalResult, RehearsalRun, Scenario, Session
from tests.client.conftest import Run, Wire
from voiceagents_client import Client
from voiceagents_client.cli import main, terminal
from voiceagents_client.shapes import Rehearsal

TO = "+919876543210"
GONE = httpx.ConnectError("gone")


def an_outage(monkeypatch: pytest.MonkeyPatch, wire: Wire, module: str, answers: list[list[httpx.Response | httpx.TransportError]]) -> None:
    """While the command waits a minute at each look, the server answers so; then all of it ends well."""
    looks: list[float] = []

    def pass_time(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) <= len(answers):
            wire.failures = list(answers[len(looks) - 1])
        else:
            CallLog.objects.update(status="completed", settled_at=now())
            RehearsalResult.objects.update(state="passed", lasted_ms=1, cost=Decimal(1), ended_at=now())

    monkeypatch.setattr(f"voiceagents_client.cli.{module}.time", SimpleNamespace(sleep=pass_time, monotonic=lambda: 60.0 * len(looks)))


OUTAGE: list[list[httpx.Response | httpx.TransportError]] = [
    [GONE] * 3,
    [httpx.Response(502)] * 3,
    [httpx.Response(500)],
    [httpx.Response(429)] * 3,
]


def test_a_rehearsal_is_looked_at_until_its_end_though_the_server_was_away(
    run: Run, agent: Agent, monkeypatch: pytest.MonkeyPatch, wire: Wire
) -> None:
    Scenario.objects.create(agent=agent, name="Books", goal="A slot.", assertions=["says: booked"])
    an_outage(monkeypatch, wire, "rehearse", OUTAGE)
    code, told, said = run("rehearse", "Desk")
    assert (code, "1 of 1 passed" in told, said.count("Looking on")) == (0, True, 1)
    assert f"Rehearsal {RehearsalRun.objects.get().pk}\n" in said


@pytest.mark.parametrize("lost", [[[GONE] * 3] * 99, [[httpx.Response(401)]]], ids=["away for ever", "the key is revoked"])
def test_a_rehearsal_that_nobody_can_look_at_is_no_verdict(
    run: Run, agent: Agent, monkeypatch: pytest.MonkeyPatch, wire: Wire, lost: list[list[httpx.Response | httpx.TransportError]]
) -> None:
    Scenario.objects.create(agent=agent, name="Books", goal="A slot.", assertions=["says: booked"])
    an_outage(monkeypatch, wire, "rehearse", lost)
    stop = Client.stop_rehearsal

    def stop_away(api: Client, number: int) -> Rehearsal:
        wire.failures = [GONE] * 3
        return stop(api, number)

    monkeypatch.setattr(Client, "stop_rehearsal", stop_away)
    code, told, said = run("rehearse", "Desk", "--limit", "300")
    assert (code, told, "Traceback" in said) == (2, "", False)
    assert f"Nobody knows how rehearsal {RehearsalRun.objects.get().pk} went. It may go on" in said


def test_a_call_that_is_waited_for_outlives_an_outage(run: Run, agent: Agent, monkeypatch: pytest.MonkeyPatch, wire: Wire) -> None:
    an_outage(monkeypatch, wire, "call", OUTAGE)
    code, told, said = run("call", "place", "Desk", TO, "--wait", "--json")
    assert (code, json.loads(told)["status"], said.count("Looking on")) == (0, "completed", 1)
    assert said.startswith(Session.objects.get().session_id)


@pytest.mark.parametrize("lost", [[[GONE] * 3] * 99, [[httpx.Response(401)]]], ids=["away for ever", "the key is revoked"])
def test_a_call_that_rings_is_never_lost_nor_told_as_nobody_talked_to(
    run: Run, agent: Agent, monkeypatch: pytest.MonkeyPatch, wire: Wire, lost: list[list[httpx.Response | httpx.TransportError]]
) -> None:
    an_outage(monkeypatch, wire, "call", lost)
    code, told, said = run("call", "place", "Desk", TO, "--wait", "--json", "--limit", "300")
    placed = Session.objects.get().session_id
    assert (code, json.loads(told)["session_id"], f"voiceagents call show {placed} later" in said) == (2, placed, True)


@pytest.mark.parametrize(
    ("url", "key", "words"),
    [
        ("https://voice.example.com", "va_…", "Copy it whole from the page “API keys”"),
        ("https://voice.example.com", "va_x\n", "Copy it whole"),
        ("http://h:abc", "va_x", "“http://h:abc” is no address"),
        ("http://h:99999", "va_x", "is no address"),
        ("http://[::1", "va_x", "is no address"),
        ("http://:80", "va_x", "is no address"),
        ("http://a b", "va_x", "is no address"),
        ("ftp://voice.example.com", "va_x", "is no address"),
    ],
)
def test_an_address_or_a_key_that_cannot_be_one_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, key: str, words: str
) -> None:
    monkeypatch.setattr(terminal.beside, "_width", 200)
    monkeypatch.setenv("VOICEAGENTS_URL", url)
    monkeypatch.setenv("VOICEAGENTS_KEY", key)
    monkeypatch.setattr(sys, "argv", ["voiceagents", "agent", "list"])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().err
    assert (end.value.code, words in said) == (2, True)
    assert key == "va_…" or key not in said


@pytest.mark.parametrize("proxy", ["socks4://localhost:1", "http://h:abc"])
def test_a_proxy_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(Exception) as end:
        terminal.Server("https://voice.example.com", "va_x").client()
    assert (getattr(end.value, "exit_code", None), capsys.readouterr().err.strip() != "") == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ("call", "place", "Desk", TO, "--once", "पहला"),
        ("call", "place", "Desk", TO, "--customer", "name=\udcff"),
        ("call", "show", "\udcff"),
    ],
)
def test_what_no_request_can_carry_is_told(run: Run, agent: Agent, words: tuple[str, ...]) -> None:
    code, _told, said = run(*words)
    assert (code, "Traceback" in said, Session.objects.exists()) == (2, False, False)


def test_an_id_that_is_no_id_reaches_no_other_door(run: Run, agent: Agent, wire: Wire) -> None:
    assert run("call", "show", f"../agents/{agent.pk}")[0] == 1
    assert run("call", "show", "a\nb")[0] == 1


@pytest.mark.parametrize("name", ["", "nowhere/rehearsals.xml"], ids=["a folder", "in no folder"])
def test_results_that_could_not_be_written_are_refused_before_anything_costs(run: Run, agent: Agent, tmp_path: Path, name: str) -> None:
    Scenario.objects.create(agent=agent, name="Books", goal="A slot.", assertions=["says: booked"])
    code, _told, said = run("rehearse", "Desk", "--junit", str(tmp_path / name))
    assert (code, "Traceback" in said, RehearsalRun.objects.exists()) == (2, False, False)


def test_results_that_can_no_longer_be_written_are_not_told_as_failures(
    run: Run, agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wire: Wire
) -> None:
    Scenario.objects.create(agent=agent, name="Books", goal="A slot.", assertions=["says: booked"])
    an_outage(monkeypatch, wire, "rehearse", [])
    folder = tmp_path / "results"
    folder.mkdir()
    begin = Client.rehearse

    def begin_without_folder(api: Client, **order: Any) -> Rehearsal:
        folder.rmdir()
        return begin(api, **order)

    monkeypatch.setattr(Client, "rehearse", begin_without_folder)
    code, told, said = run("rehearse", "Desk", "--junit", str(folder / "rehearsals.xml"))
    assert (code, "1 of 1 passed" in told, "could not be written" in said) == (2, True, True)


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["YAML", "JSON"])
def test_an_agent_on_standard_output_is_the_very_agent(run: Run, agent: Agent, tmp_path: Path, words: tuple[str, ...]) -> None:
    prompt = "Say :phone: and [bold]nothing[/bold].\n\tThen\tstop 📞.\nनमस्ते " + "very " * 200
    Agent.objects.filter(pk=agent.pk).update(prompt=prompt.strip())
    code, told, _said = run("agent", "export", "Desk", *words)
    read = json.loads(told) if words else yaml.safe_load(told)
    assert (code, read["prompt"]) == (0, prompt.strip())
    file = tmp_path / "desk.yaml"
    file.write_text(told, encoding="utf-8")
    assert run("agent", "import", str(file))[0] == 0
    agent.refresh_from_db()
    assert agent.prompt == prompt.strip()


def test_names_in_tables_are_shown_as_they_are(run: Run, agent: Agent) -> None:
    Agent.objects.filter(pk=agent.pk).update(name=":phone: Desk")
    assert ":phone: Desk" in run("agent", "list")[1]


@pytest.mark.parametrize("words", [("--json",), ()], ids=["JSON", "a table"])
def test_a_pipe_with_a_code_page_gets_utf_8(run: Run, agent: Agent, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    Agent.objects.filter(pk=agent.pk).update(name="रिसेप्शन")
    pipe = io.BytesIO()
    with monkeypatch.context() as patched:
        written = io.TextIOWrapper(pipe, encoding="cp1252")
        patched.setattr(sys, "stdout", written)
        code = run("agent", "list", *words)[0]
    assert (code, "रिसेप्शन" in pipe.getvalue().decode(), written.encoding) == (0, True, "utf-8")


ANOTHERS = [{"hello": "world"}, {"results": None, "next": None}, {"results": ["a"], "next": None}, {"results": [], "next": 5}]


@pytest.mark.parametrize("answer", ANOTHERS, ids=["an object", "no rows", "rows of text", "an odd next"])
def test_another_server_that_speaks_json_is_told(run: Run, wire: Wire, answer: dict[str, object]) -> None:
    wire.failures = [httpx.Response(200, json=answer)]
    code, _told, said = run("agent", "list")
    assert (code, "is not voiceagents' API" in said) == (1, True)


@pytest.mark.parametrize("words", [("call", "show", "sess_1"), ("call", "hangup", "sess_1")])
def test_another_servers_object_is_no_call(run: Run, wire: Wire, words: tuple[str, ...]) -> None:
    wire.failures = [httpx.Response(200, json={"hello": "world"})]
    code, _told, said = run(*words)
    assert (code, "is not voiceagents' API" in said) == (1, True)


def test_a_name_of_digits_rings_as_its_agent_and_never_as_another(run: Run, agent: Agent, operator: User) -> None:
    """Whoever types 108 may mean an id or a name: nobody is rung while both are there."""
    ambulance = Agent.objects.create(owner=operator, name=str(agent.pk), prompt="You answer.")
    code, _told, said = run("call", "place", str(agent.pk), TO)
    assert (code, Session.objects.exists()) == (2, False)
    assert f"the name of agent {ambulance.pk} and the id of “Desk”" in said
    Agent.objects.filter(pk=ambulance.pk).update(name="987654321")
    for typed, meant in (("987654321", ambulance), (str(agent.pk), agent), (str(ambulance.pk), ambulance)):
        meant.refresh_from_db()
        code, told, _said = run("agent", "export", typed, "--json")
        assert (code, json.loads(told)["name"]) == (0, meant.name)
    Agent.objects.filter(pk=ambulance.pk).update(name=str(ambulance.pk))
    assert run("agent", "export", str(ambulance.pk))[0] == 0


def test_a_key_that_may_only_dial_names_agents_by_their_ids(
    run: Run, agent: Agent, operator: User, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    _key, text = keys.make(owner=operator, name="Dials", scopes=["calls:dial"], expires_at=None)
    monkeypatch.setattr("voiceagents_client.cli.terminal.Server.client", lambda _server: Client("http://testserver", text, transport=wire))
    assert run("call", "place", str(agent.pk), TO)[0] == 0
    assert Session.objects.get().agent == agent
