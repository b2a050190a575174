"""An operator makes an agent from a template, keeps a draft, publishes it, compares, goes back, and reads of it in the history."""

import pytest
from django.contrib.auth.models import Permission
from playwright.async_api import expect

from agents.models import Agent, HttpTool
from calls.analytics import keeping
from tests.browser import scenes
from tests.browser.test_looks import look
from tests.calls import made_calls as made

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def _may_everything(user) -> None:
    user.user_permissions.set(Permission.objects.all())


async def test_an_agent_is_made_changed_published_and_brought_back(open_page, do, operator):
    await do(_may_everything, operator)
    # Whoever goes on while the price is still counted leaves that request behind.
    page = await open_page("/agents/", operator, allowed=("htmx:sendAbort", "htmx:afterRequest"))
    await page.get_by_role("link", name="New agent").click()
    await page.get_by_role("link", name="Appointment desk").click()
    prompt = page.get_by_label("Who it is, what it knows and what it must do")
    await expect(page.locator(".editor-shade mark.known").first).to_be_attached()
    await prompt.press("Control+End")
    await prompt.press_sequentially("\nSay {{nobody}}")
    await expect(page.locator("[data-editor-problem]").first).to_have_text("No call can fill in {{nobody}}.")
    await expect(page.locator("#estimate")).to_contain_text("There is no {{nobody}}")
    for _letter in "\nSay {{nobody}}":
        await prompt.press("Backspace")
    await expect(page.locator("[data-editor-problem]").first).to_be_empty()
    await page.get_by_role("button", name="customer.name").click()
    assert (await prompt.input_value()).endswith("{{customer.name}}")
    await page.get_by_label("Language model").fill("a-model-nobody-priced")
    await page.get_by_label("Language model").blur()
    await expect(page.locator("#estimate")).to_contain_text("no price for openai a-model-nobody-priced")
    await page.get_by_label("Language model").fill("gpt-6-luna")
    await page.get_by_role("button", name="Make this agent").click()
    await expect(page.get_by_role("heading", name="Live: version 1")).to_be_visible()

    await page.get_by_role("link", name="Edit", exact=True).click()
    await page.get_by_label("The first thing it says").fill("Good day, how may I help you?")
    await page.get_by_role("button", name="Save draft").click()
    await expect(page.get_by_text("draft, not live")).to_be_visible()
    await page.get_by_role("link", name="What differs from what is live").click()
    await expect(page.locator("ins").first).to_be_visible()
    await page.go_back()
    await page.get_by_label("Why you publish it").fill("Shorter")
    await page.get_by_role("button", name="Publish").click()
    await expect(page.get_by_role("heading", name="Live: version 2")).to_be_visible()
    await page.get_by_role("button", name="Go back to version 1").click()
    await page.get_by_role("button", name="Go back", exact=True).last.click()
    await expect(page.get_by_role("heading", name="Live: version 3")).to_be_visible()

    await page.goto("/history/")
    await expect(page.locator(".history li").first).to_contain_text("Agent")


def _absurd(owner) -> Agent:
    agent = made.agent_of(owner, "Rindfleischetikettierungsüberwachungs" * 3)
    agent.prompt = "<script>alert(1)</script> " + "x" * 4000
    HttpTool(agent=agent, name="a" * 60, description="d" * 900, url="https://api.example.com/" + "y" * 300).save()
    for number in range(25):
        agent.prompt = f"{agent.prompt[:500]}\n{'long' * 90} {number} \u202e रिसेप्शन"
        agent.save()
    return agent


async def test_how_the_pages_look(open_page, do, operator):
    await look(open_page, operator, "/agents/", "agents-empty")
    operator.is_superuser = operator.is_staff = True
    await do(operator.save)
    calls = await do(scenes.clinic_morning, operator)
    agent = calls["settled"].agent_id
    await do(_second_version, agent)
    absurd = await do(_absurd, operator)
    await look(open_page, operator, "/agents/new/", "agents-gallery")
    await look(open_page, operator, "/agents/new/hindi_receptionist/", "agents-form")
    await look(open_page, operator, "/agents/", "agents-list")
    await look(open_page, operator, f"/agents/{agent}/", "agents-page")
    await look(open_page, operator, f"/agents/{agent}/compare/", "agents-compare")
    await look(open_page, operator, f"/agents/{absurd.pk}/", "agents-page-absurd")
    await look(open_page, operator, f"/agents/{absurd.pk}/edit/", "agents-form-absurd")
    await look(open_page, operator, f"/agents/{absurd.pk}/compare/", "agents-compare-absurd")
    await look(open_page, operator, "/history/", "history")


def _second_version(pk: int) -> None:
    agent = Agent.objects.get(pk=pk)
    agent.prompt += " Ask for the name first, and read it back."
    agent.llm_temperature = 0.3
    agent.save()
    keeping.keep(for_s=None)  # what a version's calls did is counted once a minute
