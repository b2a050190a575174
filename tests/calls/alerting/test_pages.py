"""The bell, the page of alerts and the admin, as people of different rights meet them."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone, translation

from audit import history
from audit.history import Wanted
from calls.alerting import watching
from calls.alerting.telling import payload
from calls.models import Alert, AlertMail, AlertRule
from engine.events import TurnLatency
from tests.calls import made_calls as made
from tests.hindi import english_left

pytestmark = pytest.mark.django_db


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def fired(rule, agent) -> Alert:
    rule("latency", 2000)
    session = made.talking_call(agent)
    made.exchange(session, 1, "Hello?", "Good day.", latency=TurnLatency(300, 280, 150, 4000))
    watching.judge_all()
    return Alert.objects.get()


def staff(user, *names: str):
    user.is_staff = True
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return type(user).objects.get(pk=user.pk)


RULES = ("view_alertrule", "add_alertrule", "change_alertrule", "delete_alertrule", "view_alertmail")


def test_the_bell_counts_what_nobody_looks_after_with_one_query(fired, owner, django_assert_num_queries):
    client = client_of(owner)
    with django_assert_num_queries(3):  # the session and the user are the other two
        assert client.get("/alerts/bell/").json() == {"open": 1, "unseen": 1}
    client.post(f"/alerts/{fired.pk}/acknowledge/", {"note": "Mine."})
    assert client.get("/alerts/bell/").json() == {"open": 1, "unseen": 0}
    assert client_of(made.operator()).get("/alerts/bell/").json() == {"open": 0, "unseen": 0}
    assert client_of(made.operator(superuser=True)).get("/alerts/bell/").json() == {"open": 1, "unseen": 0}
    assert Client().get("/alerts/bell/").status_code == 401


def test_alerts_are_told_in_the_language_of_the_reader(fired, owner, agent):
    client = client_of(owner)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "hi"
    with translation.override("en"):
        page = client.get("/alerts/").content.decode()
    assert "पिछले 15 मिनट में 100 में से 5 जवाबों में" in page
    assert english_left(page, owner.username, agent.name) == []
    with translation.override("hi"):
        assert payload(fired)["title"] == "Slow answers", "other people's programs read it"


def test_every_page_has_the_bell_and_a_page_for_strangers_has_none(owner):
    assert 'data-bell="/alerts/bell/"' in client_of(owner).get("/calls/").content.decode()
    assert "data-bell" not in Client().get("/login/").content.decode()


def test_the_page_shows_figures_calls_and_who_looks_after_it(fired, owner):
    client = client_of(owner)
    page = client.get("/alerts/").content.decode()
    assert "5 of 100 answers of the last 15 minutes took 4.00 s or longer" in page
    assert f'href="/calls/{fired.calls[0]}/"' in page
    done = client.post(f"/alerts/{fired.pk}/acknowledge/", {"note": "  The provider\nis slow. <b>"}, follow=True)
    assert "looks after it" in done.content.decode()
    assert "The provider is slow. &lt;b&gt;" in done.content.decode()
    again = client.post(f"/alerts/{fired.pk}/acknowledge/", {"note": "x"}, follow=True)
    assert "Somebody was quicker" in again.content.decode()
    fired.refresh_from_db()
    assert (fired.acknowledged_by, fired.note) == (owner.username, "The provider is slow. <b>")


def test_nobody_sees_or_takes_what_is_anothers(fired):
    stranger = client_of(made.operator())
    assert "4.00 s" not in stranger.get("/alerts/").content.decode()
    assert stranger.post(f"/alerts/{fired.pk}/acknowledge/").status_code == 404
    assert Client().get("/alerts/").status_code == 302
    assert stranger.get(f"/alerts/{fired.pk}/acknowledge/").status_code == 405


def test_the_past_goes_on_page_by_page(rule, owner):
    now = timezone.now()
    watched = rule("latency", 2000)
    Alert.objects.bulk_create(
        Alert(rule=watched, owner=owner, kind="latency", fired_at=now - timedelta(hours=1), resolved_at=now, how="well") for _ in range(30)
    )
    client = client_of(owner)
    first = client.get("/alerts/")
    assert len(first.context["past"]) == 25
    second = client.get(f"/alerts/?before={first.context['older']}")
    assert (len(second.context["past"]), second.context["older"]) == (5, None)
    for senseless in ("x", "-1", "9" * 40, "١"):
        assert client.get("/alerts/", {"before": senseless}).status_code == 200


def test_the_pages_queries_do_not_grow_with_the_alerts(rule, owner, agent, django_assert_max_num_queries):
    calls = [made.ringing_call(agent).session_id for _ in range(5)]
    for number in range(20):
        Alert.objects.create(rule=rule("latency", 2000 + number), owner=owner, kind="latency", agent=agent, calls=calls)
    client = client_of(owner)
    with django_assert_max_num_queries(12):
        assert len(client.get("/alerts/").context["open"]) == 20


def test_a_judge_that_stands_still_is_told(rule, owner):
    watched, client = rule("latency", 2000), client_of(owner)
    assert "Not every rule is judged" not in client.get("/alerts/").content.decode()
    AlertRule.objects.filter(pk=watched.pk).update(judged_at=timezone.now() - timedelta(minutes=6))
    assert "Not every rule is judged" in client.get("/alerts/").content.decode()


def test_rules_of_everybody_are_read_by_all_and_changed_by_superusers(rule, owner):
    shared = rule("failures", 20, owner=None, recipients="boss@example.com")
    page = client_of(owner).get("/alerts/").content.decode()
    assert "When 20 % or more of the calls that ended" in page
    assert "boss@example.com" not in page
    client = client_of(staff(owner, *RULES))
    assert client.get(f"/admin/calls/alertrule/{shared.pk}/change/").status_code == 302
    root = client_of(made.operator(superuser=True))
    assert "boss@example.com" in root.get(f"/admin/calls/alertrule/{shared.pk}/change/").content.decode()


def _form(**fields) -> dict[str, object]:
    return {"kind": "latency", "threshold": "1500", "currency": "INR", "window_minutes": 15, "least_calls": 5, "quiet_minutes": 60,
            "active": "on", "webhook": "on", "recipients": "", "agent": "", **fields}  # fmt: skip


def test_an_operator_makes_a_rule_of_their_own(owner, agent):
    client = client_of(staff(owner, *RULES))
    made_now = client.post("/admin/calls/alertrule/add/", _form(recipients="me@example.com", owner=""))
    assert made_now.status_code == 302, made_now.context["adminform"].form.errors
    watched = AlertRule.objects.get()
    assert (watched.owner, watched.addresses) == (owner, ["me@example.com"])
    assert "1.50 s" in client.get("/admin/calls/alertrule/").content.decode()
    wrong = client.post("/admin/calls/alertrule/add/", _form(agent=made.agent_of(made.operator()).pk))
    assert "agent" in wrong.context["adminform"].form.errors
    assert str(agent) in wrong.content.decode()


def test_a_superusers_rule_without_an_owner_is_everybodys(owner):
    client = client_of(made.operator(superuser=True))
    assert client.post("/admin/calls/alertrule/add/", _form(owner="")).status_code == 302
    assert AlertRule.objects.get().owner is None


def test_the_test_button_mails_whoever_presses_it(rule, owner):
    watched = rule("latency", 2000, recipients="boss@example.com")
    person = staff(owner, *RULES)
    client = client_of(person)
    url = f"/admin/calls/alertrule/{watched.pk}/test-now/"
    assert "Send me a test" in client.get(f"/admin/calls/alertrule/{watched.pk}/change/").content.decode()
    assert "no e-mail address" in client.post(url, follow=True).content.decode()
    person.email = "asha@example.com"
    person.save()
    assert "on its way to asha@example.com" in client.post(url, follow=True).content.decode()
    mail = AlertMail.objects.get()
    assert (mail.what, mail.to, mail.rule) == ("test", "asha@example.com", watched)
    assert "asha@example.com" in client.get("/admin/calls/alertmail/").content.decode()
    assert client.get(url).status_code == 405
    other = client_of(staff(made.operator(), *RULES))
    assert other.post(url).status_code == 404
    assert "asha@example.com" not in other.get("/admin/calls/alertmail/").content.decode()
    assert client_of(staff(made.operator(), "view_alertrule")).post(url).status_code == 404


def test_what_was_given_up_is_sent_again_from_the_admin(rule, owner):
    mail = AlertMail.objects.create(rule=rule("latency", 2000), what="fired", to="a@example.com", title="t", body="b", state="dead")
    client = client_of(staff(owner, *RULES))
    done = client.post("/admin/calls/alertmail/", {"action": "send_again", "_selected_action": [mail.pk]}, follow=True)
    assert "1 mail is sent again." in done.content.decode()


def test_the_history_tells_of_rules_without_addresses_and_without_judgements(rule, owner):
    watched = rule("latency", 2000, recipients="boss@example.com")
    watching.judge_all()
    AlertRule.objects.filter(pk=watched.pk).update(threshold=1500)
    AlertRule.objects.filter(pk=watched.pk).update(recipients="other@example.com")
    found = history.entries(Wanted(kind="alertrule"))[0]
    assert [entry.deed for entry in found[:3]] == ["private", "update", "insert"]
    assert "example.com" not in repr([(one.old, one.new) for entry in found for one in entry.differences])
