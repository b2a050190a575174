"""A key is made for a program, copied, used and revoked; the page looks right with no key, with one, and with absurd ones."""

import re

import httpx
import pytest
from playwright.async_api import expect

from access import keys
from access.scopes import SCOPES
from tests.browser.conftest import axe
from tests.browser.test_looks import look

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def _absurd(owner) -> None:
    for name in ("x" * 80, "The program that books appointments for the clinic in Pune, Aundh Road"):
        keys.make(owner=owner, name=name, scopes=SCOPES, expires_at=None)
    gone, _text = keys.make(owner=owner, name="Left long ago", scopes=["calls:read"], expires_at=None)
    keys.revoke(gone)


async def test_a_key_is_made_used_and_revoked(open_page, do, operator, web):
    await look(open_page, operator, "/keys/", "keys-empty")
    page = await open_page("/keys/", operator, allowed=("422",))
    await page.get_by_role("button", name="Make this key").click()
    await expect(page.get_by_role("alert").first).to_contain_text("No key was made")
    await page.get_by_label("Which program uses it").fill("Booking")
    await page.get_by_role("group", name="Agents, versions, tools").get_by_label("read", exact=True).check()
    await page.get_by_role("button", name="Make this key").click()
    secret = page.locator("#secret")
    await expect(secret).to_have_text(re.compile(r"^\s*va_\w{8}_\w{40}\s*$"))
    text = (await secret.inner_text()).strip()
    assert await axe(page) == []
    async with httpx.AsyncClient(base_url=web, headers={"Authorization": f"Bearer {text}"}, timeout=60) as program:
        assert (await program.get("/api/v1/agents/")).status_code == 200
        assert (await program.get("/api/v1/budgets/")).status_code == 403
        await page.goto("/keys/")
        await expect(page.get_by_text(text)).to_have_count(0)
        await expect(page.locator("tbody time").first).to_be_visible()  # last used, and when it expires
        await page.get_by_role("button", name="Revoke Booking").click()
        await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        await expect(page.get_by_role("heading", name="Revoked")).to_be_visible()
        assert (await program.get("/api/v1/agents/")).status_code == 401
    await do(_absurd, operator)
    await look(open_page, operator, "/keys/", "keys-absurd")
