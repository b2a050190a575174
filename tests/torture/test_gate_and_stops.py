"""What `make torture` stands on: requests are held at the moment that was asked for, and transactions at their commit."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest
from django.conf import settings

from calls.models import Job
from tests.calls import made_calls as made
from tests.telephony.servers import eventually, serving
from torture import stops
from torture.__main__ import BEGIN, END, joined, paste
from torture.gate import File, Gate
from torture.tale import Part, Row, markdown

KIND = "telephony.fetch_recording"


@pytest.fixture
def reached():
    """The requests that have come to the other side."""
    return []


@pytest.fixture
def gate(reached):
    async def other_side(scope, receive, send):
        await receive()
        reached.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-mine", b"1")]})
        await send({"type": "http.response.body", "body": b"carried out"})

    with serving(other_side) as port, Gate(f"http://127.0.0.1:{port}").serving() as gate:
        yield gate


@pytest.mark.parametrize(("moment", "carried_out"), [("before", 0), ("after", 1)])
def test_a_request_is_held_before_or_after_it_is_carried_out_and_is_never_answered(gate, reached, moment, carried_out):
    url = f"{gate.url}/deepgram/v1/listen"
    assert httpx.post(url, content=b"1").content == b"carried out"
    gate.hold("transcribe", moment)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(httpx.post, url, content=b"2", timeout=60)
        assert eventually(lambda: gate.held == 1)
        assert len(reached) == 1 + carried_out and not asked.done()
        assert httpx.put(f"{gate.url}/s3/recordings/recordings/a.wav").headers["x-mine"] == "1", "other doors are not held"
        gate.release()
        # Nobody is there any more to hear the answer, so there is none.
        assert asked.exception(60) is not None or asked.result().status_code == 500
    assert (gate.arrived["transcribe"], gate.passed["transcribe"]) == (2, 1 + carried_out)


def test_a_download_is_held_half_way(gate):
    gate.files["a.wav"] = File(b"0123456789")
    assert httpx.get(f"{gate.url}/recordings/a.wav").content == b"0123456789"
    gate.hold("recording", "half")
    got: list[bytes] = []

    def download():
        address = f"{gate.url}/recordings/a.wav"
        with contextlib.suppress(httpx.TransportError), httpx.stream("GET", address, timeout=60) as answer:
            got.extend(answer.iter_raw())

    thread = threading.Thread(target=download)
    thread.start()
    assert eventually(lambda: b"".join(got) == b"01234")
    gate.release()
    thread.join(60)
    assert b"".join(got) == b"01234"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("commits", "state"), [(True, "done"), (False, "running")])
def test_a_transaction_is_stopped_at_its_commit_which_happens_or_does_not(torture_database, commits, state):
    session = made.ringing_call(made.agent_of(made.operator()))
    job = Job.objects.create(kind=KIND, session=session, state=Job.State.RUNNING)

    def finish():
        with psycopg.connect(torture_database, application_name=stops.DOOMED) as worker:
            worker.execute("UPDATE calls_job SET state = 'done' WHERE id = %s", [job.pk])

    with stops.stop(torture_database, f"finish {KIND}") as standing, ThreadPoolExecutor(1) as threads:
        finishing = threads.submit(finish)
        assert eventually(standing.waiting)
        assert Job.objects.get(pk=job.pk).state == "running"
        standing.end(commits=commits)
        assert (finishing.exception(60) is None) is commits
    assert Job.objects.get(pk=job.pk).state == state


def test_a_row_is_kept_only_if_something_was_tried_and_nothing_lost(tmp_path):
    kept, lost, untried = Row("a", trials=3, wasted=3), Row("b", trials=3, lost=1), Row("c")
    assert [row.is_kept for row in (kept, lost, untried)] == [True, False, False]
    text = markdown([Part("crash", "2026-11-22 here", [kept], 120), Part("flood", "2026-11-22 here", [lost], 60)])
    assert "| a | 3 | 0 | 0 | 3 |" in text and "| b | 3 | 1 | 0 | 0 |" in text
    assert "2026-11-22 here: crash in 2 min, flood in 1 min." in text
    page, result = tmp_path / "page.md", tmp_path / "table.md"
    page.write_text(f"before\n{BEGIN}old\n{END}\nbehind\n")
    assert paste(page, result) == 1, "there is no table yet"
    result.write_text(text)
    assert paste(page, result) == 0
    assert page.read_text() == f"before\n{BEGIN}{text}{END}\nbehind\n"


def test_a_part_that_was_measured_anew_stands_for_the_one_before_it():
    old, other = Part("poison", "then", [Row("a", trials=3, lost=1)], 60, "full"), Part("flood", "then", [Row("c", trials=1)], 60, "full")
    new = Part("poison", "now", [Row("a", trials=3)], 60, "full")
    assert Part.of_json(old.to_json()) == old and not old.is_kept
    assert joined([new], [other, old]) == [new, other]


def test_the_page_has_a_place_for_the_table():
    text = (settings.BASE_DIR / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
