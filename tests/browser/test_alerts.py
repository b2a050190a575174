"""The bell rings, the page says what is wrong, somebody takes it; judged by axe, at two widths and in both themes, with absurd rows."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.utils import timezone
from playwright.async_api import expect

from calls.alerting import watching
from calls.models import Alert, AlertRule
from engine.events import TurnLatency
from tests.browser.conftest import axe
from tests.browser.test_looks import AXED, LOOKS, judge
from tests.calls import made_calls as made

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SLOW = TurnLatency(endpointing_ms=310, llm_ms=3100, tts_ms=150, total_ms=3600)


def _first_rules() -> None:
    AlertRule.objects.all().delete()
    import_module("calls.migrations.0013_alerts").add_first_rules(apps, None)


def _slow_morning(owner) -> None:
    agent = made.agent_of(owner, "Old desk", llm_model="gpt-4o-mini")
    for _ in range(6):
        made.exchange(made.talking_call(agent), 1, "Hello?", "Good day.", latency=SLOW)
    watching.judge_all()
    over = {"fired_at": timezone.now() - timedelta(hours=5), "resolved_at": timezone.now() - timedelta(hours=4)}
    figures = {"value": "25.00", "limit": "20.00", "window_minutes": 30, "calls": 8, "failed": 2}
    rule = AlertRule.objects.get(kind="failures")
    for how in Alert.How.values:
        Alert.objects.create(rule=rule, owner=owner, kind="failures", figures=figures, latest=figures, how=how, **over)


def _absurd(owner) -> None:
    agent = made.agent_of(owner, "Rajalakshmi-Venkataraghavan-Customer-Experience-Escalation-Desk-Chennai-Mylapore-24x7" + "x" * 30)
    calls = [made.ringing_call(agent).session_id for _ in range(10)]
    figures = {"value": "100", "limit": "1", "window_minutes": 1439, "calls": 9_999_999, "failed": 10**9, "requests": 10**9}
    figures["categories"] = {"<b>" + "y" * 90: 1}
    rules = AlertRule.objects.bulk_create(
        AlertRule(owner=owner, kind="provider", threshold=1, agent=agent, recipients="a@example.com") for _ in range(110)
    )
    note = {"acknowledged_at": timezone.now(), "acknowledged_by": "u" * 150, "note": "W" * 500}
    for number, rule in enumerate(rules):
        Alert.objects.create(
            rule=rule,
            owner=owner,
            kind="provider",
            agent=agent,
            subject="z" * 80,
            figures=figures,
            calls=calls,
            **(note if number == 3 else {}),
        )


async def test_an_operator_hears_the_bell_and_looks_after_an_alert(open_page, do, operator):
    await do(_first_rules)
    page = await open_page("/alerts/", operator)
    await expect(page.get_by_text("Nothing is wrong that a rule could see")).to_be_visible()
    await expect(page.locator(".bell")).to_have_attribute("aria-label", "Alerts: none")
    await _judged(page, "alerts-empty")

    await do(_slow_morning, operator)
    await page.goto("/calls/")
    bell = page.get_by_role("link", name="Alerts: 2 new, 2 open")
    await expect(bell.locator(".bell-count")).to_have_text("2")
    await bell.click()
    slow = page.locator(".alert", has_text="Slow answers")
    await expect(slow).to_contain_text("took 3.60 s or longer, over 6 calls; the limit is 2.00 s.")
    await expect(slow.locator(".evidence a")).to_have_count(6)
    await expect(page.locator(".alert", has_text="gpt-4o-mini")).to_contain_text("Move to gpt-6-luna.")
    await _judged(page, "alerts")
    await slow.get_by_placeholder("What you found").fill("The model is slow today, a stand-in is chosen.")
    await slow.get_by_role("button", name="I look after it").press("Enter")
    await expect(slow).to_contain_text(f"{operator.username} looks after it")
    await expect(page.locator(".bell-count")).to_have_text("1")
    await slow.locator(".evidence a").first.click()
    await expect(page.locator("h1")).to_be_visible()
    assert "/calls/sess_" in page.url

    await do(_absurd, operator)
    await page.goto("/alerts/")
    await expect(page.locator(".bell-count")).to_have_text("99+")
    await _judged(page, "alerts-absurd")


async def _judged(page, name: str) -> None:
    for look_name, (width, height), scheme in LOOKS:
        await page.set_viewport_size({"width": width, "height": height})
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await judge(page, f"{name}-{look_name}")
        if look_name in AXED:
            assert await axe(page) == [], f"{name}-{look_name}"
