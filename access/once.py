"""A POST with an Idempotency-Key has its effect once in 24 hours, however often and however close together it is sent.

The key's row is inserted in the transaction of the effect. Who comes second waits for the first at the row's UNIQUE and is given its
answer; if the first failed or died, its row went with it and the second one acts. Refusals are not kept: they changed nothing.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from access.models import KeptAnswer
from agents.api_fields import Conflict

KEPT_FOR: Final = timedelta(hours=24)
LONGEST_KEY: Final = 200
WAIT_S: Final = 5
REPLAYED: Final = "Idempotency-Replayed"


def once(request: Request, act: Callable[..., Response], *args: Any, **kwargs: Any) -> Response:
    """What `act` answers, or answered when this key came first. Raises `Conflict` for a key that was used for something else."""
    name = request.headers.get("Idempotency-Key", "").strip()
    if not name:
        return act(request, *args, **kwargs)
    if len(name) > LONGEST_KEY:
        raise ValidationError({"Idempotency-Key": [_("This key is too long. Use at most 200 characters.")]})
    row = KeptAnswer(user_id=request.user.pk or 0, key_sha256=_sha256(name), request_sha256=_fingerprint(request))
    _forget_old()
    with transaction.atomic():
        if (kept := _claim(row)) is not None:
            return _again(kept, row.request_sha256)
        answer = act(request, *args, **kwargs)
        if answer.status_code >= status.HTTP_300_MULTIPLE_CHOICES:
            transaction.set_rollback(True)
            return answer
        row.status = answer.status_code
        row.location = answer.headers.get("Location", "")
        row.body = json.dumps(answer.data, cls=JSONEncoder)
        row.save(update_fields=["status", "location", "body"])
    return answer


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
        raise _busy() from error
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    return None


def _busy() -> Conflict:
    return Conflict(_("A request with this Idempotency-Key is being carried out right now. Ask again in a moment."))


def _again(kept: KeptAnswer, request_sha256: str) -> Response:
    if kept.request_sha256 != request_sha256:
        raise Conflict(_("This Idempotency-Key was used for another request. Use a new one for each request."))
    headers = {REPLAYED: "true", **({"Location": kept.location} if kept.location else {})}
    return Response(json.loads(kept.body), status=kept.status, headers=headers)


def _forget_old() -> None:
    """A few of those whose day is over, whoever's they are."""
    old = KeptAnswer.objects.filter(created_at__lt=timezone.now() - KEPT_FOR)
    with transaction.atomic():
        chosen = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:100])
        if chosen:
            KeptAnswer.objects.filter(pk__in=chosen).delete()


def _fingerprint(request: Request) -> str:
    return _sha256(f"{request.get_full_path()}\n{json.dumps(request.data, sort_keys=True, default=str)}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
