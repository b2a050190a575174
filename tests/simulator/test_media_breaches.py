"""Every rule of Exotel's that a bot can break is noticed on the wire; a bot that keeps them all is left in peace."""

import asyncio

import pytest

from tests.simulator.exotel_rig import Bot, rig, speech


async def obeys(bot: Bot) -> None:
    await bot.pace(speech("This is a long sentence that keeps every rule there is"), "end")
    await bot.until("mark")


async def unaligned(bot: Bot) -> None:
    await bot.media(bytes(3_333 * 2))


async def undersized(bot: Bot) -> None:
    await bot.media(bytes(640))


async def oversized(bot: Bot) -> None:
    await bot.media(bytes(100_160))


async def odd_bytes(bot: Bot) -> None:
    await bot.media(bytes(3_201))


async def bad_base64(bot: Bot) -> None:
    await bot.send({"event": "media", "media": {"payload": "%%%%"}})


async def no_payload(bot: Bot) -> None:
    await bot.send({"event": "media", "media": {}})


async def too_far_ahead(bot: Bot) -> None:
    for _ in range(11):
        await bot.media(bytes(3_200))


async def unknown_event(bot: Bot) -> None:
    await bot.send({"event": "hangup"})


async def bad_json(bot: Bot) -> None:
    await bot.socket.send("{nonsense")


async def not_an_object(bot: Bot) -> None:
    await bot.socket.send("[1, 2]")


async def binary_message(bot: Bot) -> None:
    await bot.socket.send(b"\0" * 3_200)


async def mark_without_name(bot: Bot) -> None:
    await bot.send({"event": "mark", "mark": {}})


async def audio_after_clear(bot: Bot) -> None:
    await bot.media(speech("old words")[:3_200])
    while True:
        message = await bot.until("media")
        if message["media"]["payload"].strip("A="):
            break
    await bot.send({"event": "clear"})
    await bot.media(speech("old words")[3_200:6_400])


async def no_answer(bot: Bot) -> None:
    await bot.listen(0.6)


BROKEN = {
    unaligned: {"unaligned"},
    undersized: {"undersized"},
    oversized: {"oversized", "too_far_ahead"},
    odd_bytes: {"odd_bytes", "unaligned"},
    bad_base64: {"bad_base64"},
    no_payload: {"no_payload"},
    too_far_ahead: {"too_far_ahead"},
    unknown_event: {"unknown_event"},
    bad_json: {"bad_json"},
    not_an_object: {"bad_json"},
    binary_message: {"binary_message"},
    mark_without_name: {"mark_without_name"},
    audio_after_clear: {"audio_after_clear"},
    no_answer: {"no_answer"},
}


@pytest.mark.parametrize("breaks", BROKEN, ids=lambda play: play.__name__)
async def test_a_broken_rule_is_noticed_and_the_call_is_no_success(tmp_path, breaks):
    async def play(bot: Bot) -> None:
        await bot.until("start")
        await breaks(bot)
        await bot.listen(0.3)

    async with rig(tmp_path, play) as line:
        await line.settings(no_answer_s=0.5 if breaks is no_answer else 60)
        events, report = await line.call({"say": "Hello there, can you hear me well"}, {"wait_for_close": {"deadline_s": 5}})
    assert {breach["rule"] for breach in report["breaches"]} == BROKEN[breaks]
    assert {event["rule"] for event in events if event["event"] == "breach"} == BROKEN[breaks]
    assert not report["ok"]
    assert all(breach["at_ms"] >= 0 and breach["detail"] for breach in report["breaches"])


async def test_a_bot_that_keeps_the_rules_breaks_none(tmp_path):
    async def play(bot: Bot) -> None:
        await bot.until("start")
        await obeys(bot)

    async with rig(tmp_path, play) as line:
        _, report = await line.call({"wait_for_close": True})
    assert report["breaches"] == []
    assert report["ok"], report["problems"]
    assert report["heard"] == "This is a long sentence that keeps every rule there is"


async def test_an_endless_offender_is_counted_and_told_only_at_first(tmp_path):
    async def floods(bot: Bot) -> None:
        await bot.until("start")
        for _ in range(100):
            await bot.send({"event": "nonsense"})

    async with rig(tmp_path, floods) as line:
        events, report = await line.call({"wait_for_close": True})
    assert report["breach_counts"] == {"unknown_event": 100}
    assert len([event for event in events if event["event"] == "breach"]) == len(report["breaches"]) == 20


async def test_many_calls_at_once_are_carried_by_one_process(tmp_path):
    async def echoes(bot: Bot) -> None:
        await bot.until("start")
        await bot.say(bytes(3_200), "m")
        await bot.drain()

    async with rig(tmp_path, echoes) as line:
        await line.settings(max_streams=200)
        reports = await asyncio.gather(*(line.call({"pause_ms": 1_500}, {"hangup": True}) for _ in range(30)))
    assert all(report["ok"] for _, report in reports)
    assert {len(bot.messages[-1]["stop"]["call_sid"]) for bot in line.bots} == {32}
