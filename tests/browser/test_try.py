"""Somebody talks to a draft from the browser: a microphone fed with a recording, real sockets, and sound that is really played."""

import re
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from django.contrib.auth.models import Permission
from django.db import connections
from playwright.async_api import Browser, Page, async_playwright, expect

from agents import drafts
from agents.models import Agent
from calls.models import CallEvent, CallLog
from simulator.speech import tones
from telephony import media
from tests.browser.conftest import FLAGS, axe
from tests.browser.test_looks import LOOKS, judge
from tests.calls import made_calls as made
from tests.telephony.servers import eventually, serving
from tests.telephony.test_media_socket import vendors as vendors

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
RATE_HZ = 48_000
GREETING = "Namaste, this is the draft."
# The recording on this microphone is no person in a room: what is meant for those would take its tones for noise.
AS_IT_IS = """() => {
  const devices = navigator.mediaDevices;
  const real = devices.getUserMedia.bind(devices);
  window.wishes = [];
  devices.getUserMedia = (wishes) => {
    window.wishes.push(wishes.audio);
    if (window.refusal) return Promise.reject(new DOMException("", window.refusal));
    return real({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  };
}"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """What the microphone hears, over and over: a pause in which a busy machine can greet, somebody who wants an appointment, a pause."""
    said = np.frombuffer(tones.write("I need an appointment on Monday", RATE_HZ), "<i2")
    path = tmp_path / "microphone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.concatenate([np.zeros(9 * RATE_HZ, "<i2"), said, np.zeros(9 * RATE_HZ, "<i2")]).tobytes())
    return path


@pytest_asyncio.fixture(loop_scope="session")
async def browser(chromium: str, recording: Path) -> AsyncIterator[Browser]:
    heard = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={recording}"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, *heard])
        yield browser
        await browser.close()


@pytest.fixture
def line(vendors, media_port) -> Iterator[None]:
    """A media process of this process, where the web process says that it is."""
    with serving(media.application, lifespan="on", port=media_port):
        yield
    connections.close_all()


def a_draft(owner) -> Agent:
    owner.user_permissions.add(Permission.objects.get(codename="change_agent"))
    agent = made.agent_of(owner, "Clinic reception", first_message="Namaste, this is live. {{customer.name}}")
    agent.first_message = GREETING
    drafts.save_draft(agent, by=owner)
    return agent


def as_kept() -> tuple[CallLog, dict]:
    log = eventually(lambda: CallLog.objects.filter(status="completed").select_related("session").first())
    return log, CallEvent.objects.get(session=log.session, kind="stream-ended").facts


def part(page: Page, name: str):
    return page.locator(f'[data-part="{name}"]')


async def test_somebody_talks_to_a_draft_and_opens_the_call_behind_it(open_page, do, operator, line):
    agent = await do(a_draft, operator)
    page = await open_page(f"/agents/{agent.pk}/", operator)
    await page.get_by_role("link", name="Try it", exact=True).click()
    await expect(page.get_by_label("Who answers")).to_have_value("draft")
    for look, (width, height), scheme in LOOKS:
        await page.set_viewport_size({"width": width, "height": height})
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await judge(page, f"try-{look}")
    await page.set_viewport_size({"width": 1440, "height": 900})
    assert await axe(page) == []

    await page.evaluate(AS_IT_IS)
    talk = page.get_by_role("button", name=re.compile("Start talking|Try again"))
    for refusal, words in (("NotAllowedError", "may not use the microphone"), ("NotFoundError", "no microphone")):
        await page.evaluate("(name) => { window.refusal = name }", refusal)
        await talk.click()
        await expect(part(page, "problem")).to_contain_text(words)
    assert await do(CallLog.objects.count) == 0

    await page.evaluate("() => { window.refusal = '' }")
    await talk.click()
    await expect(part(page, "state")).to_have_text("On the line")
    wishes = await page.evaluate("window.wishes.at(-1)")
    assert wishes == {"echoCancellation": True, "noiseSuppression": True, "autoGainControl": True, "channelCount": 1}
    log = part(page, "log")
    await expect(log.locator(".turn.agent").first).to_contain_text(GREETING)
    # A browser without enough of the machine drops pieces of what its microphone hears: some of the words are proof enough.
    await expect(log.locator(".turn.caller").filter(has_text=re.compile("need|appoint|Monday")).first).to_be_visible(timeout=60_000)
    await expect(log.locator(".turn.agent").nth(1)).to_be_visible(timeout=60_000)
    await expect(part(page, "latency")).to_contain_text(re.compile(r"answered in \d"))
    await expect(log.locator(".turn-latency .strip").first).to_be_visible()
    await page.wait_for_function("Number(document.getElementById('try').dataset.played) > 8000")
    assert float(await page.locator("#try").get_attribute("data-loudest")) > 0.05
    await page.get_by_role("button", name="Mute").click()
    await expect(page.get_by_role("button", name="Unmute")).to_have_attribute("aria-pressed", "true")
    for look, (width, height), scheme in LOOKS:
        await page.set_viewport_size({"width": width, "height": height})
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await judge(page, f"try-talking-{look}")
    assert await axe(page) == []

    await page.get_by_role("button", name="End").click()
    await expect(part(page, "state")).to_have_text("Over")
    await expect(part(page, "why")).to_contain_text("hung up")
    kept, stream = await do(as_kept)
    assert (kept.is_test, kept.ended_by, kept.confirmation, kept.call_sid) == (True, "caller", "confirmed", None)
    assert stream["marks_back"] >= 2  # told when it had been played: the greeting, and the answer
    await page.get_by_role("link", name="Open this call").click()
    await expect(page.get_by_text("None: a test is not recorded.")).to_be_visible()
    await expect(page.locator("#call-facts")).to_contain_text("Draft, begun on 1")
    await expect(page.locator("#call-facts")).to_contain_text("a test from a browser")
    await judge(page, "try-call")
