"""Mails over a real socket to a server that speaks SMTP: sent once, tried again, given up, and never lost to a worker that dies."""

import socket
from datetime import timedelta

import pytest
from django.utils import timezone

from calls.alerting import telling
from calls.alerting.judging import MOST_ATTEMPTS, RETRY_S
from calls.alerting.mailing import claim, deliver, due_mails, finish
from calls.alerting.rows import AlertMail
from calls.alerting.tasks import sweep_alert_mails

pytestmark = pytest.mark.django_db

State = AlertMail.State


@pytest.fixture
def mail(owner) -> AlertMail:
    return AlertMail.objects.create(what="fired", to="desk@example.com", title="[voiceagents] Alert: Spending", body="₹5,210.00 spent.\n")


def test_a_mail_arrives_whole_and_is_not_sent_twice(mail, mail_server):
    deliver(mail.pk)
    deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.attempts, mail.last_error) == (State.SENT, 1, "")
    (got,) = mail_server.mails
    assert (got["Subject"], got["From"], got["To"]) == ("[voiceagents] Alert: Spending", "alerts@voice.example.com", "desk@example.com")
    assert got["Auto-Submitted"] == "auto-generated"
    assert "₹5,210.00 spent." in got.get_content()
    assert "desk@example.com" in mail_server.to[0]


def test_every_try_has_the_same_message_id_and_copies_are_known_by_it(mail, mail_server):
    deliver(mail.pk)
    AlertMail.objects.filter(pk=mail.pk).update(state=State.QUEUED)
    deliver(mail.pk)
    first, second = mail_server.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Message-ID"].endswith("@voice.example.com>")


def test_while_the_server_is_away_a_mail_waits_and_then_arrives(mail, mail_server, settings):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        settings.EMAIL_PORT = nobody.getsockname()[1]
        deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == (State.QUEUED, 1)
    assert "EMAIL_HOST" in mail.last_error
    assert timedelta(0) < mail.run_at - timezone.now() <= timedelta(seconds=RETRY_S[0])
    deliver(mail.pk)  # not due yet
    settings.EMAIL_PORT = mail_server.port
    AlertMail.objects.filter(pk=mail.pk).update(run_at=timezone.now())
    deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.attempts, len(mail_server.mails)) == (State.SENT, 2, 1)


def test_a_mail_that_is_refused_to_the_end_is_given_up_and_can_be_sent_again(mail, mail_server):
    mail_server.refuses = "550 nobody of that name"
    for _ in range(MOST_ATTEMPTS):
        AlertMail.objects.filter(pk=mail.pk).update(run_at=timezone.now())
        deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == (State.DEAD, MOST_ATTEMPTS)
    assert mail.last_error == "The mail server refuses this address. Correct it in the rule."
    mail_server.refuses = ""
    assert telling.again([mail]) == 1
    assert telling.again([mail]) == 0
    deliver(mail.pk)
    assert len(mail_server.mails) == 1


def test_without_a_mail_server_the_reason_says_what_to_set(mail, mail_server, settings):
    settings.EMAIL_HOST = ""
    deliver(mail.pk)
    mail.refresh_from_db()
    assert (mail.state, mail.last_error[:24]) == (State.QUEUED, "No mail server is known:")


def test_a_test_is_tried_once(rule, mail_server):
    mail_server.refuses = "451 later"
    made = telling.send_test(rule("latency", 2000), "me@example.com")
    deliver(made.pk)
    made.refresh_from_db()
    assert (made.state, made.attempts) == (State.DEAD, 1)
    assert made.last_error == "The mail server takes nothing for this address at present (451)."


def test_mails_are_in_the_language_that_the_installation_chose(rule, settings):
    settings.EMAIL_LANGUAGE = "hi"
    made = telling.send_test(rule("latency", 2000), "me@example.com")
    assert made.title == "[voiceagents] टेस्ट: धीमे जवाब"
    assert made.body.endswith("सब ठीक है। इस नियम के अलर्ट भी इसी तरह मेल किए जाते हैं।\n")


def test_a_worker_that_dies_holds_a_mail_no_longer_than_its_lease(mail, mail_server):
    lost = claim(mail.pk)
    assert lost is not None
    assert claim(mail.pk) is None
    assert due_mails(10, timedelta(0)) == []
    AlertMail.objects.filter(pk=mail.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert due_mails(10, timedelta(0)) == [mail.pk]
    deliver(mail.pk)
    finish(lost, "too late to say anything")
    mail.refresh_from_db()
    assert (mail.state, mail.attempts, mail.last_error) == (State.SENT, 2, "")


def test_the_sweep_finds_what_is_late_and_leaves_what_has_its_time(mail):
    AlertMail.objects.create(what="fired", to="b@example.com", title="t", body="b", run_at=timezone.now() + timedelta(hours=1))
    assert due_mails(10, timedelta(seconds=30)) == []
    AlertMail.objects.filter(pk=mail.pk).update(run_at=timezone.now() - timedelta(minutes=5))
    assert due_mails(10, timedelta(seconds=30)) == [mail.pk]
    assert sweep_alert_mails() in (0, 1)  # a broker that is away is no fault of the mail's
