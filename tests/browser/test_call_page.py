"""An operator hears a finished call, word by word, writes about it and shares it; a stranger opens the link. Real store, real sound."""

import asyncio
import hashlib
import os
import wave
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Page, expect

from calls import commands
from calls.models import CallShare, Recording, Session, Turn, Waveform
from calls.page import drawing
from providers.storage.objects import ObjectStore
from tests.browser import scenes
from tests.browser.conftest import NARROW, WIDE
from tests.browser.test_looks import LOOKS, judge
from tests.calls import made_calls as made

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
RATE_HZ = 8000
# Where a word is on the screen: its middle.
MIDDLE_OF = """([turn, word]) => {
  const text = document.querySelector(`[data-turn="${turn}"] .turn-text`).firstChild, range = new Range();
  const at = text.data.indexOf(word);
  range.setStart(text, at); range.setEnd(text, at + word.length);
  range.startContainer.parentElement.scrollIntoView({ block: "center" });
  const box = range.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}"""
PLAYER = "document.querySelector('audio')"
HEARD = f"Math.round({PLAYER}.currentTime * 1000)"
SHADOW = "document.querySelector('.wave-inside > div').shadowRoot"


def recorded_call(owner, recordings, directory: Path) -> Session:
    """A booking with a recording in the bucket: a tone on the speaker's channel wherever a turn is, and its real picture."""
    session = scenes.settled_call(made.agent_of(owner, "Clinic reception"), scenes.BOOKING, minutes_ago=9)
    row = Recording.objects.get(session=session)
    lines = row.transcript or []
    length_ms = max(line["end_ms"] for line in lines) + 1500
    samples = np.zeros((RATE_HZ * length_ms // 1000, 2), dtype="<i2")
    for line in lines:
        said = slice(RATE_HZ * line["start_ms"] // 1000, RATE_HZ * line["end_ms"] // 1000)
        tone = np.sin(np.arange(said.stop - said.start) * 0.3) * np.abs(np.sin(np.arange(said.stop - said.start) / 900))
        samples[said, line["channel"]] = tone * 20_000
    path = directory / f"{session.session_id}.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())
    key, digest = f"recordings/{path.name}", hashlib.sha256(path.read_bytes()).hexdigest()
    ObjectStore(recordings).put_file(path, key, "audio/wav", digest)
    picture = drawing.draw(path, 2)
    Waveform.objects.filter(session=session).delete()
    Recording.objects.filter(session=session).update(key=key, size_bytes=path.stat().st_size, sha256=digest, duration_ms=length_ms)
    commands.waveform_drawn(session, channels=2, duration_ms=picture.duration_ms, peaks=picture.peaks)
    return session


async def until(page: Page, condition: str) -> None:
    """Playwright's own waiting evaluates strings inside the page, which its policy refuses."""
    async with asyncio.timeout(30):
        while not await page.evaluate(condition):
            await asyncio.sleep(0.02)


async def hear(page: Page, turn: str, word: str) -> int:
    await expect(page.locator(".transcript.heard")).to_be_visible()  # before that the words show no hand, and a click on them does nothing
    x, y = await page.evaluate(MIDDLE_OF, [turn, word])
    await page.mouse.click(x, y)
    await until(page, f"!{PLAYER}.paused && {PLAYER}.readyState > 1")
    heard_ms: int = await page.evaluate(HEARD)
    return heard_ms


async def pictures(page: Page, name: str) -> None:
    for look, (width, height), scheme in LOOKS:
        await page.set_viewport_size({"width": width, "height": height})
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        await judge(page, f"{name}-{look}")
    await page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})


async def test_a_call_is_heard_word_by_word_remarked_on_and_shared(open_page, do, operator, recordings, tmp_path):
    session = await do(recorded_call, operator, recordings, tmp_path)
    turns = {f"{turn.speaker}-{turn.number}": turn async for turn in Turn.objects.filter(session=session)}
    page = await open_page(f"/calls/{session.session_id}/", operator)
    asked: list[str] = []
    page.on("response", lambda answer: asked.append(f"{answer.status}") if "/s3/" in answer.url else None)
    await page.reload()
    await expect(page.get_by_role("group", name="Player")).to_be_visible()
    await expect(page.locator("audio")).to_be_hidden()
    await expect(page.locator(".wave-inside")).to_be_visible()
    await until(page, f"{SHADOW}.querySelectorAll('[part^=\"region \"]').length === {len(turns)}")
    assert asked == [], "the page draws without the recording"
    await expect(page.get_by_text("carrier 180 ms")).to_have_count(5)  # each answer, and their median

    # A word, a turn, what nobody heard.
    key = next(key for key, turn in turns.items() if "Wednesday" in turn.text)
    began_ms = 580 + turns[key].started_ms  # as the scene records agents
    at_ms = await hear(page, key, "Wednesday")
    assert began_ms + 1500 < at_ms < began_ms + 60 * len(turns[key].text), at_ms
    assert "206" in asked, "the player seeks by ranges"
    await expect(page.locator(f'[data-turn="{key}"]')).to_have_class("turn agent now")
    assert await page.evaluate("CSS.highlights.get('word-now') !== undefined")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    before = await page.evaluate(HEARD)
    await page.locator(".turn-text s").first.click()
    assert await page.evaluate(f"{PLAYER}.paused") and await page.evaluate(HEARD) == before

    # The keyboard.
    wave_ = page.get_by_role("slider", name="Place in the recording")
    await wave_.focus()
    await page.keyboard.press("Home")
    assert await page.evaluate(HEARD) == 0
    await page.keyboard.press("ArrowRight")
    assert await page.evaluate(HEARD) == 5000
    await expect(wave_).to_have_attribute("aria-valuenow", "5")
    await page.keyboard.press("PageDown")
    after = await page.evaluate(HEARD)
    assert after > 5000 and await page.evaluate(f"{PLAYER}.paused")
    await page.keyboard.press("PageUp")
    assert await page.evaluate(HEARD) < after
    await page.keyboard.press("+")
    await page.keyboard.press("+")
    await until(page, f"{SHADOW}.querySelector('.scroll').scrollWidth > {SHADOW}.querySelector('.scroll').clientWidth")
    await page.keyboard.press("-")
    await page.keyboard.press("-")
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    await page.get_by_role("button", name="Pause").click()
    await page.get_by_role("button", name="Play this turn").first.click()
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    await page.get_by_role("button", name="Pause").click()

    # Notes and tags.
    await do(commands.add_tag, session, name="call back", by=operator)
    field = page.get_by_label("New tag")
    await field.press_sequentially("ca")
    await expect(page.locator("#tag-options option")).to_have_attribute("value", "call back")
    await field.fill("VIP")
    await page.get_by_role("button", name="Add tag").click()
    await expect(page.get_by_role("list", name="Tags").get_by_role("listitem")).to_have_text(["call back", "vip"])
    await page.get_by_role("button", name="Take the tag call back away").click()
    await expect(page.get_by_role("list", name="Tags").get_by_role("listitem")).to_have_text(["vip"])
    await page.get_by_label("New note").fill("She was in a hurry. Send the map.")
    await page.get_by_role("button", name="Add note").click()
    await expect(page.locator(".notes .note").last).to_contain_text("She was in a hurry.")
    await expect(page.get_by_label("New note")).to_have_value("")

    # What was done beside the talk: in it, reached from its list, and gone with its words.
    beside = page.locator(".turn.beside")
    await expect(beside).to_have_count(3)
    await page.get_by_role("link", name="find_appointment").press("Enter")
    await expect(page.locator(".turn.tool:target")).to_contain_text("10:30")
    await page.locator(".notes .note").first.get_by_role("button", name="Take away").click()
    await page.get_by_role("dialog").get_by_role("button", name="Take away").click()
    await expect(page.locator(".turn.remark")).to_have_count(0)

    # A link for somebody without a log-in.
    await page.get_by_label("With the recording").check()
    await page.get_by_role("button", name="Make a link").click()
    link = await page.get_by_label("Link until").input_value()
    await pictures(page, "call-page")
    if directory := os.environ.get("SCREENSHOTS"):
        await page.pdf(path=Path(directory) / "call-page.pdf", format="A4", print_background=False)
    await page.emulate_media(media="print")
    await expect(page.get_by_role("heading", name="Conversation")).to_be_visible()
    await expect(beside.first).to_be_visible()
    for hidden in (page.locator(".side"), page.get_by_role("group", name="Player"), page.get_by_role("button", name="Make a link")):
        await expect(hidden).to_be_hidden()
    await page.emulate_media(media="screen")

    stranger = await open_page(link, size=NARROW, allowed=("410 (Gone)",))
    await expect(stranger.get_by_text("Hi, I would like to see Doctor Mehta")).to_be_visible()
    await expect(stranger.locator(".turn.beside")).to_have_count(0)
    assert await hear(stranger, key, "Wednesday") == pytest.approx(at_ms, abs=2000)
    await pictures(stranger, "call-shared")
    assert (await do(CallShare.objects.get)).opened == 1
    await page.get_by_role("button", name="Withdraw").click()
    await expect(page.get_by_label("Link until")).to_have_count(0)
    assert (await stranger.goto(link)).status == 410
