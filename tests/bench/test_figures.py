"""What the bench says of reports that we know."""

import math

import pytest

from bench.capacity import find, search, verdict
from bench.figures import BUSY_LINE, Figures, figures, hushes_ms, middle, percentile, stream_of
from bench.line import problems
from bench.process import Load
from bench.tables import Capacity, Standing, as_json, markdown, table


def turn(received_ms=None, *, interrupts=False, start_ms=0, end_ms=1_000, agent_was_speaking=True):
    return {
        "received_ms": received_ms,
        "interrupts": interrupts,
        "start_ms": start_ms,
        "end_ms": end_ms,
        "agent_was_speaking": agent_was_speaking and interrupts,
    }


def report(*turns, ok=True, gaps=0, duration_ms=11_000, breaches=(), clears=(), bursts=(), first_audio_ms=1_040):
    return {
        "turns": list(turns),
        "ok": ok,
        "gaps": gaps,
        "duration_ms": duration_ms,
        "start_sent_ms": 1_000,
        "first_audio_ms": first_audio_ms,
        "opened_s": 50.0,
        "breaches": list(breaches),
        "problems": [],
        "clears_ms": list(clears),
        "bursts_ms": [list(burst) for burst in bursts],
    }


def made(reports, hushes=(), load=None, *, idle_cpu_share=0.0, calls=2) -> Figures:
    return figures(
        reports, hushes, load or Load(elapsed_ms=20_000.0, cpu_ms=100.0, grown_mb=1.0, line_busy=0.5),
        subject="ours", frame_ms=20, calls=calls, scripted_ms=600, idle_cpu_share=idle_cpu_share,
    )  # fmt: skip


@pytest.mark.parametrize(("values", "share", "expected"), [([7], 0.95, 7), (range(1, 102), 0.95, 96), ([3, 1, 2], 0.5, 2)])
def test_percentiles_are_values_that_occurred(values, share, expected):
    assert percentile(list(values), share) == expected


def test_only_answers_count_and_the_scripted_waits_are_taken_off():
    row = made([report(turn(640), turn(900, interrupts=True)), report(turn(610), ok=False, gaps=2)])
    assert (row.turns, row.completed, row.gaps, row.unanswered) == (2, 1, 2, 0)
    assert (row.added_p50_ms, row.added_p99_ms) == (10, 40)


def test_silence_where_an_answer_or_a_stop_was_due_is_counted():
    row = made([report(turn(640), turn(None))], hushes=(20.0, None))
    assert row.unanswered == 3, "one turn, one interruption, and one call without a report"
    assert row.hush_p95_ms == 20.0


def test_the_first_sound_counts_from_start():
    assert made([report(), report(first_audio_ms=1_070), report(first_audio_ms=None)]).first_p95_ms == 70


def test_cpu_is_for_one_second_of_one_call_with_and_without_the_idle_cost():
    row = made([report(duration_ms=11_000), report(duration_ms=31_000)], load=Load(elapsed_ms=40_000, cpu_ms=200.0), idle_cpu_share=0.001)
    assert (row.cpu_ms, row.cpu_over_idle_ms) == (5.0, 4.0)
    assert math.isnan(made([report(duration_ms=1_000)]).cpu_ms)


TOLD = [(51.0, "words", "I am caller 0007."), (60.2, "speech", ""), (60.6, "words", "Sorry")]


@pytest.mark.parametrize(
    ("clears", "bursts", "expected"),
    [
        ((10_230,), ((9_000, 10_190),), [30]),  # the clear is the silence
        ((10_230,), ((9_000, 10_190), (10_260, 10_290)), [90]),  # audio that still came after it
        ((10_230,), ((9_000, 10_190), (10_400, 11_500)), [None]),  # it went on talking
        ((), ((9_000, 12_000),), [None]),
        ((9_500,), ((9_600, 12_000),), [None]),  # that clear was for something else
    ],
)
def test_hush_is_from_the_report_of_speech_to_the_last_that_came(clears, bursts, expected):
    said = report(turn(interrupts=True, start_ms=10_000, end_ms=11_000), duration_ms=15_000, clears=clears, bursts=bursts)
    assert [value if value is None else round(value) for value in hushes_ms(said, TOLD)] == expected


def test_what_was_no_interruption_or_was_not_reported_has_no_hush():
    silent = report(turn(interrupts=True, start_ms=10_000, agent_was_speaking=False))
    unheard = report(turn(interrupts=True, start_ms=10_700, end_ms=11_000))
    assert hushes_ms(silent, TOLD) == hushes_ms(unheard, TOLD) == []


def test_a_stream_is_found_by_what_its_caller_said():
    assert stream_of("0007", [[(1.0, "words", "I am caller 0070.")], TOLD]) is TOLD
    assert stream_of("0001", [TOLD]) == ()


def test_the_middle_of_several_runs_is_taken_for_each_figure():
    rows = [made([report(turn(received))]) for received in (610, 700, 620)]
    assert middle(rows).added_p95_ms == 20
    assert math.isnan(middle(rows).hush_p95_ms)


def test_a_simulator_without_time_and_a_core_shared_with_others_are_told():
    calm, late, shared = (
        made([report(turn(640))], load=Load(elapsed_ms=1.0, line_busy=busy, others_on_core=others))
        for busy, others in ((0.2, 0.0), (BUSY_LINE, 0.0), (0.2, 0.5))
    )
    assert [(row.is_line_late, row.is_disturbed) for row in (calm, late, shared)] == [(False, False), (True, False), (False, True)]
    assert "85%*" in table([late])
    assert "50%~" in table([shared])
    standing = Standing("ours", 3.0, 40.0, math.nan, "0 of 10")
    text = markdown("a machine", [calm, late, shared], [standing], [Capacity("ours", 20, 150, True, "why")])
    assert [line[: line.index("20 ms")] for line in text.splitlines() if line.startswith("| ours")] == [
        "| ours | ",
        "| ours * | ",
        "| ours ~ | ",
    ]
    assert "at least 150 calls on one core" in text


def test_nothing_measured_is_null_and_not_a_number_in_json():
    told = as_json("m", [made([report(turn(640))])], [], [], [])
    assert told["rows"][0]["hush_p95_ms"] is None
    assert told["rows"][0]["added_p50_ms"] == 40


@pytest.mark.parametrize("holds", [0, 24, 25, 60, 149, 5_000])
def test_the_search_ends_within_a_tenth_of_what_is_carried(holds):
    course = search()
    calls, tried = next(course), []
    try:
        while True:
            tried.append(calls)
            calls = course.send("" if calls <= holds else f"too many at {calls}")
    except StopIteration as done:
        carried, why = done.value
    assert carried <= holds
    assert len(tried) == len(set(tried)) <= 12
    refused = min((count for count in tried if count > holds), default=None)
    assert refused is None or refused - carried <= max(1, round(carried * 0.1))
    assert refused is None or why == f"too many at {refused}"


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([report(turn(640)), report(turn(640))], ""),
        ([report(turn(760)), report(turn(760))], "p95"),
        ([report(turn(640), gaps=1), report(turn(640))], "gaps"),
        ([report(turn(640))], "without an answer"),
    ],
)
def test_a_trial_fails_by_latency_by_a_gap_or_by_silence(rows, word):
    said = verdict(made(rows))
    assert word in said
    assert bool(said) == bool(word)


def test_problems_of_one_kind_are_counted_once_a_call():
    reports = [{"problems": ["rule x at 12 ms", "rule x at 1200 ms"]}, {"problems": ["rule x at 5 ms", "closed"]}]
    assert problems(reports) == {"rule x at # ms": 2, "closed": 1}


def test_a_trial_in_which_nothing_came_through_is_a_row_too():
    row = made([], calls=25)
    assert "no call got through" in verdict(row)
    assert row.unanswered == 25
    assert "25" in table([row])


@pytest.mark.parametrize(("line_busy", "least"), [(0.2, False), (0.95, True)])
def test_a_capacity_is_at_least_so_much_where_the_line_gave_up_first(line_busy, least):
    def trial(calls):
        received_ms = 640 if calls <= 60 else 900
        return made([report(turn(received_ms))] * calls, load=Load(elapsed_ms=1.0, line_busy=line_busy), calls=calls)

    found = find("ours", 20, trial)
    assert 54 <= found.calls <= 60
    assert found.least is least
    assert "p95 of the added latency 300 ms" in found.why
