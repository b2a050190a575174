"""An operator watches a call from its first ring to its end, in a real browser."""

import re

import pytest
from playwright.async_api import expect

from calls import broadcast, commands
from calls.models import Session
from tests.calls import made_calls as made

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Starts a heartbeat now instead of within 15 s.
COMES_BACK_INTO_VIEW = "() => document.dispatchEvent(new Event('visibilitychange'))"


def hangup_requested(session: Session) -> bool:
    return Session.objects.get(pk=session.pk).hangup_requested_at is not None


async def test_a_call_appears_its_transcript_grows_and_it_ends(open_page, do, operator):
    agent = await do(made.agent_of, operator, "Clinic reception")
    page = await open_page("/", operator)
    await expect(page.get_by_text("Ready for your first call")).to_be_visible()
    await expect(page.locator(".connection")).to_have_attribute("data-state", "live")

    session = await do(made.ringing_call, agent)
    row = page.locator(".call-row")
    await expect(row).to_contain_text("Clinic reception")
    await expect(row).to_contain_text("+91••••••••12")
    await expect(row).to_contain_text("Dialling")
    assert "9876543" not in await page.content()

    claim = {"token_id": await do(commands.issue_media_token, session), "call_sid": "", "stream_sid": "stream"}
    session = await do(commands.claim_media, **claim)
    await expect(row).to_contain_text("In progress")
    await expect(row.locator("time")).to_have_text(re.compile(r"^0:0[1-9]$"))

    await broadcast.live_update_async(session, "turn.updated", {"speaker": "caller", "text": "I would like to", "interim": True})
    interim = page.locator(".turn.interim")
    await expect(interim).to_contain_text("I would like to")
    await do(
        made.exchange,
        session,
        0,
        "I would like to come on Monday",
        "Monday at ten is free",
        generated="Monday at ten is free and so is noon",
    )
    await expect(interim).to_have_count(0)
    await expect(page.locator(".turn.caller .turn-text")).to_have_text("I would like to come on Monday")
    await expect(page.locator(".turn.agent s")).to_have_text("and so is noon")
    await expect(page.locator(".turn.agent .turn-latency")).to_contain_text("790 ms")
    await expect(row).to_contain_text("Monday at ten is free")

    await page.reload()
    await expect(page.locator(".turn.agent s")).to_have_text("and so is noon")

    await do(made.end, session)
    await expect(row).to_contain_text("Completed")
    await expect(page.locator('[data-part="watch-end"]')).to_have_text("The caller hung up")
    await expect(page.locator('[data-part="count"]')).to_have_text("0")


async def test_what_a_caller_says_never_becomes_markup(open_page, do, operator):
    hostile = "<img src=x onerror=alert(1)><script>document.title='owned'</script>"
    agent = await do(made.agent_of, operator, "<b>Agent</b>")
    session = await do(made.talking_call, agent)
    page = await open_page("/", operator)
    await expect(page.locator(".connection")).to_have_attribute("data-state", "live")
    await do(made.exchange, session, 0, hostile, hostile, generated=hostile + hostile)
    await expect(page.locator(".turn.agent")).to_have_count(1)
    await broadcast.live_update_async(session, "turn.updated", {"speaker": "caller", "text": hostile})
    await expect(page.locator(".turn.caller .turn-text").first).to_have_text(hostile)
    await expect(page.locator(".turn.interim .turn-text")).to_have_text(hostile)
    await expect(page.locator(".call-agent")).to_have_text("<b>Agent</b>")
    assert await page.locator("#live img, #live script, .call-agent b").count() == 0
    page = await open_page(f"/calls/{session.session_id}/", operator)
    await expect(page.locator(".turn.agent s")).to_have_text(hostile)
    assert await page.locator("#call img, #call script").count() == 0


async def test_an_operator_hangs_up_after_confirming(open_page, do, operator):
    session = await do(made.talking_call, await do(made.agent_of, operator))
    page = await open_page("/", operator)
    await page.get_by_role("button", name="Hang up").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert not await do(hangup_requested, session)
    await page.get_by_role("button", name="Hang up").click()
    await page.get_by_role("dialog").get_by_role("button", name="Hang up").click()
    await expect(page.get_by_role("button", name="Hanging up")).to_be_disabled()
    assert await do(hangup_requested, session)


async def test_the_call_that_is_hung_up_is_the_one_that_is_watched_now(open_page, do, operator):
    first = await do(made.talking_call, await do(made.agent_of, operator, "First"))
    page = await open_page("/", operator)
    await expect(page.locator('[data-part="watch-agent"]')).to_have_text("First")
    second = await do(made.talking_call, await do(made.agent_of, operator, "Second"))
    await page.locator(".call-row", has_text="Second").click()
    await page.get_by_role("button", name="Hang up").click()
    await page.get_by_role("dialog").get_by_role("button", name="Hang up").click()
    await expect(page.get_by_role("button", name="Hanging up")).to_be_disabled()
    assert await do(hangup_requested, second) and not await do(hangup_requested, first)


async def test_a_call_that_somebody_reaches_for_is_not_taken_from_under_their_hands(open_page, do, operator):
    first = await do(made.talking_call, await do(made.agent_of, operator, "First"))
    page = await open_page("/", operator)
    title = page.locator('[data-part="watch-agent"]')
    await page.get_by_label("Whisper to the agent").fill("Her name is")
    await do(made.talking_call, await do(made.agent_of, operator, "Second"))
    await expect(page.locator(".call-row")).to_have_count(2)
    await do(made.end, first)
    await expect(page.locator('[data-part="count"]')).to_have_text("1")
    await expect(title).to_have_text("First")


async def test_the_answer_to_a_hang_up_that_comes_after_its_news_enables_nothing(open_page, do, operator):
    await do(made.talking_call, await do(made.agent_of, operator))
    page = await open_page("/", operator)
    hanging_up = page.get_by_role("button", name="Hanging up")

    async def answer_late(route) -> None:
        response = await route.fetch()
        await hanging_up.wait_for()
        await route.fulfill(response=response)

    await page.route("**/hangup/", answer_late)
    await page.get_by_role("button", name="Hang up").click()
    await page.get_by_role("dialog").get_by_role("button", name="Hang up").click()
    await hanging_up.wait_for()
    await expect(page.locator('[data-part="hangup"].htmx-request')).to_have_count(0)
    await expect(hanging_up).to_be_disabled()


async def test_a_call_page_follows_its_call(open_page, do, operator):
    operator.is_superuser = True  # who may see numbers
    await do(operator.save)
    session = await do(made.talking_call, await do(made.agent_of, operator))
    page = await open_page(f"/calls/{session.session_id}/", operator)
    await expect(page.locator(".connection")).to_have_attribute("data-state", "live")
    await do(made.exchange, session, 0, "Hello?", "Hello, this is the clinic.")
    await expect(page.locator(".turn")).to_have_count(2)
    await do(made.use, session)
    await do(made.end, session)
    await do(commands.account, session)
    await expect(page.locator('[data-part="status"]')).to_have_text("Completed")
    await expect(page.locator(".costs")).to_contain_text("₹1.416")
    await expect(page.get_by_role("button", name="Hang up")).to_have_count(0)
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator("[data-number]")).to_have_text("+919876543212")
    await page.get_by_role("button", name="Hide").click()
    await expect(page.locator("[data-number]")).to_have_text("+91••••••••12")


async def test_the_socket_says_that_it_reconnects_and_comes_back(open_page, do, operator):
    agent = await do(made.agent_of, operator)
    page = await open_page("/", operator, allowed=("ERR_INTERNET_DISCONNECTED",))
    state = page.locator(".connection")
    await expect(state).to_have_attribute("data-state", "live")
    await page.context.set_offline(True)
    # The browser keeps an open socket when it goes offline, as a sleeping laptop does: the heartbeat has to find out.
    await page.evaluate(COMES_BACK_INTO_VIEW)
    await expect(state).to_have_attribute("data-state", "reconnecting", timeout=40_000)
    await expect(state).to_contain_text("Reconnecting")
    await do(made.talking_call, agent)
    await page.context.set_offline(False)
    await expect(state).to_have_attribute("data-state", "live")
    await expect(page.locator(".call-row")).to_have_count(1)


async def test_a_log_out_elsewhere_stops_the_watching(open_page, do, operator):
    page = await open_page("/", operator, allowed=("401 (Unauthorized)",))  # the bell asks too
    state = page.locator(".connection")
    await expect(state).to_have_attribute("data-state", "live")
    operator.is_active = False
    await do(operator.save)
    await page.evaluate(COMES_BACK_INTO_VIEW)
    await expect(state).to_have_attribute("data-state", "refused", timeout=40_000)
    await expect(state).to_contain_text("Log in again")
