"""Every page with nothing, with a normal morning and with absurd rows, wide and narrow, light and dark.

With SCREENSHOTS=<directory> each look is also written there for people to judge: `make screenshots` does so, README shows four of them.
"""

import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from calls import broadcast
from calls.models import Session
from tests.browser import scenes
from tests.browser.conftest import NARROW, WIDE, axe
from tests.calls import made_calls as made

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOKS = [("wide", WIDE, "light"), ("wide-dark", WIDE, "dark"), ("narrow", NARROW, "light"), ("narrow-dark", NARROW, "dark")]
# What sticks out of the page to the right, unless an ancestor scrolls it.
OVERFLOWING = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("body *")].filter((node) => node.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 5).map((node) => node.tagName + "." + node.getAttribute("class"))"""
# Controls that a screen reader could not name.
NAMELESS = """() => [...document.querySelectorAll("button, a[href], input:not([type=hidden]), select, audio")]
  .filter((node) => node.checkVisibility() && !node.innerText?.trim() && !node.ariaLabel && !node.labels?.length && !node.title)
  .filter((node) => node.tagName !== "AUDIO").map((node) => node.outerHTML.slice(0, 120))"""


# One screen of each, as README shows them; of other pages, but for the live one that fits its screen, all of it is written.
IN_README = ("live-wide", "call-wide", "agents-page-wide", "analytics-wide-dark")


async def judge(page: Page, name: str) -> None:
    """No page scrolls sideways, and every control has a name."""
    if directory := os.environ.get("SCREENSHOTS"):
        Path(directory).mkdir(parents=True, exist_ok=True)
        await page.evaluate("() => scrollTo(0, 0)")
        await page.screenshot(path=Path(directory) / f"{name}.png", full_page=name not in IN_README and not name.startswith("live"))
    assert await page.evaluate(OVERFLOWING) == [], name
    assert await page.evaluate(NAMELESS) == [], name


AXED = ("wide", "narrow-dark")


async def look(
    open_page, user, path: str, name: str, *, connected: bool = False, speaking: Session | None = None, axed: bool = True
) -> None:
    """Judges a page in every look; unless `axed` is off axe does too, in two of them: it takes its time."""
    # The recording's link leads to a bucket that is not there; a page that is not there is one of the pages.
    page = await open_page(path, user, allowed=("404 (Not Found)",))
    if connected or speaking:
        await expect(page.locator(".connection")).to_have_attribute("data-state", "live")
        await expect(page.locator(".turn").first).to_be_visible()
    if await page.locator("[data-waveform]").count():
        await expect(page.locator(".wave-inside")).to_be_visible()
    if speaking:
        words = {"speaker": "caller", "text": "No, that is all. Oh, one thing: do I need to bring", "interim": True}
        await broadcast.live_update_async(speaking, "turn.updated", words)
        await expect(page.locator(".turn.interim")).to_be_visible()
    for look_name, (width, height), scheme in LOOKS:
        await page.set_viewport_size({"width": width, "height": height})
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await judge(page, f"{name}-{look_name}")
        if axed and look_name in AXED:
            assert await axe(page) == [], f"{name}-{look_name}"
    await page.context.close()


async def test_the_pages_of_a_normal_morning(open_page, do, operator):
    operator.first_name, operator.last_name, operator.is_staff = "Asha", "Rao", True
    await do(operator.save)
    calls = await do(scenes.clinic_morning, operator)
    await look(open_page, operator, "/", "live", speaking=calls["live"])
    await look(open_page, operator, "/calls/", "list")
    await look(open_page, operator, f"/calls/{calls['settled'].session_id}/", "call", connected=True)
    await look(open_page, operator, f"/calls/{calls['live'].session_id}/", "call-live", connected=True)
    await look(open_page, operator, "/money/", "money")
    await look(open_page, operator, f"/calls/{calls['failed'].session_id}/", "call-failed")


async def test_the_pages_with_absurd_rows(open_page, do, operator):
    calls = await do(scenes.absurd, operator)
    await look(open_page, operator, "/", "live-absurd", connected=True)
    await look(open_page, operator, "/calls/", "list-absurd")
    await look(open_page, operator, f"/calls/{calls['settled'].session_id}/", "call-absurd")
    await look(open_page, operator, "/money/", "money-absurd")


async def test_the_pages_of_somebody_who_has_nothing_yet(open_page, operator):
    await look(open_page, operator, "/", "live-empty")
    await look(open_page, operator, "/calls/", "list-empty")
    await look(open_page, operator, "/calls/?status=busy", "list-no-match")
    await look(open_page, operator, "/money/", "money-empty")
    await look(open_page, None, "/login/", "login")
    await look(open_page, None, "/nowhere/", "not-found")


async def test_a_person_logs_in_changes_the_theme_and_logs_out(open_page, operator):
    page = await open_page("/calls/")
    await page.get_by_label("User name").fill(operator.username)
    await page.get_by_label("Password").fill("wrong")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("alert")).to_contain_text("correct")
    await page.get_by_label("Password").fill(made.PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", name="Calls", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Switch between light and dark").click()
    await page.reload()
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()


async def test_the_list_is_filtered_and_continued_without_a_page_load(open_page, do, operator):
    await do(_sixty_calls, operator)
    page = await open_page("/calls/", operator)
    await page.evaluate("() => { window.stayed = true }")
    rows = page.locator("tr.call")
    await expect(rows).to_have_count(40)
    await page.get_by_role("link", name="Older calls").click()
    await expect(rows).to_have_count(60)
    await page.locator("#filter-number").fill("09876 500007")
    await expect(rows).to_have_count(1)
    assert page.url.endswith("/calls/?number=09876%20500007")
    await page.locator("#filter-status").select_option("busy")
    await expect(page.get_by_text("No call matches")).to_be_visible()
    assert await page.evaluate("() => window.stayed")


def _sixty_calls(owner) -> None:
    agent = made.agent_of(owner)
    for index in range(60):
        made.ringing_call(agent, user_phone=f"+919876500{index:03}")
