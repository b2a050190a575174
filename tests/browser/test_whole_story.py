"""An operator's whole day in a real browser, against the product as it is deployed and the simulator's telephone line.

An agent is made from a template, tried by voice, published, given a number and called; the call is watched, heard and hung up, then its
page is opened, its recording played, its cost read, and the list taken away as a file. Every page on the way is judged by axe.
"""

import asyncio
import csv
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from deploy.local import demo
from telephony.management.commands.seed_demo import add_figures
from tests.browser.conftest import axe
from tests.browser.everything import Everything, everything
from tests.browser.test_call_page import HEARD, PLAYER, until
from tests.browser.test_try import AS_IT_IS, part
from tests.browser.test_try import browser as browser
from tests.browser.test_try import recording as recording
from tests.calls import made_calls as made

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.django_db(transaction=True), pytest.mark.timeout(420)]
SETTLED_MS = 120_000
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
TALK_TURNS = 48  # some minutes of talk: whoever watches decides when it ends
# Counts the sound that a page's sockets receive, beside what the page does with it.
COUNTED = """() => {
  window.heardBytes = 0;
  window.WebSocket = class extends WebSocket {
    constructor(...how) {
      super(...how);
      this.addEventListener("message", ({ data }) => { if (data instanceof ArrayBuffer) window.heardBytes += data.byteLength });
    }
  };
}"""


@pytest.fixture
def running(transactional_db, tmp_path, monkeypatch) -> Iterator[Everything]:
    with everything(tmp_path, monkeypatch) as up:
        yield up
        assert up.died() is None


@pytest.fixture
def web(running: Everything) -> str:
    """The whole product's, in place of the web process that the other tests share."""
    return running.url


def _entitled(operator) -> None:
    operator.is_staff = operator.is_superuser = True
    operator.save()
    add_figures(operator)


def _scenario(directory: Path) -> Path:
    """Somebody who asks for one appointment after the other, and never says goodbye."""
    said = [f"I need an appointment on {DAYS[turn % len(DAYS)]}" for turn in range(TALK_TURNS)]
    steps = "".join(
        f"[[step]]\nwait_for_agent = {{ quiet_ms = 600, deadline_s = 60 }}\n[[step]]\nsay = {json.dumps(text)}\n" for text in said
    )
    path = directory / "patient.toml"
    path.write_text(f'description = "Asks and asks."\n{steps}[[step]]\nwait_for_close = {{ deadline_s = 120 }}\n', encoding="utf-8")
    return path


@asynccontextmanager
async def dialling(running: Everything, directory: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Within, the simulator's Exotel has somebody call our number."""
    line = ["call", "--port", str(running.simulator), "--to", demo.EXOPHONE, "--from", demo.CALLER, "--json"]
    command = [sys.executable, "-m", "simulator", *line, "--scenario", str(_scenario(directory))]
    caller = await asyncio.create_subprocess_exec(*command, env=running.environment, stdout=asyncio.subprocess.PIPE)
    try:
        yield caller
    finally:
        if caller.returncode is None:
            caller.kill()
        await caller.wait()


def _report(output: bytes) -> dict[str, Any]:
    events = [json.loads(line) for line in output.splitlines() if line.startswith(b"{")]
    reports: list[dict[str, Any]] = [event["report"] for event in events if event["event"] == "report"]
    assert reports, output[-2000:]
    return reports[0]


async def judged(page: Page) -> None:
    assert await axe(page) == [], page.url


async def test_from_a_template_to_a_line_in_a_spreadsheet(open_page, do, operator, running, tmp_path):
    await do(_entitled, operator)
    # Whoever goes on while the price is still counted leaves that request behind.
    page = await open_page("/login/", allowed=("htmx:sendAbort", "htmx:afterRequest"))
    await judged(page)
    await page.get_by_label("User name").fill(operator.username)
    await page.get_by_label("Password").fill(made.PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_text("Ready for your first call")).to_be_visible()
    await judged(page)

    await _made(page)
    await _tried(page)
    await _published(page)
    async with dialling(running, tmp_path) as caller:
        session_id = await _watched_and_heard(page)
        await _hung_up(page)
        output, _ = await asyncio.wait_for(caller.communicate(), 60)
    report = _report(output)
    assert (report["closed_by"], report["breaches"]) == ("agent", [])
    await _read_and_played(page, session_id)
    await _exported(page, session_id)


async def _made(page: Page) -> None:
    await page.get_by_role("link", name="New agent").click()
    await judged(page)
    await page.get_by_role("link", name="Appointment desk").click()
    await expect(page.locator("#estimate")).to_contain_text(re.compile("₹.* a minute"))
    await judged(page)
    await page.get_by_role("button", name="Make this agent").click()
    await expect(page.get_by_role("heading", name="Live: version 1")).to_be_visible()
    await page.get_by_role("link", name="Edit", exact=True).click()
    await page.get_by_label("The first thing it says").fill("Good day, the clinic.")
    await page.get_by_role("button", name="Save draft").click()
    await expect(page.get_by_text("draft, not live")).to_be_visible()
    await judged(page)


async def _tried(page: Page) -> None:
    await page.get_by_role("link", name="Try the draft").click()
    await expect(page.get_by_label("Who answers")).to_have_value("draft")
    await page.evaluate(AS_IT_IS)
    await page.get_by_role("button", name="Start talking").click()
    await expect(part(page, "state")).to_have_text("On the line")
    log = part(page, "log")
    await expect(log.locator(".turn.agent").first).to_contain_text("Good day, the clinic.")
    # A browser without enough of the machine drops pieces of what its microphone hears: some of the words are proof enough.
    await expect(log.locator(".turn.caller").filter(has_text=re.compile("need|appoint|Monday")).first).to_be_visible(timeout=60_000)
    await expect(log.locator(".turn.agent .turn-latency .strip").first).to_be_visible(timeout=60_000)
    assert float(await page.locator("#try").get_attribute("data-loudest") or 0) > 0.05
    await judged(page)
    await page.get_by_role("button", name="End").click()
    await expect(part(page, "state")).to_have_text("Over")
    await page.get_by_role("link", name="Appointment desk", exact=True).click()


async def _published(page: Page) -> None:
    await page.get_by_label("Why you publish it").fill("Shorter")
    await page.get_by_role("button", name="Publish").click()
    await expect(page.get_by_role("heading", name="Live: version 2")).to_be_visible()
    await judged(page)
    await page.get_by_role("link", name="give it one").click()
    await page.get_by_label("Number").fill(demo.EXOPHONE)
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_text("was added successfully")).to_be_visible()
    await page.goto("/agents/")
    await judged(page)
    await page.get_by_role("link", name="Appointment desk").click()
    await expect(page.get_by_text(demo.EXOPHONE)).to_be_visible()
    await page.get_by_role("link", name="Live", exact=True).click()
    await expect(page.locator(".connection")).to_have_attribute("data-state", "live")


async def _watched_and_heard(page: Page) -> str:
    """From the ring on; returns the call's id."""
    row, log = page.locator(".call-row"), part(page, "log")
    await expect(row).to_contain_text(demo.CALLER)
    await expect(row).to_contain_text("In progress")
    await expect(log.locator(".turn.agent").first).to_contain_text("Good day, the clinic.")
    await page.evaluate(COUNTED)
    await page.get_by_role("button", name="Listen").click()
    await expect(part(page, "sound-words")).to_have_text(re.compile(r"^Listening, [01]\.\d s behind$"))
    for side in ("caller", "agent"):
        await expect(part(page, f"level-{side}")).to_have_attribute("width", re.compile(r"^([3-9]\d|100)$"))
    await expect(log.locator(".turn.caller").first).to_contain_text("an appointment on Monday")
    await expect(log.locator(".turn.agent").filter(has_text="Tuesday at ten is free")).to_be_visible()
    await until(page, "window.heardBytes > 100_000")
    await judged(page)
    await page.get_by_role("button", name="Stop listening").click()
    address = await part(page, "watch-open").get_attribute("href") or ""
    return address.strip("/").rsplit("/", 1)[-1]


async def _hung_up(page: Page) -> None:
    await page.get_by_role("button", name="Hang up").click()
    await page.get_by_role("dialog").get_by_role("button", name="Hang up").click()
    await expect(page.locator(".call-row")).to_contain_text("Completed", timeout=60_000)
    await part(page, "watch-open").click()
    await expect(page.get_by_role("heading", name="Appointment desk")).to_be_visible()


async def _read_and_played(page: Page, session_id: str) -> None:
    assert page.url.endswith(f"/calls/{session_id}/")
    await expect(page.get_by_role("group", name="Player")).to_be_visible(timeout=SETTLED_MS)
    await expect(page.locator("#call-side").get_by_text("Settled", exact=True)).to_be_visible(timeout=SETTLED_MS)
    await expect(page.locator(".wave-inside")).to_be_visible()
    await page.get_by_role("button", name="Play", exact=True).click()
    await until(page, f"!{PLAYER}.paused && {HEARD} > 500")
    before = await page.evaluate(HEARD)
    await until(page, f"{HEARD} > {before + 300}")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator("#call-facts")).to_contain_text(re.compile(r"₹\s?\d"))
    costs = page.locator(".costs")
    for what in ("Telephony", "Speech to text", "Language model", "Text to speech", "Transcription of the recording"):
        await expect(costs).to_contain_text(what)
    await expect(costs.locator("tfoot")).to_contain_text("Total")
    await judged(page)


async def _exported(page: Page, session_id: str) -> None:
    await page.get_by_role("link", name="Calls", exact=True).first.click()
    await expect(page.locator("tr.call", has_text="Appointment desk").first).to_contain_text("Completed")
    await judged(page)
    await page.get_by_text("Export", exact=True).click()
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="CSV").click()
    download = await waiting.value
    assert await download.failure() is None
    with (await download.path()).open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    (line,) = [line for line in lines if line["Call"] == session_id]
    assert (line["Agent"], line["Version"], line["Status"], line["From"]) == ("Appointment desk", "2", "completed", demo.CALLER)
    assert float(line["Cost INR"]) > 0
