"""For hundreds of calls at once: no file of any call stays, and the report says so by saying nothing of what was heard."""

from tests.simulator.exotel_rig import Bot, rig, speech


async def says_bye(bot: Bot) -> None:
    await bot.until("start")
    await bot.say(speech("Bye"), "end")
    await bot.until("mark")


async def test_nothing_is_kept_of_a_call_where_recordings_are_not(tmp_path):
    async with rig(tmp_path, says_bye) as line:
        await line.settings(keeps_recordings=False)
        _, report = await line.call({"wait_for_close": True})
    assert report["heard"] == ""
    assert report["agent"]
    assert report["first_audio_ms"] >= report["start_sent_ms"]
    assert [len(burst) for burst in report["bursts_ms"]] == [2]
    assert not list(tmp_path.rglob("*.wav"))
