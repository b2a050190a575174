"""Calls over REST: place one, find some, read one, hang up."""

import hashlib
from typing import Any

import structlog
from django.core.cache import cache
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.utils.urls import replace_query_param

from calls import commands, queries
from calls.models import Session
from calls.serializers import (
    CallDetailSerializer,
    CallPageSerializer,
    CallQuerySerializer,
    CallSerializer,
    HangupSerializer,
    PlaceCallSerializer,
)
from calls.status import TERMINAL, CallStatus

logger = structlog.get_logger()

REMEMBERED_FOR_S = 24 * 3600
_PLACING = "placing"


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class CannotRemember(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "unavailable"


class CallViewSet(viewsets.GenericViewSet[Session]):
    serializer_class = CallSerializer
    queryset = Session.objects.none()
    lookup_field = "session_id"
    lookup_value_regex = r"sess_[A-Za-z0-9]{1,35}"
    filter_backends = ()
    pagination_class = None

    @extend_schema(summary="List calls, newest first", parameters=[CallQuerySerializer], responses=CallPageSerializer)
    def list(self, request: Request) -> Response:
        query = CallQuerySerializer(data=request.query_params, context=self.get_serializer_context())
        query.is_valid(raise_exception=True)
        limit = query.validated_data.get("limit", queries.PAGE_ROWS)
        page = queries.call_list(request.user, query.filters(), query.validated_data.get("cursor"), limit)
        following = None
        if page.next_cursor is not None:
            following = replace_query_param(request.build_absolute_uri(), "cursor", page.next_cursor)
        return Response({"results": CallSerializer(page.rows, many=True).data, "next": following})

    @extend_schema(
        summary="Place a call",
        description="The call is queued and dialled at once by a worker. With an Idempotency-Key, the same request sent again within a "
        "day answers with the call that it placed, and places no other.",
        request=PlaceCallSerializer,
        parameters=[
            OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, description="Any text of your own, up to 200 characters.")
        ],
        responses={202: CallSerializer, 200: CallSerializer},
    )
    def create(self, request: Request) -> Response:
        order = PlaceCallSerializer(data=request.data, context=self.get_serializer_context())
        order.is_valid(raise_exception=True)
        customer = order.validated_data.get("customer", {})
        wanted = f"{order.validated_data['agent'].pk} {order.validated_data['to']} {order.initial_data.get('from', '')}"
        wanted += f" {sorted(customer.items())}" if customer else ""
        memory = Memory(request, wanted)
        if known := memory.recall():
            return self._placed(known, status.HTTP_200_OK)
        agent = order.validated_data["agent"]
        try:
            session = commands.queue_outbound_call(
                owner=agent.owner,
                agent=agent,
                to_phone=order.validated_data["to"],
                from_phone=order.validated_data["from_phone"],
                customer=customer,
            )
        except commands.CallRefused as error:
            memory.forget()
            raise ValidationError({"non_field_errors": [error.message]}) from error
        except BaseException:
            memory.forget()
            raise
        memory.keep(session.session_id)
        return self._placed(session.session_id, status.HTTP_202_ACCEPTED)

    def _placed(self, session_id: str, code: int) -> Response:
        session = self._find(session_id)
        where = reverse("call-detail", args=[session_id], request=self.request)
        return Response(CallSerializer(session).data, status=code, headers={"Location": where})

    @extend_schema(summary="Read a call: turns, latency, recording, costs, events", responses=CallDetailSerializer)
    def retrieve(self, request: Request, session_id: str) -> Response:
        return Response(CallDetailSerializer(self._find(session_id)).data)

    @extend_schema(
        summary="Hang up",
        description="Exotel has no hang-up request: we close our side of the call's audio, which ends it. 409 if the call is over.",
        request=None,
        responses={202: HangupSerializer},
    )
    @action(detail=True, methods=["post"])
    def hangup(self, request: Request, session_id: str) -> Response:
        session = self._find(session_id)
        if not commands.request_hangup(session, by=request.user.get_username()):
            status_now = session.call_log.status
            how = status_now if status_now in TERMINAL else _("the talk has ended, the carrier has not confirmed it yet")
            raise Conflict(_("This call is over (%(status)s): there is nothing to hang up.") % {"status": how})
        session = self._find(session_id)
        answer = {"session_id": session_id, "status": session.call_log.status, "detail": _what_happens(session)}
        return Response(answer, status=status.HTTP_202_ACCEPTED)

    def _find(self, session_id: str) -> Session:
        session = queries.call_page(self.request.user, session_id)
        if session is None:
            raise NotFound(_("There is no call %(session_id)s.") % {"session_id": session_id})
        return session


def _what_happens(session: Session) -> str:
    if session.call_log.status == CallStatus.CANCELED:
        return _("The call was still queued. It is canceled and will not be dialled.")
    if session.state == Session.State.ACTIVE:
        return _("The agent's side of the call is being closed. The call ends within seconds.")
    return _("The call has no audio yet, and the carrier takes no hang-up before that. It is ended as soon as it is answered.")


class Memory:
    """What a client's Idempotency-Key has already placed. Without a key it remembers nothing.

    Kept in the cache: it protects against a client's retries, not against the loss of Valkey. If the cache cannot be asked, a request
    that wants to be remembered is refused: calling somebody twice is worse than asking the client to come back.
    """

    def __init__(self, request: Request, wanted: str) -> None:
        key = request.headers.get("Idempotency-Key", "").strip()
        if len(key) > 200:
            raise ValidationError({"Idempotency-Key": [_("This key is too long. Use at most 200 characters.")]})
        # What was asked for is part of the name: one key for two different orders is a mistake of the client's.
        self._wanted = hashlib.sha256(wanted.encode()).hexdigest()
        self._name = f"placed:{request.user.pk}:{hashlib.sha256(key.encode()).hexdigest()}" if key else ""

    def recall(self) -> str:
        """The session that this key placed, or empty: then the key is held for us until `keep` or `forget`."""
        if not self._name:
            return ""
        try:
            if cache.add(self._name, (self._wanted, _PLACING), 60):
                return ""
            wanted, session_id = cache.get(self._name) or (self._wanted, _PLACING)
        except Exception as error:
            logger.warning("cache_unavailable", error=type(error).__name__)
            message = _("The Idempotency-Key cannot be checked right now, and no call was placed. Try again in a moment.")
            raise CannotRemember(message) from error
        if wanted != self._wanted:
            raise Conflict(_("This Idempotency-Key was used for another call. Use a new one for each call."))
        if session_id == _PLACING:
            raise Conflict(_("A request with this Idempotency-Key is being carried out right now. Ask again in a moment."))
        return str(session_id)

    def keep(self, session_id: str) -> None:
        self._safely(lambda: cache.set(self._name, (self._wanted, session_id), REMEMBERED_FOR_S))

    def forget(self) -> None:
        self._safely(lambda: cache.delete(self._name))

    def _safely(self, act: Any) -> None:
        if not self._name:
            return
        try:
            act()
        except Exception as error:  # noqa: BLE001 - the call is placed or refused by now; its answer must not be lost
            logger.warning("cache_unavailable", error=type(error).__name__)


routes = [("calls", CallViewSet, "call")]
