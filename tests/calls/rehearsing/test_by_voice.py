"""Rehearsals by voice without a line: whose voice the caller has, how many are held at once, what is left behind."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from agents import drafts
from agents.spec import Fallbacks, SpeechToTextSpec, StandIn, VoiceSpec
from calls import commands, jobs, queries
from calls.commands import Happened
from calls.jobs import LeaseLost, claim, renew, run_job
from calls.management.commands import rehearse
from calls.models import CallLog, Job, RehearsalResult, Session
from calls.rehearsing import by_voice, hearing, people, publishing, runs, spoken, voices
from calls.rehearsing.assertions import Assertion, NotUnderstood, parse
from calls.rehearsing.grading import grade
from calls.rehearsing.lines import EveryLineIsBusy, Heard, NoLine
from calls.rehearsing.stage import Answer, HangUp, Say
from calls.rehearsing.talk import AGENT, Line, Talk
from calls.rehearsing.voices import others
from telephony import telephone
from tests.calls import made_calls as made
from tests.calls.rehearsing.test_runs import held, scenario

State = RehearsalResult.State
TODAY = date(2026, 11, 23)


# --- whose voice --------------------------------------------------------------------------------------------------------


@pytest.fixture
def spec(agent):
    return agent.current_version.as_spec()


def test_a_caller_has_a_voice_that_is_not_the_agents(spec):
    deepgram, openai = replace(spec.stt, provider="deepgram"), replace(spec.llm, provider="openai-responses")
    spec = replace(spec, voice=VoiceSpec("elevenlabs-live", "agents-own", "eleven_flash_v2_5"), stt=deepgram, llm=openai)
    found = list(others(spec, "en-IN", today=TODAY))
    assert [(one.provider, one.model) for one in found] == [("deepgram", "aura-2")] * 4 + [("openai", "gpt-4o-mini-tts")] * 2
    assert {one.provider for one in others(spec, "hi", today=TODAY)} == {"openai"}, "Aura knows no Hindi"
    assert {one.provider for one in others(spec, "en", today=date(2027, 2, 1))} == {"deepgram"}, "the model is switched off by then"
    beside = replace(spec, fallbacks=Fallbacks(tts=(StandIn("elevenlabs", "eleven_flash_v2_5", "another"),)))
    assert next(others(beside, "hi", today=TODAY)).voice_id == "another"
    own = replace(spec, voice=VoiceSpec("deepgram", "aura-2-apollo-en", "aura-2"), stt=SpeechToTextSpec("deepgram", "nova-3", 300))
    assert "aura-2-apollo-en" not in {one.voice_id for one in others(own, "en", today=TODAY)}


# --- what it must show --------------------------------------------------------------------------------------------------


def test_how_soon_it_answers_is_measured_by_voice_only():
    (wanted,) = parse("answers within: 1.50 s")
    assert wanted == Assertion("answers within", "1.5 seconds")
    spoken = Talk(lines=[Line(1, AGENT, "Hello")], is_spoken=True, answers=[(1, 400), (3, 1600), (5, 900)])
    verdict = grade([wanted], spoken, cost=None)[0]
    assert (verdict.passed, verdict.turns, verdict.why) == (False, (3,), "its slowest answer began after 1.6 s")
    spoken.answers[1] = (3, 1500)
    assert grade([wanted], spoken, cost=None)[0].passed
    assert not grade([wanted], replace(spoken, answers=[]), cost=None)[0].passed
    written = grade([wanted], replace(spoken, is_spoken=False), cost=None)[0]
    assert not written.passed and "by voice only" in written.why
    unanswered = grade([wanted], replace(spoken, unanswered_ms=8000), cost=None)[0]
    assert (unanswered.passed, unanswered.turns) == (False, (1,)) and "no answer for 8.0 s" in unanswered.why
    assert grade([wanted], replace(spoken, unanswered_ms=1500), cost=None)[0].passed
    for nothing in ("answers within: soon", "answers within: 0"):
        with pytest.raises(NotUnderstood, match=r"answers within: 1\.5 seconds"):
            parse(nothing)


# --- a call, look by look -------------------------------------------------------------------------------------------------


class ScriptedLine:
    """The far side's doing, one look after the other; what the caller does is kept. Closing it ends the call."""

    def __init__(self, session: Session, *looks: Heard | Callable[[], Heard]) -> None:
        self.session, self.looks, self.done = session, list(looks), list[str]()

    def look(self) -> Heard:
        look = self.looks[0] if len(self.looks) == 1 else self.looks.pop(0)
        return look() if callable(look) else look

    def say(self, pcm: bytes) -> None:
        self.done.append(f"says {pcm.decode()}")

    def hush(self) -> float:
        self.done.append("falls silent")
        return 0.5

    def press(self, keys: str) -> None:
        self.done.append(f"presses {keys}")

    def close(self) -> None:
        self.done.append("hangs up")
        commands.end_session(self.session.session_id, reason="caller-hangup", at=timezone.now())


class Answers:
    """A caller with these answers, which keeps what they knew each time; and their voice."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.knew = list(answers), list[list[str]]()

    def answer(self, talk: Talk, *, is_asked_for_keys: bool) -> Answer:
        self.knew.append([line.text for line in talk.lines])
        return self.answers.pop(0)

    def spoken(self, text: str) -> bytes:
        return text.encode()


def hold(line: ScriptedLine, caller: Answers, **how: Any) -> Talk:
    how.setdefault("limit_s", 30.0)
    return spoken.hold(line.session, line, caller, caller, **how)  # type: ignore[arg-type]  # a voice of text


def test_who_is_talked_over_goes_on_from_what_was_said(agent, monkeypatch):
    monkeypatch.setattr(spoken, "_ROWS_EVERY_S", 0.0)
    (result,) = begun(agent)
    session = result.session
    talked(session, reason="")

    def has_asked() -> Heard:
        played = Happened(session.pk, "engine:9", "engine", "turn-played", timezone.now(), {"turn": 3, "marks": "1 of 1"})
        commands.record_talk([played])
        return Heard(now_ms=4000, quiet_ms=900, sounded_ms=900, waits_ms=(250,))

    talks, quiet = Heard(now_ms=3000, is_speaking=True, overlap_ms=800, quiet_ms=0), Heard(now_ms=900)
    line = ScriptedLine(session, quiet, quiet, quiet, talks, talks, has_asked, Heard(now_ms=5000, quiet_ms=900, sounded_ms=900))
    caller = Answers(Say("I would like an appointment"), HangUp())
    talk = hold(line, caller, speaks_first=True)
    assert line.done == ["says I would like an appointment", "falls silent", "hangs up"]
    assert caller.knew == [[], ["I would like", "Which day?"]]
    assert (talk.answers, talk.flaws, talk.reason) == ([(3, 250)], [], "caller-hangup")


def test_each_wait_counts_also_those_before_one_turn_and_after_the_last(agent, monkeypatch):
    monkeypatch.setattr(spoken, "_ROWS_EVERY_S", 0.0)
    (result,) = begun(agent)
    session = result.session
    talked(session, reason="")

    def has_answered() -> Heard:
        played = Happened(session.pk, "engine:9", "engine", "turn-played", timezone.now(), {"turn": 3, "marks": "1 of 1"})
        commands.record_talk([played])
        return Heard(now_ms=9000, quiet_ms=900, sounded_ms=900, waits_ms=(250, 3000))

    quiet, over = Heard(now_ms=900), Heard(now_ms=20_000, is_over=True, sounded_ms=950, waits_ms=(250, 3000, 700), waiting_ms=6000)
    says = [quiet, quiet, quiet, Heard(now_ms=2000, is_speaking=True)]
    line = ScriptedLine(session, *says, Heard(now_ms=2500), Heard(now_ms=2500), has_answered, *[Heard(now_ms=9900)] * 3, over)
    talk = hold(line, Answers(Say("Hello"), Say("Thank you"), HangUp()), speaks_first=True)
    assert talk.answers == [(3, 250), (3, 3000), (3, 700)]
    assert line.done == ["says Hello", "says Thank you", "hangs up"]


def test_keys_are_pressed_once_for_each_wish(agent, monkeypatch):
    monkeypatch.setattr(spoken, "_ROWS_EVERY_S", 0.0)
    (result,) = begun(agent)
    talked(result.session, reason="")
    commands.begin_tool_run(result.session.session_id, tool="collect_digits", arguments={}, acts=False)
    looks = [Heard(now_ms=2000 + place, quiet_ms=900, sounded_ms=900) for place in range(8)]
    line = ScriptedLine(result.session, *looks, Heard(now_ms=3000, is_over=True, sounded_ms=900))
    hold(line, Answers(Say("47 11#")))
    assert line.done == ["presses 4711#", "hangs up"]


def test_a_dead_line_is_hung_up_and_passes_nothing(agent):
    (result,) = begun(agent)
    talked(result.session, reason="")
    line = ScriptedLine(result.session, Heard(now_ms=45_000))
    assert hold(line, Answers()).flaws == [spoken.DEAD_AIR, spoken.NO_SOUND]
    assert line.done == ["hangs up"]


def test_whatever_goes_wrong_the_line_is_closed(agent):
    (result,) = begun(agent)
    talked(result.session, reason="")

    def is_lost() -> None:
        raise LeaseLost

    for how, error in (({"beat": is_lost}, LeaseLost), ({"limit_s": -1}, spoken.CallTookTooLong)):
        line = ScriptedLine(result.session, Heard(now_ms=100))
        with pytest.raises(error):
            hold(line, Answers(), **how)
        assert line.done == ["hangs up"]


def test_a_line_that_is_closed_before_it_began_is_no_call(agent, monkeypatch):
    monkeypatch.setattr(spoken, "BEGINS_WITHIN_S", 0.0)
    monkeypatch.setattr(ScriptedLine, "close", lambda line: None)
    (result,) = begun(agent)
    with pytest.raises(NoLine, match="before it began"):
        hold(ScriptedLine(result.session, Heard(is_over=True)), Answers())


# --- how many, and what is left -----------------------------------------------------------------------------------------


def job_of(result: RehearsalResult) -> Job:
    return Job.objects.get(session=result.session, kind="calls.rehearse")


def begun(agent, count: int = 1) -> list[RehearsalResult]:
    for number in range(count):
        scenario(agent, name=f"Scenario {number}", by_voice=True)
    return list(runs.begin_run(agent, by=None).results.select_related("session"))


def run(result: RehearsalResult) -> RehearsalResult:
    job = job_of(result)
    run_job(job.pk, job.kind, runs.rehearse, runs.MOST_TRIES)
    result.refresh_from_db()
    return result


def talked(session: Session, reason: str = "link-lost") -> None:
    """The call was begun, and has ended."""
    token_id = commands.issue_media_token(session)
    commands.claim_media(token_id=token_id, call_sid=session.session_id, stream_sid="stream1")
    made.exchange(session, 1, "Hello", "Which day?")
    if reason:
        commands.end_session(session.session_id, reason=reason, at=timezone.now())


def test_a_run_is_held_as_each_scenario_says_or_as_it_is_asked_for(agent):
    scenario(agent, name="A", by_voice=True)
    scenario(agent, name="B")
    ways = [list(runs.begin_run(agent, by=None, by_voice=way).results.values_list("by_voice", flat=True)) for way in (None, True, False)]
    assert ways == [[True, False], [True, True], [False, False]]


@pytest.mark.django_db
def test_a_release_before_may_still_write():
    with connection.cursor() as cursor:
        for table in ("calls_scenario", "calls_rehearsalresult", "audit_scenariochange"):
            cursor.execute(
                "SELECT column_default FROM information_schema.columns WHERE table_name = %s AND column_name = 'by_voice'", [table]
            )
            assert cursor.fetchone() == ("false",), table


def test_the_command_chooses_the_way(agent, settings, capsys):
    settings.REHEARSE_MEDIA_URL = "ws://127.0.0.1:9"
    scenario(agent)
    with pytest.raises(SystemExit):
        call_command("rehearse", agent.name, "--by-voice", "--at-once", "1")
    assert RehearsalResult.objects.get().by_voice and "No media process answers" in capsys.readouterr().out
    with pytest.raises(CommandError, match="not allowed with"):
        call_command("rehearse", agent.name, "--by-voice", "--in-writing")


def test_only_so_many_are_held_at_once_and_the_next_follows(agent, settings):
    settings.REHEARSE_BY_VOICE_AT_ONCE = 1
    settings.REHEARSE_MEDIA_URL = "ws://127.0.0.1:9"
    first, second = begun(agent, 2)
    RehearsalResult.objects.filter(pk=first.pk).update(state=State.RUNNING)
    job = claim(job_of(first).pk)
    assert job is not None
    assert run(second).state == State.WAITING
    waiting = job_of(second)
    assert (waiting.state, waiting.attempts) == ("queued", 0) and waiting.run_at > timezone.now() + timedelta(seconds=20)
    assert "REHEARSE_BY_VOICE_AT_ONCE" in waiting.last_error
    jobs.finish(job, runs.rehearse(first.session, job))
    assert job_of(second).run_at <= timezone.now(), "its turn has come"
    assert run(second).state == State.BROKEN


def test_a_seat_of_a_worker_that_died_is_free_again(agent, settings):
    settings.REHEARSE_BY_VOICE_AT_ONCE = 1
    settings.REHEARSE_MEDIA_URL = "ws://127.0.0.1:9"
    first, second = begun(agent, 2)
    RehearsalResult.objects.filter(pk=first.pk).update(state=State.RUNNING)
    Job.objects.filter(pk=job_of(first).pk).update(state=Job.State.RUNNING, lease_until=timezone.now() - timedelta(seconds=1))
    assert run(second).state == State.BROKEN


def test_whatever_goes_wrong_the_seat_is_left_for_who_waits(agent, settings, monkeypatch):
    def is_broken(session: Session) -> ScriptedLine:
        raise ZeroDivisionError

    settings.REHEARSE_BY_VOICE_AT_ONCE = 1
    first, second, third = begun(agent, 3)
    Job.objects.filter(session__in=[second.session, third.session]).update(run_at=timezone.now() + timedelta(seconds=300))
    monkeypatch.setattr(by_voice, "open_line", is_broken)
    assert run(first).state == State.WAITING
    assert (job_of(first).state, job_of(first).attempts) == ("queued", 1)
    assert [job_of(one).run_at <= timezone.now() for one in (second, third)] == [True, False]
    settings.REHEARSE_BY_VOICE_AT_ONCE = 2
    Job.objects.filter(session__in=[second.session, third.session]).update(run_at=timezone.now() + timedelta(seconds=300))
    by_voice.next_please()
    assert all(job_of(one).run_at <= timezone.now() for one in (second, third)), "two may have been left at once"


def test_lines_that_are_busy_for_long_are_said_so(agent, monkeypatch):
    def is_full(session: Session) -> ScriptedLine:
        raise EveryLineIsBusy("Full, or without its database.")

    monkeypatch.setattr(by_voice, "open_line", is_full)
    (result,) = begun(agent)
    assert run(result).state == State.WAITING and job_of(result).last_error == "Full, or without its database."
    began_s = timezone.now().timestamp() - 1801
    cache.set(f"rehearsal-busy:{result.pk}", began_s, 60)
    Job.objects.filter(pk=job_of(result).pk).update(run_at=timezone.now())
    assert run(result).state == State.BROKEN
    assert result.problem == "No media process took the call for 30 minutes. The last answer: Full, or without its database."


def test_limits_leave_room_for_what_comes_behind_them(settings):
    answers_s = 2 * people.LIMIT_S + 2 * voices.SPEECH_LIMIT_S + spoken.QUIET_WITHIN_S
    ends_s = telephone.CLOSE_LIMIT_S + spoken.ROWS_WITHIN_S
    assert answers_s + ends_s < by_voice.LEASE_S
    opens_s = telephone.OPENS_WITHIN_S + telephone.CLOSE_LIMIT_S
    assert opens_s + spoken.LIMIT_S + answers_s + ends_s < settings.CELERY_TASK_SOFT_TIME_LIMIT


def test_the_command_waits_for_a_seat_until_its_own_limit(agent, monkeypatch):
    waits = iter(range(3))

    def sleep(_s: float) -> None:
        if next(waits, None) == 2:
            become_free()

    monkeypatch.setattr("calls.management.commands.rehearse.time.sleep", sleep)
    monkeypatch.setattr(by_voice, "open_line", lambda session: (_ for _ in ()).throw(NoLine("Nobody is there.")))
    (result,) = begun(agent)
    Job.objects.filter(pk=job_of(result).pk).update(run_at=timezone.now() + timedelta(seconds=300))

    def become_free() -> None:
        Job.objects.filter(pk=job_of(result).pk).update(run_at=timezone.now())

    rehearse._held(job_of(result).pk, time.monotonic() + 60)
    result.refresh_from_db()
    assert (result.state, result.problem) == (State.BROKEN, "Nobody is there.")


def test_a_door_that_does_not_answer_is_said(agent, settings):
    settings.REHEARSE_MEDIA_URL = "ws://127.0.0.1:9"
    (result,) = begun(agent)
    assert run(result).state == State.BROKEN
    assert result.problem.startswith("No media process answers at ws://127.0.0.1:9.")
    log = CallLog.objects.get(session=result.session)
    assert (log.status, log.is_test) == ("canceled", True)


@pytest.mark.parametrize(
    ("reason", "state"),
    [("agent-goodbye", "passed"), ("link-lost", "broken"), ("shutdown", "broken"), ("operator-hangup", "broken"), ("crash", "failed")],
)
def test_half_a_call_shows_nothing(agent, monkeypatch, reason, state):
    def opened(session: Session) -> ScriptedLine:
        talked(session, reason=reason)
        return ScriptedLine(session, Heard(is_over=True, sounded_ms=900))

    monkeypatch.setattr(by_voice, "open_line", opened)
    scenario(agent, "never says: unicorn\nwithin: 300 seconds", by_voice=True)
    result = run(runs.begin_run(agent, by=None).results.get())
    assert (result.state, f"was cut off ({reason})" in result.problem) == (state, state == "broken")


def test_a_call_whose_worker_died_broke_off_and_is_not_held_again(agent):
    (result,) = begun(agent)
    talked(result.session)
    RehearsalResult.objects.filter(pk=result.pk).update(state=State.RUNNING)
    assert run(result).state == State.BROKEN
    assert "broke off" in result.problem and result.lasted_ms is not None
    assert result.session.turns.count() == 2, "what was said stays to be read"


def test_a_call_that_goes_on_without_its_worker_is_made_to_end(agent):
    (result,) = begun(agent)
    talked(result.session, reason="")
    RehearsalResult.objects.filter(pk=result.pk).update(state=State.RUNNING)
    assert run(result).state == State.RUNNING
    assert commands.sessions_alive([result.session.session_id]) == {result.session.session_id}, "its conversation is told to hang up"
    commands.end_session(result.session.session_id, reason="operator-hangup", at=timezone.now())
    Job.objects.filter(session=result.session, kind="calls.rehearse").update(run_at=timezone.now())
    assert run(result).state == State.BROKEN


def test_what_was_stopped_while_its_worker_died_is_stopped(agent):
    (result,) = begun(agent)
    RehearsalResult.objects.filter(pk=result.pk).update(state=State.RUNNING)
    assert runs.stop_run(result.run), "what is held by voice can be stopped"
    talked(result.session)
    assert run(result).state == State.STOPPED


def test_a_lease_is_renewed_only_by_who_has_it(agent):
    (result,) = begun(agent)
    job = claim(job_of(result).pk)
    assert job is not None
    renew(job, 30)
    job.refresh_from_db()
    assert job.lease_until is not None and job.lease_until < timezone.now() + timedelta(seconds=31)
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now())
    with pytest.raises(LeaseLost):
        renew(job, 30)


def test_a_rehearsed_call_is_shown_while_it_talks_and_neither_read_nor_recorded(agent):
    (result,) = begun(agent)
    assert not queries.calls_in_progress(agent.owner).exists()
    talked(result.session, reason="")
    assert queries.calls_in_progress(agent.owner).get() == result.session
    commands.end_session(result.session.session_id, reason="caller-hangup", at=timezone.now())
    kinds = set(Job.objects.filter(session=result.session).values_list("kind", flat=True))
    assert kinds == {"calls.rehearse", "calls.account"}


def test_the_talk_is_read_from_its_rows(agent):
    (result,) = begun(agent)
    session = result.session
    talked(session, reason="")
    begun_run = commands.begin_tool_run(session.session_id, tool="collect_digits", arguments={}, acts=False)
    assert hearing.asks_for_keys(session) == begun_run.run_id
    commands.end_tool_run(begun_run.run_id or 0, state="done", result="4 digits")
    assert not hearing.asks_for_keys(session) and hearing.state(session) == "active"
    commands.end_session(session.session_id, reason="agent-goodbye", at=timezone.now())
    talk = hearing.whole_talk(session)
    assert hearing.state(session) == "ended" and talk.is_spoken and talk.reason == "agent-goodbye"
    assert [line.speaker for line in talk.lines] == ["caller", "agent"]
    assert [(use.name, use.ok, use.turn) for use in talk.tools] == [("collect_digits", True, talk.lines[-1].number)]
    assert hearing.played_turns(session, after=0) == [], "its words are there, but it was not played to its end"
    played = Happened(session.pk, "engine:9", "engine", "turn-played", timezone.now(), {"turn": talk.lines[-1].number, "marks": "1 of 1"})
    commands.record_talk([played])
    ((pk, line),) = hearing.played_turns(session, after=0)
    assert line.text == "Which day?" and hearing.played_turns(session, after=pk) == []


def test_by_voice_shows_what_is_asked_for_in_writing_but_not_the_reverse(agent):
    one = scenario(agent)
    publishing.require(agent, True, by=agent.owner)
    agent.prompt += " Be kind."
    drafts.save_draft(agent, by=agent.owner)
    result = runs.begin_run(agent, by=None, is_draft=True, by_voice=True).results.get()
    RehearsalResult.objects.filter(pk=result.pk).update(state=State.PASSED, ended_at=timezone.now())
    spec = drafts.spec_of(agent).to_json()
    assert runs.missing(agent, spec) == []
    one.by_voice = True
    one.save()
    assert runs.missing(agent, spec) == []
    RehearsalResult.objects.filter(pk=result.pk).update(by_voice=False)
    assert runs.missing(agent, spec) == [one]
    with pytest.raises(ValidationError, match="Books a slot"):
        drafts.publish_draft(agent, by=agent.owner, reason="Kinder")


def test_what_fails_in_writing_says_nothing_of_what_is_asked_for_by_voice(agent):
    one = scenario(agent, by_voice=True)
    spec = agent.current_version.spec
    spoken_one, written = (runs.begin_run(agent, by=None, by_voice=way).results.get() for way in (True, False))
    RehearsalResult.objects.filter(pk=spoken_one.pk).update(state=State.PASSED, ended_at=timezone.now())
    RehearsalResult.objects.filter(pk=written.pk).update(state=State.FAILED, ended_at=timezone.now())
    assert runs.missing(agent, spec) == []
    RehearsalResult.objects.filter(pk=written.pk).update(by_voice=True)
    assert runs.missing(agent, spec) == [one]


def test_stopping_what_waits_ends_it(agent):
    (result,) = begun(agent)
    assert runs.stop_run(result.run)
    assert held(result.run).results[0].state == State.STOPPED
    assert Session.objects.get(pk=result.session_id).state == "ended"
