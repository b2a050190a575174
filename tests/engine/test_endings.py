"""Every way a call ends: one end, one reason, and a goodbye that is heard."""

import asyncio

import pytest

from engine.events import AgentTurnEnded, AgentTurnInterrupted, EndReason, SessionEnded, UserTurnEnded
from engine.session import ConversationSession, SessionParts
from engine.tuning import Tuning
from tests.engine.carrier import HangsUp, Line, Says
from tests.engine.stage import GOODBYE, GREETING, STILL_THERE, Scene, perform, plan
from tests.engine.vendors import Ears, Mind, Thought, Voice
from tests.engine.virtual_loop import play

BYE = [Says(4000, "that is all thank you")]
END_CALL = [("end_call", "{}")]


def heard_audio_ms(scene):
    return len(bytes(scene.line.played).rstrip(b"\x00")) / 16


def test_a_goodbye_of_the_model_is_heard_to_its_end():
    farewell = "You are welcome. See you tomorrow at five, Mister Kumar."
    scene = perform(BYE, thoughts=[Thought(farewell, calls=END_CALL)])

    assert scene.reason is EndReason.AGENT_GOODBYE
    assert scene.dialogue[-1] == ("agent", farewell)
    played_whole = sum(len(text) * 50 for text in scene.voice.spoken)
    audio = bytes(scene.line.played)
    assert audio.count(b"\x01\x10") == played_whole * 8  # every sample that the voice made came out of the carrier
    last_sent_ms = max(scene.ms(sent.at_s) + sent.lead_ms for sent in scene.line.sent)
    assert scene.ms(scene.line.closed_at_s) == pytest.approx(last_sent_ms + 30, abs=2)


def test_end_call_without_a_word_says_the_prepared_goodbye():
    scene = perform(BYE, thoughts=[Thought("", calls=END_CALL)])
    assert scene.reason is EndReason.AGENT_GOODBYE
    assert scene.dialogue[-1] == ("agent", GOODBYE)


def test_end_call_after_words_said_before_a_tool_still_says_goodbye():
    scene = perform(BYE, thoughts=[Thought("Let me note that.", calls=[("no_such_tool", "{}")]), Thought("", calls=END_CALL)])
    assert scene.dialogue[-1] == ("agent", f"Let me note that. {GOODBYE}")
    assert "There is no tool" in scene.mind.asked[1][-1].content


def test_without_marks_a_goodbye_is_given_its_time_and_a_little_more():
    scene = perform(line=Line(BYE, returns_marks=False), thoughts=[Thought("Bye bye now.", calls=END_CALL)])
    audio_end_ms = max(scene.ms(sent.at_s) + sent.lead_ms for sent in scene.line.sent)
    assert scene.ms(scene.line.closed_at_s) == pytest.approx(audio_end_ms + 1500, abs=2)


def test_a_caller_who_talks_during_the_goodbye_does_not_stop_it():
    script = [*BYE, Says(6800, "oh and one more thing")]
    scene = perform(script, thoughts=[Thought("Goodbye then and have a very nice day.", calls=END_CALL)])

    assert not scene.of(AgentTurnInterrupted)
    assert ("agent", "Goodbye then and have a very nice day.") in scene.dialogue
    assert scene.line.cleared_at_s == []
    assert scene.dialogue[-1][0] == "user"  # what the caller said is kept, though nobody answers


@pytest.mark.parametrize("prompts", [0, 1, 2])
def test_silence_is_asked_about_so_often_then_ends_the_call(prompts):
    scene = perform([], session_plan=plan(silence_timeout_ms=5000, tuning=Tuning(silence_prompts=prompts)))
    assert scene.dialogue == [("agent", GREETING), *[("agent", STILL_THERE)] * prompts, ("agent", GOODBYE)]
    assert scene.reason is EndReason.SILENCE
    greeting, asked = scene.of(AgentTurnEnded)[:2]
    assert asked.started_ms == pytest.approx(greeting.ended_ms + 5000 + 170, abs=5)


def test_a_caller_who_comes_back_is_asked_again_later():
    scene = perform([Says(9500, "yes I am here")], session_plan=plan(silence_timeout_ms=5000))
    assert [text for _, text in scene.dialogue].count(STILL_THERE) == 3  # one before, two after
    assert scene.reason is EndReason.SILENCE


def test_the_maximum_duration_ends_even_a_lively_talk_with_a_goodbye():
    script = [Says(3000 + index * 3000, "tell me more about it") for index in range(20)]
    story = " ".join(["This is a long story that goes on and on and on."] * 4)
    scene = perform(script, thoughts=[Thought(story)], session_plan=plan(max_duration_ms=20_000))

    assert scene.reason is EndReason.MAX_DURATION
    assert ("agent", GOODBYE) in scene.dialogue[-2:]
    assert 20_000 < scene.ms(scene.line.closed_at_s) < 22_500


def test_the_maximum_duration_holds_though_the_goodbye_cannot_be_played():
    voice = Voice(fails=[None, "stall"])
    scene = perform([], voice=voice, session_plan=plan(max_duration_ms=6000, silence_timeout_ms=60_000))
    assert scene.reason is EndReason.MAX_DURATION
    assert scene.ms(scene.line.closed_at_s) <= 16_000


def test_the_caller_hanging_up_in_mid_reply_ends_at_once():
    scene = perform([Says(4000, "tell me everything"), HangsUp(7000)], thoughts=[Thought("Once upon a time " * 20)])
    assert scene.reason is EndReason.CALLER_HANGUP
    assert scene.ended_ms < 7000 + 100
    cut = scene.of(AgentTurnEnded)[-1]
    assert cut.interrupted
    assert 0 < len(cut.heard) < len(cut.generated)
    assert not scene.of(AgentTurnInterrupted)


def test_the_last_words_before_a_hang_up_are_kept():
    scene = perform([Says(4000, "call me tomorrow morning"), HangsUp(4950)])
    assert scene.dialogue[-1] == ("user", "call me tomorrow")
    assert scene.reason is EndReason.CALLER_HANGUP


@pytest.mark.parametrize(("said", "reason"), [("stopped", EndReason.CALLER_HANGUP), ("lost", EndReason.LINK_LOST)])
def test_how_the_line_went_is_told_apart(said, reason):
    assert perform([HangsUp(5000, said)]).reason is reason


def test_a_line_that_refuses_audio_is_lost():
    scene = perform(line=Line([], breaks_after_sends=5))
    assert scene.reason is EndReason.LINK_LOST
    assert scene.ended_ms < 3000


def test_why_the_caller_left_is_believed_though_the_line_refused_audio_first():
    """The link knows of the hang-up before its last word is read behind the audio that waits."""
    line = Line([HangsUp(1300)], breaks_after_sends=5)
    scene = perform(line=line)
    assert len(line.sent) == 5  # the sixth, refused, was due at 1170
    assert scene.reason is EndReason.CALLER_HANGUP


@pytest.mark.parametrize("reason", [EndReason.OPERATOR_HANGUP, EndReason.SHUTDOWN])
def test_our_own_wish_to_end_is_carried_out_with_a_goodbye(reason):
    scene = Scene()

    async def run():
        line = Line([Says(3000, "tell me more")])
        ears = Ears(line.script)
        scene.line = line
        session = ConversationSession(
            plan(), SessionParts(ears, Mind([Thought("A very long answer " * 10)]), Voice()), line, scene.events.append
        )
        asyncio.get_running_loop().call_later(6, session.request_end, reason)
        asyncio.get_running_loop().call_later(6.3, session.request_end, EndReason.CALLER_HANGUP)
        await session.run()

    play(run())
    assert scene.reason is reason
    assert scene.dialogue[-1] == ("agent", GOODBYE)
    assert len(scene.of(SessionEnded)) == 1
    assert 7000 < scene.ms(scene.line.closed_at_s) < 7700


def test_a_session_that_is_cancelled_closes_the_line_and_says_so_before_it_goes():
    scene = Scene()

    async def run():
        scene.line = Line([Says(3000, "hello")])
        parts = SessionParts(Ears(scene.line.script), Mind([Thought("Yes?")]), Voice())
        session = ConversationSession(plan(), parts, scene.line, scene.events.append)
        task = asyncio.create_task(session.run())
        await asyncio.sleep(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    play(run())
    assert scene.reason is EndReason.SHUTDOWN
    assert scene.line.is_closed


def test_a_bug_ends_the_session_as_a_crash_and_is_not_hidden():
    class BuggyMind(Mind):
        def reply(self, messages, tools):
            raise KeyError("a bug")

    scene = Scene()

    async def run():
        scene.line = Line([Says(3000, "hello")])
        parts = SessionParts(Ears(scene.line.script), BuggyMind([]), Voice())
        with pytest.raises(ExceptionGroup):
            await ConversationSession(plan(), parts, scene.line, scene.events.append).run()

    play(run())
    assert scene.reason is EndReason.CRASH
    assert scene.line.is_closed


def test_an_operator_who_hangs_up_before_the_greeting_is_audible_is_obeyed():
    async def hang_up(session):
        await asyncio.sleep(0.05)
        session.request_end(EndReason.OPERATOR_HANGUP)

    scene = perform([], during=hang_up)
    assert scene.dialogue == [("agent", GOODBYE)]
    assert scene.reason is EndReason.OPERATOR_HANGUP


def test_a_turn_that_nobody_answered_any_more_is_told_once():
    scene = perform([Says(4000, "what does it cost"), HangsUp(5600)], thoughts=[Thought("A lot.", first_ms=3000)])
    assert [event.text for event in scene.of(UserTurnEnded)] == ["what does it cost"]
