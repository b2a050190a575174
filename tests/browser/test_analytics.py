"""Analytics in a real browser: drawn in both themes and widths, judged by axe, and every bar leads to its calls."""

import random
import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.async_api import expect

from calls.analytics import keeping
from telephony.models import Phone
from tests.browser import scenes
from tests.browser.conftest import axe
from tests.browser.test_looks import LOOKS, judge
from tests.calls import made_calls as made
from tests.calls.analytics import counted_calls as counted

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

DRAWN = """() => [...document.querySelectorAll(".chart canvas")].map((canvas) =>
  new Set(new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size)"""


def _two_weeks(owner) -> None:
    luck = random.Random(7)
    name = "Rajalakshmi-Venkataraghavan-Customer-Experience-Escalation-Desk-Chennai-Mylapore-24x7"
    who = [*counted.agents(owner), (agent := made.agent_of(owner, name), [agent.current_version])]
    for _ in range(160):
        counted.call(luck, luck.choice(who), timezone.now() - timedelta(hours=luck.triangular(0, 14 * 24, 30)), priced=True)
    Phone.objects.create(number="+918047110000", label="Not given to anybody yet")
    scenes.clinic_morning(owner)
    keeping.keep(for_s=None)


async def test_two_weeks_at_a_glance_in_every_light(open_page, do, operator):
    await do(_two_weeks, operator)
    page = await open_page("/", operator)
    await page.get_by_role("link", name="Analytics").click()
    await expect(page.get_by_role("heading", name="Analytics", level=1)).to_be_visible()
    await expect(page.locator(".chart canvas")).to_have_count(2)
    for name, (width, height), scheme in LOOKS:
        await page.set_viewport_size({"width": width, "height": height})
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert all(colours > 3 for colours in await page.evaluate(DRAWN)), name
        await judge(page, f"analytics-{name}")
        assert await axe(page) == [], name
    await page.set_viewport_size({"width": 1440, "height": 900})

    await page.get_by_text("Day by day, as a table").click()
    table = page.get_by_role("region", name="By day")
    await expect(table.locator("tbody tr")).to_have_count(7)
    for by in ("version", "number", "hour of the day"):
        await page.get_by_role("navigation", name="Put together by").get_by_role("link", name=re.compile(by, re.IGNORECASE)).click()
        await expect(page.get_by_role("heading", name=f"By {by}")).to_be_visible()
    await page.get_by_label("Direction").select_option("inbound")
    await page.get_by_label("Exact: read each call").check()
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_text("Read from each call just now")).to_be_visible()
    await judge(page, "analytics-exact")
    assert await axe(page) == []

    await page.goto("/analytics/?period=30")
    chart = page.locator('.chart[data-chart="calls"] .u-over')
    await chart.scroll_into_view_if_needed()
    box = await chart.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] * 29.5 / 30, box["y"] + box["height"] / 2)
    await expect(page.locator(".chart-tip").first).to_contain_text("answered")
    await page.mouse.click(box["x"] + box["width"] * 29.5 / 30, box["y"] + box["height"] / 2)
    today = (await do(timezone.localdate)).isoformat()
    await expect(page).to_have_url(re.compile(rf"/calls/\?since={today}&until={today}$"))
    await expect(page.locator("tr.call").first).to_be_visible()


async def test_nothing_to_show_is_said(open_page, operator):
    page = await open_page("/analytics/", operator)
    await expect(page.get_by_role("heading", name="No calls in these days")).to_be_visible()
    await judge(page, "analytics-empty")
    assert await axe(page) == []
