"""An operator hears a call, whispers to its agent, sees its tools and hands the caller over. Real sound, real sockets."""

import re
from contextlib import ExitStack

import pytest
from django.contrib.auth.models import Permission
from django.db import connections
from playwright.async_api import expect

from agents.models import Destination
from calls import commands
from calls.models import CallEvent, OperatorOrder, Session
from telephony import media, tokens
from tests.browser.caller import calling
from tests.browser.test_looks import LOOKS, judge
from tests.calls import made_calls as made
from tests.providers.exotel import payloads
from tests.telephony.servers import serving
from tests.telephony.test_media_socket import vendors as vendors

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def listen_url(vendors, settings):
    """A media process of this process, on the test's database."""
    with serving(media.application, lifespan="on") as port:
        settings.MEDIA_LISTEN_URL = f"ws://127.0.0.1:{port}"
        yield settings.MEDIA_LISTEN_URL
    connections.close_all()


def a_call(owner) -> tuple[Session, str]:
    """A call that waits for its audio, and the path of its socket."""
    for name in ("listen_live", "view_numbers"):
        owner.user_permissions.add(Permission.objects.get(codename=name, content_type__app_label="calls"))
    agent = made.agent_of(owner, "Clinic reception", first_message="Namaste, this is the clinic. How may I help you today?")
    for name in ("Billing desk", "Doctor on duty"):
        Destination.objects.create(agent=agent, name=name, description="Whoever asks for them.", numbers=["+919811100001"])
    agent.refresh_from_db()
    session = commands.open_call(
        agent_version=agent.current_version,
        direction="inbound",
        user_phone=payloads.HUMAN,
        agent_phone=payloads.EXOPHONE,
        call_sid=payloads.SID,
    )
    return session, f"/api/v1/media/exotel/{tokens.issue(session, call_sid=payloads.SID)}"


def use_a_tool(session: Session) -> None:
    run = commands.begin_tool_run(session.session_id, tool="book_appointment", arguments={"day": "Monday", "doctor": "Mehta"}, acts=True)
    assert run.run_id is not None
    commands.end_tool_run(run.run_id, state="done", result='{"confirmed": true, "time": "10:30"}')


def told(session: Session) -> list[tuple[str, str]]:
    rows = CallEvent.objects.filter(session=session, source="operator").order_by("id")
    return [(kind, facts["by"]) for kind, facts in rows.values_list("kind", "facts")]


async def test_an_operator_listens_whispers_and_hands_over(open_page, do, operator, listen_url):
    session, path = await do(a_call, operator)
    with ExitStack() as line:
        await do(line.enter_context, calling(f"{listen_url}{path}"))
        page = await open_page("/", operator)
        row, log = page.locator(".call-row"), page.locator('[data-part="log"]')
        await expect(row).to_contain_text(payloads.HUMAN)  # in full: this operator may see it
        await expect(log.locator(".turn.agent")).to_contain_text("Namaste, this is the clinic.")

        await page.get_by_role("button", name="Listen").click()
        sound = page.locator('[data-part="sound-words"]')
        await expect(sound).to_have_text(re.compile(r"^Listening, [01]\.\d s behind$"))
        await expect(page.locator('[data-part="level-caller"]')).to_have_attribute("width", re.compile(r"^[3-9]\d$"))
        await do(use_a_tool, session)
        await expect(log.locator(".turn.tool")).to_contain_text("book_appointment")
        await expect(log.locator(".turn.tool")).to_contain_text("day: Monday · doctor: Mehta")

        note = page.get_by_label("Whisper to the agent")
        await note.fill("She is a regular: <b>be warm</b>.")
        await note.press("Enter")
        await expect(note).to_have_value("")
        shown = log.locator(".turn.note")
        await expect(shown).to_contain_text("She is a regular: <b>be warm</b>.")
        await expect(shown.locator(".pill")).to_have_text("The agent knows")
        assert await page.locator(".turn.note b").count() == 0

        for look, (width, height), scheme in LOOKS:
            await page.set_viewport_size({"width": width, "height": height})
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await judge(page, f"live-help-{look}")
        await page.get_by_role("button", name="Stop listening").click()
        await expect(sound).to_be_hidden()

        await page.get_by_role("button", name="Hand over").click()
        dialog = page.get_by_role("dialog", name="Hand the caller over?")
        await dialog.get_by_role("button", name="Cancel").click()
        assert not await do(OperatorOrder.objects.filter(kind="hand-over").exists)
        await page.get_by_role("button", name="Hand over").click()
        await dialog.get_by_label("Doctor on duty").check()
        await judge(page, "live-help-whom")
        await dialog.get_by_role("button", name="Hand over").click()
        await expect(log.locator(".turn.agent").last).to_contain_text("One moment, I am connecting you.")
        await expect(page.locator('[data-part="whisper"]')).to_be_hidden()
        await expect(page.get_by_role("button", name="Listen")).to_be_hidden()
    name = operator.username
    kinds = ["listening-began", "whispered", "listening-ended", "hand-over-requested"]
    assert await do(told, session) == [(kind, name) for kind in kinds]
