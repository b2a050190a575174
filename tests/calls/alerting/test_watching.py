"""An alert from its first to its last minute: rows, mails and signed webhooks, judged by the job over real calls."""

import json
import re
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from calls.alerting import shown, watching
from calls.alerting.judging import LAPSES_AFTER, WELL_FOR
from calls.alerting.measuring import measure
from calls.alerting.shown import stands_still
from calls.alerting.tasks import forget_alerts, judge_alerts
from calls.models import Alert, AlertMail, AlertRule, OutgoingDelivery, Turn, WebhookEndpoint, WebhookMessage
from calls.outgoing.endpoints import replay_range
from calls.outgoing.sending import deliver
from engine.events import TurnLatency
from tests.calls import made_calls as made
from tests.calls.outgoing.receiver import LOOPBACK, receiver
from tests.house.source import ROOT

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


class Clock:
    """Minutes that pass between two judgements, without waiting for them."""

    def __init__(self) -> None:
        self.now = timezone.now()

    def judge(self, later: timedelta = MINUTE) -> watching.Judged:
        self.now += later
        return watching.judge_all(self.now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def answered(agent, total_ms: int):
    session = made.talking_call(agent)
    made.exchange(session, 1, "Hello?", "Good day.", latency=TurnLatency(300, 280, 150, total_ms))
    return session


def at_once(total_ms: int, when) -> None:
    """From now on callers have waited so long."""
    Turn.objects.filter(latency_ms__isnull=False).update(latency_ms=total_ms, created_at=when)


def test_an_alert_fires_once_recovers_relapses_and_is_over(rule, agent, clock):
    rule("latency", 2000)
    session = answered(agent, 4000)
    assert (clock.judge(timedelta(0)).fired, clock.judge().fired) == (1, 0)
    alert = Alert.objects.get()
    assert (alert.kind, alert.owner_id, alert.calls) == ("latency", agent.owner_id, [session.session_id])
    assert alert.sentence.startswith("5 of 100 answers of the last 15 minutes took 4.00 s or longer, over 1 call")
    at_once(700, clock.now)
    clock.judge()
    alert.refresh_from_db()
    assert alert.well_since == clock.now
    assert (alert.figures["value"], alert.latest["value"]) == ("4000", "700")
    at_once(1900, clock.now)  # below the limit, and not well
    clock.judge()
    assert Alert.objects.get().well_since is None
    at_once(700, clock.now)
    clock.judge()
    assert clock.judge(WELL_FOR - MINUTE).ended == 0
    assert clock.judge(MINUTE).ended == 1
    alert.refresh_from_db()
    assert (alert.resolved_at, alert.how) == (clock.now, "well")
    at_once(5000, clock.now)
    assert clock.judge().fired == 1
    assert Alert.objects.count() == 2


def test_whoever_watches_from_outside_is_told_how_many_stand_and_whether_anybody_judges(rule, agent, clock):
    assert shown.counts() == shown.Counts({}, None)
    slow, other = rule("latency", 1000), rule("failures", 90)
    rule("latency", 2000, active=False)
    answered(agent, 2500)
    clock.judge()
    kinds = {(slow.pk, "latency", "new"): 1, (slow.pk, "latency", "acknowledged"): 0}
    quiet = {(other.pk, "failures", "new"): 0, (other.pk, "failures", "acknowledged"): 0}
    assert shown.counts() == shown.Counts(kinds | quiet, clock.now)
    watching.acknowledge(Alert.objects.get(), by="meera", note="")
    assert shown.counts().open[slow.pk, "latency", "acknowledged"] == 1
    AlertRule.objects.filter(pk=other.pk).update(judged_at=clock.now - MINUTE)
    assert shown.counts().judged_at == clock.now - MINUTE


def test_without_figures_it_stays_and_lapses_after_a_day(rule, agent, clock):
    rule("latency", 2000)
    answered(agent, 4000)
    clock.judge()
    known = clock.now
    clock.judge(timedelta(minutes=20))
    alert = Alert.objects.get()
    assert (alert.resolved_at, alert.well_since, alert.known_at) == (None, None, known)
    assert clock.judge(LAPSES_AFTER - timedelta(minutes=21)).ended == 0
    assert clock.judge(MINUTE).ended == 1
    alert.refresh_from_db()
    assert alert.how == "lapsed"


@pytest.mark.parametrize("what", ["off", "gone", "moved", "other-kind"])
def test_an_alert_whose_rule_is_no_more_is_closed_and_says_so(what, rule, agent, clock):
    watched = rule("latency", 2000)
    answered(agent, 4000)
    clock.judge()
    if what == "gone":
        watched.delete()
    else:
        changed = {"off": {"active": False}, "moved": {"agent": agent}, "other-kind": {"kind": "failures", "threshold": 20}}[what]
        AlertRule.objects.filter(pk=watched.pk).update(**changed)
    assert clock.judge().ended == 1
    assert Alert.objects.earliest("pk").how == "rule-changed"


def test_everybodys_rule_is_judged_for_each_owner_alone(rule, agent, clock):
    other = made.agent_of(made.operator())
    rule("latency", 2000, owner=None)
    answered(agent, 4000)
    answered(other, 700)
    clock.judge()
    assert [alert.owner_id for alert in Alert.objects.all()] == [agent.owner_id]
    rule("latency", 9000)  # an own one takes its place
    assert clock.judge().ended == 1


def test_a_model_that_nobody_uses_any_more_is_over_at_once(rule, owner, clock):
    rule("retiring", 730)
    agent = made.agent_of(owner, "Old desk", llm_model="gpt-4o-mini")
    clock.judge()
    assert Alert.objects.get().subject == "gpt-4o-mini"
    agent.llm_model = "gpt-6-luna"
    agent.save()
    assert clock.judge().ended == 1
    assert Alert.objects.get().how == "well"


def test_one_alert_is_open_for_a_rule_and_subject_whatever_runs_at_once(rule, owner, agent, clock):
    watched = rule("latency", 2000)
    answered(agent, 4000)
    clock.judge()
    with pytest.raises(IntegrityError), transaction.atomic():
        Alert.objects.create(rule=watched, owner=owner, kind="latency")


def test_a_rule_that_cannot_be_judged_keeps_no_other_from_it(rule, agent, clock):
    broken = rule("spend", 10)
    AlertRule.objects.filter(pk=broken.pk).update(kind="of-tomorrow")
    rule("latency", 2000)
    answered(agent, 4000)
    told = clock.judge()
    assert (told.failed, told.fired) == (1, 1)


def test_one_owner_whose_figures_fail_keeps_no_other_from_being_judged(rule, agent, clock, monkeypatch):
    other = made.agent_of(made.operator())
    shared = rule("latency", 2000, owner=None)
    answered(agent, 4000)
    answered(other, 4000)

    def failing(watched, owner_id, now):
        if owner_id == agent.owner_id:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        return measure(watched, owner_id, now)

    monkeypatch.setattr(watching, "measure", failing)
    told = clock.judge()
    assert (told.failed, told.fired, told.rules) == (1, 1, 1)
    assert Alert.objects.get().owner_id == other.owner_id
    shared.refresh_from_db()
    assert (shared.judged_at, shared.tried_at) == (None, clock.now)
    assert stands_still([shared], shared.created_at + timedelta(minutes=6))
    monkeypatch.undo()
    assert clock.judge().fired == 1
    shared.refresh_from_db()
    assert shared.judged_at == clock.now


def test_where_a_round_ran_out_of_time_the_next_one_goes_on(rule, agent, clock):
    others = [made.agent_of(made.operator()) for _ in range(2)]
    shared, own = rule("latency", 2000, owner=None), rule("failures", 20)
    for one in (agent, *others):
        answered(one, 4000)
    everybody = [one.owner_id for one in (agent, *others)]
    judged: list[int] = []
    for left in (2, 2, 1, 1):
        clock.now += MINUTE
        assert watching.judge_all(clock.now, for_s=0).left == left
        judged = list(Alert.objects.order_by("pk").values_list("owner_id", flat=True))
        shared.refresh_from_db()
        assert shared.tried_to == (judged[-1] if len(judged) < 3 else None)
    assert judged == everybody, "each a round of its own, and then the other rule"
    own.refresh_from_db()
    assert (shared.judged_at, own.judged_at) == (clock.now - MINUTE, clock.now)


def test_the_job_judges_by_todays_clock(rule, agent):
    watched = rule("latency", 2000)
    answered(agent, 4000)
    assert judge_alerts() == 1
    watched.refresh_from_db()
    assert watched.judged_at is not None


# --- mails ------------------------------------------------------------------------------------------------------------


def mails() -> list[tuple[str, str]]:
    return list(AlertMail.objects.order_by("pk").values_list("what", "to"))


def test_mails_go_to_each_address_keep_quiet_and_tell_of_the_end(rule, agent, clock):
    rule("latency", 2000, recipients="a@example.com\nb@example.com", quiet_minutes=60)
    answered(agent, 4000)
    clock.judge()
    clock.judge()
    assert mails() == [("fired", "a@example.com"), ("fired", "b@example.com")]
    at_once(700, clock.now)
    clock.judge()
    clock.judge(WELL_FOR)
    assert mails()[2:] == [("resolved", "a@example.com"), ("resolved", "b@example.com")]
    at_once(5000, clock.now)
    clock.judge()
    assert (Alert.objects.count(), len(mails())) == (2, 4)  # it stands again, within the quiet time
    clock.judge(timedelta(hours=1))
    at_once(5000, clock.now)
    assert mails()[4:] == [("fired", "a@example.com"), ("fired", "b@example.com")]  # and still stands after it


def test_what_looks_well_again_is_not_mailed_when_the_quiet_time_is_over(rule, agent, clock):
    rule("latency", 2000, recipients="a@example.com", quiet_minutes=60)
    answered(agent, 4000)
    clock.judge()
    at_once(700, clock.now)
    clock.judge()
    clock.judge(WELL_FOR)
    at_once(5000, clock.now)
    clock.judge()
    assert [what for what, _to in mails()] == ["fired", "resolved"]
    at_once(700, clock.now + timedelta(hours=1))
    clock.judge(timedelta(hours=1))
    clock.judge()
    assert Alert.objects.latest("pk").well_since == clock.now - MINUTE
    assert len(mails()) == 2
    at_once(5000, clock.now)
    clock.judge()
    assert len(mails()) == 3


def test_what_was_over_long_ago_is_removed_with_its_mails(rule, owner, clock, settings):
    settings.ALERT_KEEP_DAYS = 30
    watched, long_ago = rule("latency", 2000), clock.now - timedelta(days=31)
    for resolved_at in (None, long_ago, clock.now - timedelta(days=29)):
        alert = Alert.objects.create(rule=watched, owner=owner, kind="latency", fired_at=long_ago, resolved_at=resolved_at)
        AlertMail.objects.create(rule=watched, alert=alert, what="fired", to="a@example.com", state="sent", finished_at=long_ago)
    for finished_at in (None, long_ago, clock.now):
        AlertMail.objects.create(rule=watched, what="test", to="a@example.com", state="sent", finished_at=finished_at)
    assert forget_alerts() == 2
    assert (Alert.objects.count(), AlertMail.objects.filter(alert=None).count(), AlertMail.objects.count()) == (2, 2, 4)
    assert not Alert.objects.filter(resolved_at=long_ago).exists()
    assert forget_alerts() == 0


def test_a_mail_has_figures_links_and_nothing_of_a_caller(rule, agent, clock, settings):
    settings.WEBHOOK_BASE_URL = "https://voice.example.com"
    rule("latency", 2000, agent=agent, recipients="a@example.com")
    session = answered(agent, 4000)
    clock.judge()
    mail, alert = AlertMail.objects.get(), Alert.objects.get()
    assert mail.title == "[voiceagents] Alert: Slow answers of “Clinic reception”"
    assert f"https://voice.example.com/calls/{session.session_id}/" in mail.body
    assert f"https://voice.example.com/alerts/#alert-{alert.pk}" in mail.body
    assert "4.00 s" in mail.body
    for private in (session.user_phone, session.agent_phone, session.user_phone[-6:], "Hello?", "Good day."):
        assert private not in mail.body + mail.title


def test_an_agents_name_cannot_break_the_mails_head(rule, owner, clock):
    agent = made.agent_of(owner, "Desk\nBcc: everybody@example.com")
    rule("latency", 2000, agent=agent, recipients="a@example.com")
    answered(agent, 4000)
    clock.judge()
    assert "\n" not in AlertMail.objects.get().title


def test_what_somebody_looks_after_is_not_mailed(rule, agent, clock):
    watched = rule("latency", 2000)
    answered(agent, 4000)
    clock.judge()
    alert = Alert.objects.get()
    assert watching.acknowledge(alert, by="asha", note="The provider is slow today.")
    assert not watching.acknowledge(alert, by="ravi", note="me too")
    AlertRule.objects.filter(pk=watched.pk).update(recipients="a@example.com")
    clock.judge()
    alert.refresh_from_db()
    assert (mails(), alert.acknowledged_by, alert.note) == ([], "asha", "The provider is slow today.")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"threshold": 50}, "threshold"),
        ({"threshold": "2000.5"}, "threshold"),
        ({"window_minutes": 0}, "window_minutes"),
        ({"window_minutes": 1441}, "window_minutes"),
        ({"recipients": "a@example.com\nnobody"}, "recipients"),
        ({"recipients": "\n".join(f"a{n}@example.com" for n in range(21))}, "recipients"),
        ({"kind": "weather"}, "kind"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_the_field(fields, wrong, rule):
    with pytest.raises(ValidationError) as caught:
        rule(fields.pop("kind", "latency"), fields.pop("threshold", 2000), **fields)
    assert wrong in caught.value.message_dict


def test_addresses_are_kept_one_on_each_line(rule):
    assert rule("latency", 2000, recipients=" a@example.com, b@example.com;\n\na@example.com ").addresses == [
        "a@example.com",
        "b@example.com",
    ]


def test_a_rule_of_somebody_elses_agent_is_refused(rule):
    with pytest.raises(ValidationError, match="somebody else"):
        rule("latency", 2000, agent=made.agent_of(made.operator()))


# --- webhooks ---------------------------------------------------------------------------------------------------------


def test_endpoints_are_told_by_signed_messages_and_can_be_told_again(rule, owner, agent, clock, settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = LOOPBACK
    settings.WEBHOOK_BASE_URL = "https://voice.example.com"
    with receiver() as hooks:
        endpoint = WebhookEndpoint.objects.create(owner=owner, url=hooks.url, events=["alert.fired", "alert.resolved"])
        WebhookEndpoint.objects.create(owner=owner, url=hooks.url, events=["call.ended"])
        rule("latency", 2000, agent=agent)
        session = answered(agent, 4000)
        clock.judge()
        at_once(700, clock.now)
        clock.judge()
        clock.judge(WELL_FOR)
        for delivery in OutgoingDelivery.objects.order_by("pk"):
            deliver(delivery.pk)
        assert len(hooks.taken) == 2
        told = [one.verified_with(endpoint.secret) for one in hooks.taken]
    fired, over = told
    assert (fired["type"], over["type"]) == ("alert.fired", "alert.resolved")
    alert = Alert.objects.get()
    assert fired["data"] == {
        "version": 1,
        "sequence": 1,
        "alert_id": alert.pk,
        "url": f"https://voice.example.com/alerts/#alert-{alert.pk}",
        "kind": "latency",
        "subject": None,
        "agent": {"id": agent.pk, "name": "Clinic reception"},
        "title": "Slow answers",
        "text": alert.sentence,
        "value": "4000",
        "limit": "2000.00",
        "unit": "ms",
        "window_minutes": 15,
        "calls": 1,
        "sessions": [session.session_id],
        "fired_at": fired["data"]["fired_at"],
        "resolved_at": None,
        "how": None,
    }
    (example,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8"), re.DOTALL)
    assert list(json.loads(example)["data"]) == list(fired["data"]) == list(over["data"])
    assert (over["data"]["sequence"], over["data"]["value"], over["data"]["how"]) == (2, "700", "well")
    assert replay_range(endpoint, owner, since=clock.now - timedelta(days=1), delivered_too=True) == 2


@pytest.mark.parametrize("why", ["rule", "endpoints"])
def test_nobody_is_told_who_does_not_want_it(why, rule, owner, agent, clock):
    WebhookEndpoint.objects.create(
        owner=owner, url="https://crm.example.com/", events=["call.ended"] if why == "endpoints" else ["alert.fired"]
    )
    rule("latency", 2000, webhook=why != "rule")
    answered(agent, 4000)
    clock.judge()
    assert not WebhookMessage.objects.filter(type__startswith="alert.").exists()
    assert not Alert.objects.get().hooked


def test_the_first_rules_make_sense_and_mail_nobody(db):
    from importlib import import_module

    from django.apps import apps

    AlertRule.objects.all().delete()
    import_module("calls.migrations.0013_alerts").add_first_rules(apps, None)
    rules = list(AlertRule.objects.all())
    assert len({rule.kind for rule in rules}) == 6
    for rule in rules:
        rule.full_clean()
        assert (rule.owner_id, rule.addresses, rule.active) == (None, [], True)
