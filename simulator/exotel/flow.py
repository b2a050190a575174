"""The applets of a flow, in order: Voicebot, Passthru (200: branch A, 302: branch B), the branch's own, last an asynchronous Passthru.

A Passthru is visited although the caller has gone; an applet that needs somebody on the line is not.
"""

import asyncio
from typing import TYPE_CHECKING, Any

import httpx

from simulator.exotel import voicebot
from simulator.exotel.calls import Leg, now_utc
from simulator.exotel.params import Params, applet_params, with_dial, with_query, with_stream
from simulator.exotel.people import talk_to_each_other
from simulator.exotel.settings import Applet, Exophone
from simulator.scenario import Press

if TYPE_CHECKING:
    from simulator.exotel.life import CallLife

OPERATOR_SAYS_S = 0.5


async def run(life: "CallLife", phone: Exophone) -> None:
    """Returns when the flow has no further applet."""
    if phone.voicebot_url:
        await voicebot.run(life, phone.voicebot_url)
    branch = phone.branch_a
    if phone.passthru_url:
        branch = phone.branch_a if await passthru(life, phone.passthru_url) else phone.branch_b
    for applet in branch:
        if applet.kind == "hangup":
            break
        await _visit(life, applet)
    if phone.after_stream_url:
        life.exchange.deliveries.passthru(life.call, life.settings, phone.after_stream_url, params(life))


async def passthru(life: "CallLife", url: str) -> bool:
    """True: branch A (200), False: branch B (302). What else is answered is undocumented: see `passthru_other_is_a`."""
    answer = await fetch(life, url)
    status = answer.status_code if answer is not None else 0
    life.call.tell("passthru", status=status)
    return status == 200 or (status != 302 and life.settings.passthru_other_is_a)


async def _visit(life: "CallLife", applet: Applet) -> None:
    if applet.kind == "passthru":
        if applet.wait:
            await passthru(life, applet.url)
        else:
            life.exchange.deliveries.passthru(life.call, life.settings, applet.url, params(life))
    elif not life.is_human_there:
        life.call.tell("applet_skipped", applet=applet.kind)
    elif applet.kind == "connect":
        await _connect(life, applet)
    elif applet.kind == "greeting":
        await _greeting(life, applet)
    elif applet.kind == "gather":
        await _gather(life, applet)


def params(life: "CallLife") -> Params:
    """What an applet sends at this moment of the call."""
    now = now_utc()
    sent = applet_params(life.call, life.settings, now)
    if life.dialled:
        sent = with_dial(sent, life.dialled, life.call, life.settings, now)
    if life.call.stream is not None:
        sent = with_stream(sent, life.call.stream, life.call, life.settings)
    return sent


async def fetch(life: "CallLife", url: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> httpx.Response | None:
    """One request of an applet with all its parameters; None: no answer in time. A redirect is an answer, never followed."""
    target = with_query(url, params(life))
    try:
        return await life.exchange.http.request(method, target, headers=headers, timeout=life.settings.webhook_timeout_s)
    except httpx.HTTPError as error:
        life.call.tell("applet_unanswered", why=type(error).__name__)
        return None


async def _connect(life: "CallLife", applet: Applet) -> None:
    """Dials the configured numbers, or those that the dynamic URL answers, in order until somebody answers."""
    numbers = applet.numbers
    if applet.url:
        numbers = numbers_of(await fetch(life, applet.url, headers={"Exotel-Version": "1.0"}))
    if not numbers:
        life.call.tell("nobody_dialled")
    for number in numbers:
        leg = Leg(number)
        life.call.legs.append(leg)
        life.dialled.append(leg)
        if await life.ring(leg) == "answer":
            await talk_to_each_other(life, leg)
            return


async def _greeting(life: "CallLife", applet: Applet) -> None:
    """Asks twice, HEAD and GET, as the real one does; only `text/plain` is played."""
    head = await fetch(life, applet.url, method="HEAD")
    answer = await fetch(life, applet.url)
    if head is None or answer is None or answer.status_code != 200:
        return
    kinds = {response.headers.get("content-type", "").split(";")[0].strip() for response in (head, answer)}
    life.call.tell("greeting", played=kinds == {"text/plain"})
    if kinds == {"text/plain"}:
        await asyncio.sleep(OPERATOR_SAYS_S)


async def _gather(life: "CallLife", applet: Applet) -> None:
    """Asks for the prompt; the person's keys are those of the scenario's `press` steps."""
    answer = await fetch(life, applet.url, headers={"Exotel-Version": "1.0"})
    if answer is None or answer.status_code != 200:
        return
    most = _json_of(answer).get("max_input_digits", 1)
    pressed = "".join(step.digits for step in life.scenario.steps if isinstance(step, Press))
    life.call.digits = pressed[: most if isinstance(most, int) else 1]
    life.call.tell("gathered", digits=len(life.call.digits))
    await asyncio.sleep(OPERATOR_SAYS_S)


def _json_of(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def numbers_of(answer: httpx.Response | None) -> tuple[str, ...]:
    """Both forms of a dynamic Connect answer: the JSON object, and comma-separated text."""
    if answer is None or answer.status_code != 200:
        return ()
    destination = _json_of(answer).get("destination")
    if isinstance(destination, dict) and isinstance(destination.get("numbers"), list):
        return tuple(str(number) for number in destination["numbers"])
    if answer.headers.get("content-type", "").startswith("text/plain"):
        return tuple(number.strip() for number in answer.text.split(",") if number.strip())
    return ()
