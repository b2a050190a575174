"""A POST with an Idempotency-Key has its effect once in 24 hours, however often and however close together it is sent.

The key's row is inserted in the transaction of the effect. Who comes second waits for the first at the row's UNIQUE and is given its
answer; if the first failed or died, its row went with it and the second one acts. A refusal is not kept: the mended request may have the
same key. What was written down on the way to a refusal, such as the alarm of a budget, stays, as it does without a key.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg.errors import LockNotAvailable
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from access.models import KeptAnswer
from agents.api_fields import Conflict

KEPT_FOR: Final = timedelta(hours=24)
KEY_FORM: Final = "^[!-~]+$"
LONGEST_KEY: Final = 200
WAIT_S: Final = 5
NAME: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"


class Busy(Conflict):
    """The first of two is still at it, so nothing is known of the effect. `Retry-After` tells when to ask again with the same key."""

    wait = WAIT_S


def once(request: Request, act: Callable[..., Response], *args: Any, **kwargs: Any) -> Response:
    """What `act` answers, or answered when this key came first. Raises `Conflict` for a key that was used for something else."""
    if (name := request.headers.get(NAME)) is None:
        return act(request, *args, **kwargs)
    name = _judged(name.strip())
    row = KeptAnswer(user_id=request.user.pk or 0, key_sha256=_sha256(name), request_sha256=_fingerprint(request))
    _old().filter(user_id=row.user_id, key_sha256=row.key_sha256).delete()
    answer: Response | APIException
    with transaction.atomic():
        if (kept := _claim(row)) is not None:
            return _again(kept, row.request_sha256)
        try:
            answer = act(request, *args, **kwargs)
        except APIException as refusal:
            answer = refusal
        if isinstance(answer, Response) and answer.status_code < status.HTTP_300_MULTIPLE_CHOICES:
            row.status = answer.status_code
            row.location = answer.headers.get("Location", "")
            row.body = json.dumps(answer.data, cls=JSONEncoder)
            row.save(update_fields=["status", "location", "body"])
        elif not transaction.get_rollback():
            row.delete()
    if isinstance(answer, APIException):
        raise answer
    return answer


def forget_old() -> int:
    """Deletes the answers whose day is over, whoever's they are; returns how many."""
    return _old().delete()[0]


def _judged(name: str) -> str:
    if len(name) > LONGEST_KEY:
        raise ValidationError({NAME: [_("This key is too long. Use at most 200 characters.")]})
    if re.fullmatch(KEY_FORM, name) is None:
        raise ValidationError({NAME: [_("Use ASCII letters, digits and signs for this key, at least one, and no spaces.")]})
    return name


def _claim(row: KeptAnswer) -> KeptAnswer | None:
    """None if the key is ours now; else what it was answered. Waits a moment for one who is at it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{WAIT_S}s"])
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        kept = KeptAnswer.objects.filter(user_id=row.user_id, key_sha256=row.key_sha256).first()
        if kept is None:  # its day ended this very moment
            raise _busy() from error
        return kept
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        raise _busy() from error
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    return None


def _busy() -> Busy:
    return Busy(_("A request with this Idempotency-Key is being carried out right now. Ask again in a moment."))


def _again(kept: KeptAnswer, request_sha256: str) -> Response:
    if kept.request_sha256 != request_sha256:
        raise Conflict(_("This Idempotency-Key was used for another request. Use a new one for each request."))
    headers = {REPLAYED: "true", **({"Location": kept.location} if kept.location else {})}
    return Response(json.loads(kept.body), status=kept.status, headers=headers)


def _old() -> QuerySet[KeptAnswer]:
    return KeptAnswer.objects.filter(created_at__lt=timezone.now() - KEPT_FOR)


def _fingerprint(request: Request) -> str:
    return _sha256(f"{request.get_full_path()}\n{json.dumps(request.data, sort_keys=True, default=str)}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
