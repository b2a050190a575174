"""The list of calls in a real browser: searched while typing, turned, sorted, kept as a view, in columns of one's own; judged by axe."""

import re

import pytest
from django.db import transaction
from playwright.async_api import expect

from calls import commands
from tests.browser import scenes
from tests.browser.conftest import NARROW, WIDE, axe
from tests.browser.test_looks import judge
from tests.calls import made_calls as made

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def _calls(owner) -> None:
    calls = scenes.clinic_morning(owner)
    with transaction.atomic():
        for session in calls.values():
            commands.list_call(session)
    agent = made.agent_of(owner, "Rajalakshmi-Venkataraghavan-Customer-Experience-Escalation-Desk-Chennai-Mylapore-24x7")
    for index in range(45):
        made.ringing_call(agent, user_phone=f"+919876500{index:03}")


async def test_an_operator_searches_sorts_and_keeps_what_was_found(open_page, do, operator):
    operator.is_superuser = True
    await do(operator.save)
    await do(_calls, operator)
    page = await open_page("/calls/", operator)
    await page.evaluate("() => { window.stayed = true }")
    rows = page.locator("tr.call")
    await page.get_by_label("Said in the call").fill("doctor mehta")
    await expect(page.locator("tr.said mark").first).to_have_text(re.compile("mehta|doctor", re.IGNORECASE))
    await expect(page.get_by_role("link", name="Take away: Said: doctor mehta")).to_be_visible()
    await expect(page.locator("#found")).to_have_text(re.compile(r"\d+ calls?"))
    assert await page.evaluate("() => window.stayed")
    assert await axe(page) == []

    await page.get_by_text("Save view").click()
    await page.get_by_label("Name of the view").fill("Doctor Mehta")
    await page.get_by_role("button", name="Save filters and columns").click()
    await expect(page.get_by_role("navigation", name="Saved views").get_by_role("link", name="Doctor Mehta")).to_have_attribute(
        "aria-current", "page"
    )
    await page.get_by_text("More filters").click()
    await page.get_by_label("Ended by").select_option("caller")
    for name, size, scheme in (
        ("wide", WIDE, "light"),
        ("wide-dark", WIDE, "dark"),
        ("narrow", NARROW, "light"),
        ("narrow-dark", NARROW, "dark"),
    ):
        await page.set_viewport_size({"width": size[0], "height": size[1]})
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await judge(page, f"list-searched-{name}")
        assert await axe(page) == [], name
    await page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})

    await page.goto("/calls/")
    await page.get_by_role("link", name="Older calls").click()
    await expect(page.get_by_role("link", name="Older calls")).to_have_count(0)
    assert await rows.count() > 45
    await page.get_by_role("link", name="Duration").click()
    await expect(page.get_by_role("columnheader", name="Duration")).to_have_attribute("aria-sort", "descending")
    await page.get_by_text("Columns", exact=True).click()
    await judge(page, "list-columns")
    await page.get_by_label("Turn latency").uncheck()
    await page.get_by_role("button", name="Show these").click()
    await expect(page.get_by_role("columnheader", name="Turn latency")).to_have_count(0)
    await page.get_by_text("Export", exact=True).click()
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="Excel (XLSX)").click()
    download = await waiting.value
    assert re.fullmatch(r"calls-\d{8}-\d{4}\.xlsx", download.suggested_filename) and await download.failure() is None
    assert await axe(page) == []
