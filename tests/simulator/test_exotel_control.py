"""The control doors and the command line, on a real server process where that is the promise."""

import asyncio
import json
import os
import sys
from pathlib import Path

import httpx
import pytest

from simulator.exotel.exchange import exchange
from simulator.exotel.settings import ExotelSettingRefused, ExotelSettings, changed
from tests.simulator.exotel_rig import EXOPHONE, Bot, rig, speech

ROOT = Path(__file__).parents[2]


async def answers(bot: Bot) -> None:
    await bot.until("start")
    await bot.say(speech("Hello"), "m")
    await bot.until("mark")


async def listens(bot: Bot) -> None:
    await bot.until("start")
    await bot.drain()


async def command(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.parametrize(
    ("partial", "why"),
    [
        ({"colour": "red"}, "no ExotelSettings setting 'colour'"),
        ({"frame_ms": 50}, "one of 20, 100"),
        ({"numbers_format": "91"}, "one of 0, \\+91"),
        ({"burst_frames": 0}, "at least 1"),
        ({"details_delay_s": -1}, "at least 0"),
        ({"price_per_minute": "cheap"}, "decimal"),
        ({"exophones": [{"number": "12"}]}, "ten digits"),
        ({"exophones": [{"number": EXOPHONE, "branch_a": [{"kind": "dance"}]}]}, "kind must be one of"),
        ({"people": [{"number": EXOPHONE, "outcome": "maybe"}]}, "outcome must be one of"),
        ({"people": "nobody"}, "list of tables"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(partial, why):
    with pytest.raises(ExotelSettingRefused, match=why):
        changed(ExotelSettings(), partial)


async def test_settings_are_changed_all_or_none(tmp_path):
    async with rig(tmp_path, answers) as line:
        response = await line.http.post("/control/settings", json={"exotel": {"max_ahead_ms": 7}, "llm_first_token_ms": "fast"})
        assert response.status_code == 400
        assert "llm_first_token_ms" in response.json()["error"]
        assert exchange(line.state).settings.max_ahead_ms == 2_000
        shown = (await line.http.post("/control/settings", json={"exotel": {"max_ahead_ms": 700}})).json()
    assert shown["exotel"]["max_ahead_ms"] == 700


async def test_the_callers_rules_for_the_model_are_in_force_while_the_call_lives(tmp_path):
    async with rig(tmp_path, listens) as line:
        before = len(line.state.replies.rules)
        rule = {"heard": "xyz", "say": "Only for this call"}
        running = asyncio.create_task(line.call({"pause_ms": 1_500}, {"hangup": True}, reply=[rule]))
        while not line.bots:
            await asyncio.sleep(0.01)
        during = [found.say for found in line.state.replies.rules]
        await running
        assert during[0] == "Only for this call"
        assert len(line.state.replies.rules) == before


async def test_whoever_stops_watching_hangs_up(tmp_path):
    async with rig(tmp_path, listens) as line:
        order = {"to": EXOPHONE, "scenario": {"step": [{"pause_ms": 60_000}, {"hangup": True}]}}
        async with line.http.stream("POST", "/control/calls", json=order) as response:
            async for text in response.aiter_lines():
                if json.loads(text)["event"] == "stream_opened":
                    break
        (call,) = exchange(line.state).calls.values()
        await line.finished(call.sid)
    assert line.bots[0].messages[-1]["stop"]["reason"] == "callended"


async def test_the_state_shows_live_calls_and_faults(tmp_path):
    async with rig(tmp_path, answers) as line:
        ordered = await line.http.post("/control/faults", json={"target": "s3.put", "fault": "hang"})
        await line.call({"wait_for_close": True})
        seen = (await line.http.get("/control/state")).json()
        await line.http.delete("/control/faults")
        cleared = (await line.http.get("/control/state")).json()
    assert ordered.status_code == 201
    assert seen["calls"] == {"over": 1}
    assert [fault["target"] for fault in seen["faults"]] == ["s3.put"]
    assert cleared["faults"] == []


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"too": 1}', b'{"to": "+918047112233", "scenario": {"step": []}}'])
async def test_an_order_that_makes_no_sense_is_400_with_the_reason(tmp_path, body):
    async with rig(tmp_path, answers) as line:
        response = await line.http.post("/control/calls", content=body)
    assert response.status_code == 400
    assert response.json()["error"]


async def test_the_command_line_plays_a_scenario_and_judges(tmp_path):
    scenario = tmp_path / "short.toml"
    scenario.write_text('[[step]]\nwait_for_agent = { quiet_ms = 100 }\n[[step]]\nsay = "Fine"\n[[step]]\nwait_for_close = true\n')

    async def talks(bot: Bot) -> None:
        await answers(bot)
        await bot.listen(0.8)

    async with rig(tmp_path, talks) as line:
        port = line.url.rsplit(":", 1)[1]
        arguments = ("call", "--port", port, "--to", EXOPHONE, "--scenario", str(scenario))
        code, out, err = await command(*arguments)
        assert (code, err) == (0, "")
        assert "caller: Fine" in out
        assert "heard: Hello" in out
        code, out, _ = await command(*arguments, "--json")
        events = [json.loads(text) for text in out.splitlines()]
        assert (code, events[-1]["event"], events[-1]["report"]["ok"]) == (0, "report", True)
        code, out, _ = await command(*arguments, "--count", "4", "--concurrency", "2")
        assert code == 0
        assert out.startswith("calls: 4  ok: 4")
        callers = {call.from_number for call in exchange(line.state).calls.values()}
        assert len(callers) == 5


async def test_the_command_line_says_why_a_call_failed(tmp_path):
    async def breaks(bot: Bot) -> None:
        await bot.until("start")
        await bot.media(bytes(100))

    async with rig(tmp_path, breaks) as line:
        port = line.url.rsplit(":", 1)[1]
        code, out, _ = await command("call", "--port", port, "--to", EXOPHONE, "--scenario", "silent")
        assert code == 1
        assert "BREACH undersized: 100 bytes" in out
        assert "FAILED" in out
        code, _, err = await command("call", "--port", port, "--to", "+910000000000", "--scenario", "silent")
        assert code == 2
        assert "nobody answers +910000000000" in err


async def test_a_server_that_is_not_there_is_one_clear_line(tmp_path):
    code, out, err = await command("call", "--port", "1", "--to", EXOPHONE, "--scenario", "silent")
    assert (code, out) == (2, "")
    assert err == "simulator: no simulator answers at http://127.0.0.1:1; start it with: python -m simulator serve\n"


@pytest.mark.processes
async def test_serve_reads_its_settings_and_says_where_it_listens(tmp_path):
    settings = tmp_path / "settings.toml"
    settings.write_text(f'llm_first_token_ms = 5\n[exotel]\nsid = "acme1"\n[[exotel.exophones]]\nnumber = "{EXOPHONE}"\n')
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator", "serve", "--port", "0", "--settings", str(settings), "--data", str(tmp_path / "scratch")),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ},
    )
    assert process.stdout is not None
    try:
        first = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        url = first.split()[1]
        async with httpx.AsyncClient(base_url=url, timeout=60) as http:
            state = (await http.get("/control/state")).json()
            parties = [
                (await http.get(path)).status_code for path in ("/healthz", "/openai/v1/models", "/deepgram/v1/listen", "/s3/bucket")
            ]
    finally:
        process.terminate()
        await process.wait()
    assert state["settings"]["exotel"]["sid"] == "acme1"
    assert state["settings"]["exotel"]["public_url"] == url
    assert state["settings"]["llm_first_token_ms"] == 5
    assert parties[0] == 200
    assert 404 not in parties


@pytest.mark.parametrize(
    ("text", "why"), [("a = ", "is not TOML"), ("[exotel]\ncolour = 1", "no ExotelSettings setting"), ("speech = 'song'", "speech must be")]
)
async def test_serve_refuses_bad_settings_with_one_line(tmp_path, text, why):
    settings = tmp_path / "settings.toml"
    settings.write_text(text)
    code, _, err = await command("serve", "--port", "0", "--settings", str(settings))
    assert code == 2
    assert why in err
    assert len(err.splitlines()) == 1


async def test_serve_names_a_taken_port(tmp_path):
    async with rig(tmp_path, answers) as line:
        port = line.url.rsplit(":", 1)[1]
        code, _, err = await command("serve", "--port", port)
    assert code == 2
    assert f"port {port}" in err
