"""One budget for the whole account: never more in a minute than Exotel takes, dials first, with or without Valkey."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from calls import commands
from calls.models import CallLog, Job
from providers.exotel.client import ExotelClient
from providers.exotel.errors import CarrierCategory, CarrierError, Held
from providers.exotel.pace import Purpose
from telephony import pacing, tasks
from telephony.pacing import WINDOW_MS, OwnCount, Prepaid, SharedPace, most
from tests.providers.exotel.conftest import Peer

DIAL, RECORDING, DETAILS = Purpose.DIAL, Purpose.RECORDING, Purpose.DETAILS


@pytest.fixture
def valkey(settings):
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client
        client.flushdb()


@pytest.fixture
def whole(settings) -> int:
    settings.EXOTEL_REQUESTS_PER_MINUTE = 20
    return 20


def taken(pace, purpose, times=50) -> int:
    return sum(pace.take(purpose) == 0 for _ in range(times))


def later(valkey, ms: int) -> None:
    """As if `ms` had passed: everything counted becomes that much older."""
    for key in valkey.keys("va:exotel-pace:*"):
        if valkey.type(key) == b"zset":
            for member, at in valkey.zrange(key, 0, -1, withscores=True):
                valkey.zadd(key, {member: at - ms})


def test_dials_leave_a_little_and_the_others_leave_most(valkey, whole):
    first, second = SharedPace(), SharedPace()
    assert taken(first, DETAILS) == 4
    assert taken(second, RECORDING) == 4
    assert taken(first, DIAL) == 12
    assert taken(second, DIAL) == 0
    later(valkey, WINDOW_MS)
    assert taken(second, DIAL) == 18
    assert taken(first, RECORDING) == 2
    assert taken(first, DETAILS) == 0


def test_whoever_has_to_wait_is_told_how_long(valkey, whole):
    pace = SharedPace()
    assert taken(pace, DIAL) == most(DIAL, whole)
    assert 0 < pace.take(DIAL) <= WINDOW_MS / 1000
    later(valkey, 50_000)
    assert 0 < pace.take(DIAL) <= 10.1
    assert pace.take(DETAILS) == 0


def test_a_place_is_given_to_one_of_many(valkey, whole):
    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(lambda _: SharedPace().take(DIAL), range(60)))
    assert waits.count(0.0) == most(DIAL, whole)


def test_a_refusal_holds_every_process_for_as_long_as_exotel_says(valkey, whole):
    SharedPace().hold(30)
    SharedPace().hold(1)
    assert 28 < SharedPace().take(DIAL) <= 30
    assert SharedPace().take(DETAILS) > 29


def test_nobody_is_held_for_ever(valkey, whole):
    SharedPace().hold(86_400)
    assert SharedPace().take(DIAL) <= pacing.LONGEST_HOLD_S


def test_without_valkey_a_process_keeps_to_a_small_part(settings, whole):
    settings.EXOTEL_REQUESTS_PER_MINUTE = 200
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    pace = SharedPace()
    assert taken(pace, DETAILS) == 5
    assert taken(pace, DIAL) == 20
    assert 0 < pace.take(DIAL) <= WINDOW_MS / 1000


def test_the_count_of_one_process_slides_with_time():
    now = [0.0]
    count = OwnCount(lambda: now[0])
    for at in range(9):
        now[0] = at * 1000.0
        assert count.take(DIAL, 10) == 0
    assert count.take(DIAL, 10) == WINDOW_MS - 8000
    assert count.take(DETAILS, 10) == 0
    assert count.take(RECORDING, 10) == WINDOW_MS - 8000
    now[0] = WINDOW_MS
    assert count.take(DIAL, 10) == 0
    count.hold(5000)
    assert count.take(DIAL, 10) == 5000


class Full:
    """An account whose requests are used up."""

    def __init__(self):
        self.held = []

    def take(self, purpose):
        return 7.0

    def hold(self, wait_s):
        self.held.append(wait_s)


def test_a_client_without_a_place_sends_nothing(peer: Peer):
    full = Full()
    with ExotelClient(peer.config(), full) as exotel:
        for ask in (exotel.check_account, exotel.exophones, lambda: exotel.get_call_details("a"), lambda: exotel.get_calls(["a"])):
            with pytest.raises(Held) as held:
                ask()
            assert held.value.wait_s == 7.0
    assert peer.asked == []
    assert Prepaid(full).take(DETAILS) == 7.0
    prepaid = Prepaid(full)
    assert [prepaid.take(DIAL) for _ in range(2)] == [0.0, 7.0]


@pytest.mark.parametrize(("header", "wait_s"), [({"Retry_After": "42"}, 42.0), ({}, 15.0), ({"Retry_After": "tomorrow"}, 15.0)])
def test_too_many_requests_hold_the_account(peer: Peer, header, wait_s):
    peer.answer("/v1/Accounts/exampleco1.json", 429, b"{}", **header)

    class Free(Full):
        def take(self, purpose):
            return 0.0

    free = Free()
    with ExotelClient(peer.config(), free) as exotel, pytest.raises(CarrierError) as refused:
        exotel.check_account()
    assert refused.value.category == CarrierCategory.RATE_LIMITED
    assert free.held == [wait_s]


def test_too_many_downloads_hold_it_too(peer: Peer, tmp_path):
    peer.answer("/a.wav", 429, b"", Retry_After="42")

    class Free(Full):
        def take(self, purpose):
            return 0.0

    free = Free()
    with ExotelClient(peer.config(), free) as exotel, pytest.raises(CarrierError) as refused:
        exotel.download_recording(f"{peer.root}/a.wav", tmp_path / "a", 1000)
    assert (refused.value.category, refused.value.retry_after_s) == (CarrierCategory.RATE_LIMITED, 42.0)
    assert free.held == [42.0]


@pytest.mark.django_db(transaction=True)
def test_a_dial_without_a_place_waits_in_the_queue_untouched(answering, exotel, valkey, whole):
    taken(pacing.SHARED, DIAL)
    session = commands.queue_outbound_call(owner=answering.owner, agent=answering, to_phone="+919811122233")
    job = Job.objects.get(session=session, kind="telephony.dial")
    tasks.dial(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts, CallLog.objects.get().status) == ("queued", 0, "queued")
    assert "waits for its turn" in job.last_error and exotel.asked("exotel.connect") == 0
    valkey.flushdb()
    Job.objects.update(run_at=job.created_at)
    tasks.dial(job.pk)
    assert CallLog.objects.get().dial_outcome == "accepted"
