"""The `voiceagents` command as people type it."""

import json
import sys
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
import yaml
from django.utils.timezone import now

pytest.importorskip("typer")

from django.contrib.auth.models import User
from django.utils import timezone

from agents.models import Agent, Destination, HttpTool
from calls.models import CallLog, Charge, RehearsalResult, RehearsalRun, Scenario, Session, UsageLine
from tests.calls import made_calls as made
from tests.client.conftest import Run, Wire
from voiceagents_client.cli import main


def test_a_call_is_placed_once_shown_and_hung_up(run: Run, agent: Agent) -> None:
    words = ("call", "place", str(agent.pk), "+919876543210", "--customer", "name=Asha", "--once", "order-1")
    code, told, _complaint = run(*words)
    session = Session.objects.get()
    assert (code, told.split()) == (0, [session.session_id, "queued"])
    assert run(*words)[1] == told and Session.objects.count() == 1
    assert "will not be dialled" in run("call", "hangup", session.session_id)[1]
    assert "Desk" in run("call", "show", session.session_id)[1]


@pytest.mark.parametrize(("settles", "words"), [(True, "over and settled"), (False, "not settled: costs may be missing")])
def test_waiting_for_a_call_waits_for_its_costs_too(
    run: Run, agent: Agent, monkeypatch: pytest.MonkeyPatch, settles: bool, words: str
) -> None:
    looks: list[float] = []

    def pass_time(seconds: float) -> None:
        looks.append(seconds)
        log = CallLog.objects.all()
        if len(looks) == 2:
            log.update(status="completed")
        if len(looks) == 4 and settles:
            log.update(settled_at=timezone.now())

    monkeypatch.setattr("voiceagents_client.cli.call.time.sleep", pass_time)
    monkeypatch.setattr("voiceagents_client.cli.call.SETTLES_IN_S", 5)
    code, told, beside = run("call", "place", str(agent.pk), "+919876543210", "--wait")
    assert (code, "completed" in told, words in beside) == (0, True, True)
    assert len(looks) == (4 if settles else 7)


def test_a_call_is_shown_as_it_was_heard_with_its_price(run: Run, agent: Agent) -> None:
    session = made.talking_call(agent)
    made.exchange(session, 1, "Do you [open] today?", "We open at ten.")
    code, told, _complaint = run("call", "show", session.session_id)
    assert code == 0
    assert "Do you [open] today?" in told and "790 ms" in told and "0:10" in told


def test_the_list_and_the_tail_tell_of_calls(run: Run, agent: Agent) -> None:
    session = made.talking_call(agent)
    assert session.session_id in run("calls", "list", "--status", "in-progress")[1]
    assert run("calls", "list", "--status", "busy")[1].count("sess_") == 0
    assert session.session_id in run("calls", "tail", "--rounds", "1")[1]


def test_a_tail_follows_recent_calls_and_forgets_the_others(run: Run, agent: Agent, monkeypatch: pytest.MonkeyPatch, wire: Wire) -> None:
    """What a look asks for moves on with the clock: a tail of a week is no dearer than one of a minute."""
    session = made.talking_call(agent)
    hours = iter(range(1, 9))

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # the very class is not needed
            return datetime.now(tz) + timedelta(hours=next(hours)) if tz is UTC else datetime.now(tz)

    monkeypatch.setattr("voiceagents_client.cli.calls.datetime", Clock)
    told = run("calls", "tail", "--rounds", "3")[1]
    assert told.count(session.session_id) == 1
    assert len({request.url.params["since"][:13] for request in wire.sent}) == 3


def test_an_agent_goes_out_and_comes_back_unchanged(run: Run, agent: Agent, tmp_path: Path) -> None:
    HttpTool(agent=agent, name="book", description="Books.", url="https://api.example.com/days", method="POST").save()
    Destination(agent=agent, name="Asha", description="Knows all.", numbers=["+919876543210"]).save()
    file = tmp_path / "desk.yaml"
    assert run("agent", "export", str(agent.pk), str(file))[0] == 0
    written = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert (written["prompt"], written["tools"][0]["name"], written["destinations"][0]["numbers"]) == (
        "You answer.\nBe kind.",
        "book",
        ["+919876543210"],
    )
    assert "prompt: |-" in file.read_text(encoding="utf-8")
    version = agent.current_version.number
    assert f"version {version}." in run("agent", "import", str(file))[1]
    file.write_text(yaml.safe_dump({**written, "name": "Night desk"}), encoding="utf-8")
    assert run("agent", "import", str(file))[0] == 0
    copy = Agent.objects.get(name="Night desk")
    assert [tool.name for tool in copy.http_tools.all()] == ["book"] and copy.destinations.get().name == "Asha"
    file.write_text(yaml.safe_dump({"llm": {"temperature": 0.1}}), encoding="utf-8")
    run("agent", "import", str(file), "--agent", str(copy.pk), "--reason", "Calmer")
    assert Agent.objects.get(pk=copy.pk).current_version.reason == "Calmer"
    assert "Night desk" in run("agent", "list")[1]


def a_scenario(agent: Agent, name: str, **fields: object) -> Scenario:
    wishes = [{"kind": "says", "wish": "booked"}, {"kind": "ended by", "wish": "agent"}]
    return Scenario.objects.create(agent=agent, name=name, goal="A slot.", assertions=wishes, **fields)


def a_worker(monkeypatch: pytest.MonkeyPatch, **passes: bool) -> list[float]:
    """While the command waits, half a minute at each look, conversations end, one at a time. Gives how long it meant to wait."""
    waited: list[float] = []

    def hold(seconds: float) -> None:
        waited.append(seconds)
        result = RehearsalResult.objects.filter(ended_at=None).first()
        if result is not None and result.scenario.name in passes:
            passed = passes[result.scenario.name]
            result.session.turns.create(number=3, speaker="agent", text="All is [full].", started_ms=0, ended_ms=1)
            result.verdicts = [{"wish": "says: booked", "passed": passed, "why": "it was never said", "turns": [3]}]
            result.state, result.lasted_ms, result.cost, result.ended_at = ("passed" if passed else "failed"), 61_000, Decimal("0.5"), now()
            result.save()

    clock = SimpleNamespace(sleep=hold, monotonic=lambda: 30.0 * len(waited))
    monkeypatch.setattr("voiceagents_client.cli.rehearse.time", clock)
    return waited


def test_an_agent_is_rehearsed_and_all_pass(run: Run, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Books", "Cancels"):
        a_scenario(agent, name)
    a_scenario(agent, "Sleeps", active=False)
    waited = a_worker(monkeypatch, Books=True, Cancels=True)
    code, told, complaint = run("rehearse", "Desk", "--every", "1")
    assert (code, waited, "Traceback" in complaint) == (0, [1.0, 1.0], False)
    assert "2 of 2 passed" in told and "1:01" in told and "0.50 INR" in told and "Sleeps" not in told


def test_what_was_missed_is_told_with_the_turns_that_show_it(
    run: Run, agent: Agent, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("Books", "Cancels"):
        a_scenario(agent, name)
    a_worker(monkeypatch, Books=False)
    file = tmp_path / "rehearsals.xml"
    code, told, _complaint = run("rehearse", str(agent.pk), "--draft", "--by-voice", "--scenario", "Books", "--junit", str(file))
    assert (code, RehearsalRun.objects.get().is_draft, RehearsalResult.objects.get().by_voice) == (1, True, True)
    assert "✗ says: booked: it was never said" in told and "3 agent: All is [full]." in told and "0 of 1 passed" in told
    suite = ElementTree.parse(file).getroot()
    assert (suite.attrib["name"], suite.attrib["tests"], suite.attrib["failures"]) == ("Desk", "1", "1")
    assert "3 agent: All is [full]." in (suite.findtext("testcase/failure") or "")


def test_a_rehearsal_that_nobody_holds_is_given_up_and_stopped(run: Run, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    a_scenario(agent, "Books")
    a_worker(monkeypatch)
    code, told, complaint = run("rehearse", "Desk", "--limit", "60")
    assert (code, "Do workers run" in complaint, "0 of 1 passed" in told) == (1, True, True)
    assert RehearsalResult.objects.get().state == "stopped"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("Desk",), "no active scenario"),
        (("Nobody",), "There is no agent “Nobody”"),
        (("999999",), "There is no agent 999999"),
        (("Desk", "--scenario", "Flies"), "has no scenario “Flies”"),
    ],
)
def test_nothing_to_rehearse_has_a_code_of_its_own(run: Run, agent: Agent, words: tuple[str, ...], complaint: str) -> None:
    a_scenario(agent, "Sleeps", active=False)
    code, _told, said = run("rehearse", *words)
    assert (code, complaint in said) == (2, True)


def test_which_of_two_agents_of_a_name_is_meant_is_asked(run: Run, agent: Agent, operator: User, tmp_path: Path) -> None:
    """Names are each owner's own, and a superuser's key sees everybody's."""
    User.objects.filter(pk=operator.pk).update(is_superuser=True)
    other = Agent.objects.create(owner=User.objects.create_user("vikram"), name="Desk", prompt="You answer.")
    Agent.objects.create(owner=operator, name="Desk of the night", prompt="You answer.")
    file = tmp_path / "desk.yaml"
    file.write_text(yaml.safe_dump({"name": "Desk", "prompt": "You answer well."}), encoding="utf-8")
    code, _told, complaint = run("agent", "import", str(file))
    assert (code, f"{agent.pk} (asha), {other.pk} (vikram)" in complaint, "--agent" in complaint) == (2, True, True)
    assert run("agent", "import", str(file), "--agent", str(other.pk))[0] == 0
    assert list(Agent.objects.filter(prompt="You answer well.")) == [other]


def test_costs_are_added_up_and_what_has_no_price_is_said(run: Run, agent: Agent) -> None:
    for _number in range(2):
        session = made.talking_call(agent)
        made.use(session, unpriced=False)
    for line in UsageLine.objects.filter(kind="tts"):
        Charge.objects.create(session_id=line.session_id, usage_line=line, amount=Decimal("0.1"), currency="USD", price_source="list")
    for line in UsageLine.objects.filter(kind="stt"):
        Charge.objects.create(session_id=line.session_id, usage_line=line, price_source="nobody knows")
    code, told, _complaint = run("costs", "--by", "kind")
    assert code == 0
    assert [line.split() for line in told.splitlines() if line.split()[:1] in (["tts"], ["stt"], ["All"])] == [
        ["stt", "2"],
        ["tts", "0.2000"],
        ["All", "0.2000", "2"],
    ]


def test_every_command_tells_programs_what_the_server_said(run: Run, agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(*words: str) -> Any:
        code, printed, _complaint = run(*words, "--json")
        assert code == 0
        return json.loads(printed)

    placed = told("call", "place", "Desk", "+919876543210")
    assert told("call", "show", placed["session_id"])["turns"] == []
    assert [call["session_id"] for call in told("calls", "list", "--agent", "Desk")] == [placed["session_id"]]
    assert told("calls", "tail", "--rounds", "1")["session_id"] == placed["session_id"]
    assert "dialled" in told("call", "hangup", placed["session_id"])["detail"]
    assert [one["name"] for one in told("agent", "list")] == ["Desk"]
    file = tmp_path / "desk.yaml"
    assert run("agent", "export", "Desk", str(file))[0] == 0
    assert told("agent", "import", str(file), "--agent", "Desk")["id"] == agent.pk
    assert told("costs") == []
    session = made.talking_call(agent)
    made.use(session, unpriced=False)
    for line in UsageLine.objects.filter(kind="tts"):
        Charge.objects.create(session_id=line.session_id, usage_line=line, amount=Decimal("0.1"), currency="USD", price_source="list")
    assert told("costs", "--agent", "Desk") == [{"provider": "elevenlabs", "amounts": {"USD": "0.10"}, "unpriced": 0}]
    a_scenario(agent, "Books")
    a_worker(monkeypatch, Books=True)
    assert told("rehearse", "Desk")["state"] == "passed"


def test_nothing_to_show_is_said(run: Run, agent: Agent) -> None:
    assert run("calls", "list", "--text", "refund") == (0, "", "There are no such calls.\n")
    assert "There are no charges." in run("costs")[2]


def test_a_tail_goes_on_when_the_server_was_away(run: Run, agent: Agent, monkeypatch: pytest.MonkeyPatch, wire: Wire) -> None:
    session = made.talking_call(agent)
    looks: list[float] = []

    def away(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) in (1, 2):
            wire.failures = [httpx.ConnectError("gone")] * 3
        if len(looks) == 3:
            made.end(session)

    monkeypatch.setattr("voiceagents_client.cli.calls.time.sleep", away)
    code, told, complaint = run("calls", "tail", "--rounds", "4")
    assert (code, complaint.count("Looking on"), told.count(session.session_id)) == (0, 1, 2)


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("no-answer", 1)])
def test_waiting_for_a_call_tells_whether_anybody_was_talked_to(
    run: Run, agent: Agent, monkeypatch: pytest.MonkeyPatch, status: str, code: int
) -> None:
    monkeypatch.setattr(
        "voiceagents_client.cli.call.time.sleep", lambda _s: CallLog.objects.update(status=status, settled_at=timezone.now()) and None
    )
    assert run("call", "place", "Desk", "+919876543210", "--wait")[0] == code


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(200, text="<html>Log in</html>"), "is not voiceagents' API"),
        (httpx.Response(301, headers={"Location": "https://voice.example.com/"}), "on to https://voice.example.com/"),
    ],
    ids=["another server", "a redirect"],
)
def test_an_address_that_is_not_the_apis_is_told(run: Run, wire: Wire, answer: httpx.Response, words: str) -> None:
    wire.failures = [answer]
    code, _told, said = run("agent", "list")
    assert (code, words in said, "Traceback" in said) == (1, True, False)


def test_a_file_that_cannot_be_written_is_told_in_a_line(run: Run, agent: Agent, tmp_path: Path) -> None:
    code, _told, said = run("agent", "export", "Desk", str(tmp_path / "nowhere" / "desk.yaml"))
    assert (code, "No such file or directory" in said, "Traceback" in said) == (1, True, False)


def test_a_part_that_is_refused_is_named(run: Run, agent: Agent, tmp_path: Path) -> None:
    file = tmp_path / "desk.yaml"
    file.write_text(yaml.safe_dump({"name": "Desk", "tools": [{"name": "book", "url": "nonsense"}]}), encoding="utf-8")
    code, _told, said = run("agent", "import", str(file))
    assert (code, "of its tools, “book” was refused" in said) == (1, True)


def test_it_says_its_version_and_completes_in_shells(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceagents_client.cli.metadata.version", lambda _name: "0.1.0")
    assert run("--version")[:2] == (0, "voiceagents 0.1.0\n")
    assert "--install-completion" in run("--help")[1]


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (("call", "place", "999", "+919876543210"), 1, "agent: There is no agent 999"),
        (("call", "show", "sess_nobody"), 1, "There is no call sess_nobody"),
        (("call", "place", "1", "+919876543210", "--customer", "Asha"), 2, "Write name=value"),
    ],
)
def test_what_goes_wrong_is_told_in_a_line(run: Run, agent: Agent, words: tuple[str, ...], code: int, complaint: str) -> None:
    ended, _told, said = run(*words)
    assert (ended, complaint in said, "Traceback" in said) == (code, True, False)


def test_a_server_that_is_not_there_is_told_in_a_line(run: Run, wire: Wire) -> None:
    wire.failures = [httpx.ConnectError("gone")] * 3
    code, _told, said = run("agent", "list")
    assert (code, "Is VOICEAGENTS_URL right" in said) == (1, True)


def test_a_file_that_is_no_agent_is_refused_before_anything_is_sent(run: Run, tmp_path: Path, wire: Wire) -> None:
    for number, text in enumerate(["[1, 2]", "{", "tools: 5"]):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text, encoding="utf-8")
        assert run("agent", "import", str(file))[0] == 2
    assert not wire.sent


def test_without_address_and_key_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("VOICEAGENTS_URL", "VOICEAGENTS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "argv", ["voiceagents", "agent", "list"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "Set VOICEAGENTS_URL" in capsys.readouterr().err
    monkeypatch.setenv("VOICEAGENTS_URL", "voice.example.com")
    monkeypatch.setenv("VOICEAGENTS_KEY", "va_x")
    with pytest.raises(SystemExit) as end:
        main()
    assert (end.value.code, "Write it whole" in capsys.readouterr().err) == (2, True)
