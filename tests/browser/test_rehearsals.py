"""An operator tries an agent out in writing, says a line otherwise, makes a scenario of it, and watches it being rehearsed."""

from urllib.parse import urlsplit

import pytest
from django.conf import settings
from playwright.async_api import expect

from calls.jobs import run_job
from calls.models import Job, RehearsalResult, Scenario
from calls.rehearsing import runs
from simulator.replies import parse
from tests.browser.conftest import axe
from tests.browser.test_looks import look
from tests.calls import made_calls as made

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RULES = [
    {"prompt": "You answer the phone of a clinic", "heard": "(?i)tuesday", "say": "Tuesday at five is booked for you."},
    {"prompt": "You answer the phone of a clinic", "heard": "", "say": "Which day would suit you?"},
    {"prompt": "You play a person", "heard": "(?i)booked", "say": "Thank you. [hang up]"},
    {"prompt": "You play a person", "heard": "", "say": "Tuesday please."},
]


@pytest.fixture
def script(minds, monkeypatch):
    monkeypatch.setattr(settings, "OPENAI_BASE_URL", f"{minds.http}/openai/v1")
    layer = parse(RULES)
    minds.state.replies.push(layer)
    yield
    minds.state.replies.remove(layer)


def _hold_what_waits() -> None:
    for job in Job.objects.filter(kind="calls.rehearse"):
        run_job(job.pk, job.kind, runs.rehearse, runs.MOST_TRIES)


def _absurd(agent) -> None:
    wishes = [{"kind": "says", "wish": "x" * 490}, {"kind": "judged", "wish": "<script>alert(1)</script> " * 12}]
    Scenario.objects.create(agent=agent, name="Rindfleischetikettierung" * 5, goal="रिसेप्शन " * 60, assertions=wishes, by_voice=True)
    RehearsalResult.objects.update(by_voice=True)


async def test_an_agent_is_tried_in_writing_and_rehearsed(open_page, do, operator, script):
    operator.is_superuser = operator.is_staff = True
    await do(operator.save)
    agent = await do(made.agent_of, operator, "Clinic desk", first_message="Namaste, Asha Clinic.")
    page = await open_page(f"/agents/{agent.pk}/", operator)
    await page.get_by_role("link", name="Try it in writing").click()
    await page.get_by_role("button", name="With version 1").click()
    await expect(page.get_by_text("Namaste, Asha Clinic.")).to_be_visible()
    line = page.get_by_label("What you say", exact=True)
    await line.fill("Good morning")
    await line.press("Enter")
    await expect(page.get_by_text("Which day would suit you?")).to_be_visible()
    await expect(line).to_be_focused()
    await line.fill("The same again")
    await line.press("Enter")
    await expect(page.get_by_text("Which day would suit you?")).to_have_count(2)
    await page.get_by_text("Say it otherwise").first.click()
    await page.get_by_label("What you say instead").first.fill("Is Tuesday free?")
    await page.get_by_role("button", name="Replay from here").first.click()
    await expect(page.get_by_text("Tuesday at five is booked for you.")).to_be_visible()
    await expect(page.locator(".turn.caller").last).to_contain_text("The same again")  # said again without being asked
    assert await axe(page) == []
    talk = page.url
    await page.get_by_role("link", name="Make it a scenario").click()
    await page.get_by_label("Name", exact=True).fill("Wants Tuesday")
    await page.get_by_label("What the conversation must show").fill("says: booked\nended by: caller\nsays: a unicorn")
    assert await axe(page) == []
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("button", name="Rehearse version 1").click()
    await expect(page.get_by_role("heading", name="0 of 1 are over")).to_be_visible()
    await do(_hold_what_waits)
    await expect(page.get_by_role("heading", name="0 of 1 passed")).to_be_visible()
    await expect(page.get_by_text("it was never said")).to_be_visible()
    assert await axe(page) == []
    run = page.url
    await page.get_by_role("link", name="Transcript").click()
    await expect(page.locator("#turn-1")).to_contain_text("Namaste")
    await do(_absurd, agent)
    await look(open_page, operator, f"/agents/{agent.pk}/try/text/", "written-talks")
    await look(open_page, operator, urlsplit(talk).path, "written-talk")
    await look(open_page, operator, f"/agents/{agent.pk}/rehearsals/", "rehearsals")
    await look(open_page, operator, f"/agents/{agent.pk}/rehearsals/new/", "scenario")
    await look(open_page, operator, urlsplit(run).path, "rehearsal-run")
