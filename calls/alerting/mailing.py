"""Sends one mail and writes down what came of it. One may be sent twice, under the same Message-ID; none is lost while SMTP is away.

Claimed with a lease, so that a worker that dies holds it for a minute or two and no longer. No database connection is held meanwhile.
"""

import smtplib
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Final

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from calls import dispatch
from calls.alerting.judging import MOST_ATTEMPTS, wait_s
from calls.alerting.rows import AlertMail
from calls.alerting.telling import DELIVER
from calls.failures import describe, place

logger = structlog.get_logger()

# Longer than a try can take: each of its dozen commands has EMAIL_TIMEOUT seconds.
LEASE_S: Final = 240
State = AlertMail.State


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that is this worker's until its lease runs out."""

    mail: AlertMail
    lease_until: datetime


def deliver(mail_pk: int) -> None:
    """One try, if the mail is due. Never raises for what the mail server does; the row says it."""
    claimed = claim(mail_pk)
    if claimed is not None:
        finish(claimed, send(claimed.mail))


def claim(mail_pk: int) -> Claimed | None:
    """The mail, if it is due and nobody has it."""
    now = timezone.now()
    with transaction.atomic():
        due = Q(state=State.QUEUED, run_at__lte=now) | Q(state=State.SENDING, lease_until__lte=now)
        mail = AlertMail.objects.select_for_update(no_key=True, skip_locked=True, of=("self",)).filter(due, pk=mail_pk).first()
        if mail is None:
            return None
        if mail.attempts >= MOST_ATTEMPTS:
            mail.state, mail.lease_until, mail.finished_at = State.DEAD, None, now
            mail.last_error = mail.last_error or "Its worker died in every try. Look at the worker's log, then send it again."
            mail.save(update_fields=["state", "lease_until", "finished_at", "last_error"])
            return None
        mail.state, mail.attempts, mail.lease_until = State.SENDING, mail.attempts + 1, now + timedelta(seconds=LEASE_S)
        mail.save(update_fields=["state", "attempts", "lease_until"])
        return Claimed(mail, mail.lease_until)


def send(mail: AlertMail) -> str:
    """Hands the mail to the server; empty if it took it, else why not and what to do."""
    if settings.EMAIL_BACKEND.endswith("smtp.EmailBackend") and not settings.EMAIL_HOST:
        return "No mail server is known: set EMAIL_HOST (and EMAIL_FROM), restart the workers, then send this again."
    if not connection.in_atomic_block:
        connection.close()  # back to the pool: the mail server may take its time
    try:
        _message(mail).send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _words in error.recipients.values()]
        if all(400 <= code < 500 for code in codes):
            return f"The mail server takes nothing for this address at present ({codes[0]})."
        return "The mail server refuses this address. Correct it in the rule."
    except smtplib.SMTPAuthenticationError as error:
        return f"The mail server refuses our log-in ({error.smtp_code}). Check EMAIL_HOST_USER and EMAIL_HOST_PASSWORD."
    except smtplib.SMTPSenderRefused as error:
        return f"The mail server refuses our sender ({error.smtp_code}). Check EMAIL_FROM."
    except smtplib.SMTPResponseException as error:
        return f"The mail server answered {error.smtp_code}. Its own log says why."
    except (smtplib.SMTPException, OSError) as error:
        return (
            f"The mail server could not be reached or broke off ({type(error).__name__}). Check EMAIL_HOST, EMAIL_PORT and EMAIL_SECURITY."
        )
    except Exception as error:  # noqa: BLE001 - a fault of ours is kept on the row and tried again like any other
        logger.error("alert_mail_not_made", mail_id=mail.pk, error=type(error).__name__, place=place(error))
        return describe(error)
    return ""


def _message(mail: AlertMail) -> EmailMessage:
    host = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip(" >") or "localhost"
    headers = {
        "Message-ID": f"<voiceagents-alert-mail-{mail.pk}-{mail.created_at:%Y%m%d%H%M%S}@{host}>",
        "Date": format_datetime(mail.created_at),
        "Auto-Submitted": "auto-generated",
    }
    if mail.alert_id is not None:
        headers["References"] = f"<voiceagents-alert-{mail.alert_id}@{host}>"  # a thread of its own for each alert
    return EmailMessage(mail.title, mail.body, settings.DEFAULT_FROM_EMAIL, [mail.to], headers=headers)


def finish(claimed: Claimed, error: str) -> None:
    """Writes what one try came to. Nothing, if the lease was lost meanwhile: the mail is another's now."""
    now = timezone.now()
    with transaction.atomic():
        mail = AlertMail.objects.select_for_update(no_key=True).filter(pk=claimed.mail.pk).first()
        if mail is None or mail.state != State.SENDING or mail.lease_until != claimed.lease_until:
            return
        wait = wait_s(mail.attempts) if error and mail.what != AlertMail.What.TEST else None
        mail.lease_until, mail.last_error = None, error[:300]
        if wait is not None:
            mail.state, mail.run_at = State.QUEUED, now + timedelta(seconds=wait)
            dispatch.nudge_row_on_commit(DELIVER, mail.pk, wait)
        else:
            mail.state, mail.finished_at = (State.DEAD, now) if error else (State.SENT, now)
        mail.save(update_fields=["state", "run_at", "lease_until", "last_error", "finished_at"])
    if error:
        logger.warning("alert_mail_failed", mail_id=mail.pk, attempt=mail.attempts, reason=error[:200], given_up=mail.state == State.DEAD)
    else:
        logger.info("alert_mail_sent", mail_id=mail.pk, attempt=mail.attempts)


def due_mails(limit: int, late_by: timedelta) -> list[int]:
    """Mails that nobody works on although they should, oldest first."""
    now = timezone.now()
    late = Q(state=State.QUEUED, run_at__lte=now - late_by) | Q(state=State.SENDING, lease_until__lte=now)
    return list(AlertMail.objects.filter(late).order_by("run_at", "pk").values_list("pk", flat=True)[:limit])
