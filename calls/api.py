"""Calls over REST: place one, find some, read one, hang up."""

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.utils.urls import replace_query_param

from agents.api_fields import Conflict
from calls import commands, queries
from calls.listing.finding import SearchTooBroad
from calls.models import Session
from calls.serializers import (
    CallDetailSerializer,
    CallPageSerializer,
    CallQuerySerializer,
    CallSerializer,
    HangupSerializer,
    PlaceCallSerializer,
)
from calls.status import SESSION_ID, TERMINAL, CallStatus


class CallViewSet(viewsets.GenericViewSet[Session]):
    serializer_class = CallSerializer
    queryset = Session.objects.none()
    lookup_field = "session_id"
    lookup_value_regex = SESSION_ID
    filter_backends = ()
    pagination_class = None

    @extend_schema(summary="List calls, newest first", parameters=[CallQuerySerializer], responses=CallPageSerializer)
    def list(self, request: Request) -> Response:
        query = CallQuerySerializer(data=request.query_params, context=self.get_serializer_context())
        query.is_valid(raise_exception=True)
        limit = query.validated_data.get("limit", queries.PAGE_ROWS)
        try:
            page = queries.call_list(request.user, query.filters(), query.validated_data.get("cursor"), limit)
        except SearchTooBroad as error:
            raise ValidationError({"non_field_errors": [error.message]}) from error
        following = None
        if page.next_cursor is not None:
            following = replace_query_param(request.build_absolute_uri(), "cursor", page.next_cursor)
        return Response({"results": self.get_serializer(page.rows, many=True).data, "next": following})

    @extend_schema(
        summary="Place a call",
        description="The call is queued and dialled at once by a worker. Send an Idempotency-Key: without one, a request that is repeated "
        "because its answer got lost calls the person twice.",
        request=PlaceCallSerializer,
        responses={202: CallSerializer},
    )
    def create(self, request: Request) -> Response:
        order = PlaceCallSerializer(data=request.data, context=self.get_serializer_context())
        order.is_valid(raise_exception=True)
        agent = order.validated_data["agent"]
        try:
            session = commands.queue_outbound_call(
                owner=agent.owner,
                agent=agent,
                to_phone=order.validated_data["to"],
                from_phone=order.validated_data["from_phone"],
                customer=order.validated_data.get("customer", {}),
            )
        except commands.CallRefused as error:
            raise ValidationError({"non_field_errors": [error.message]}) from error
        return self._placed(session.session_id)

    def _placed(self, session_id: str) -> Response:
        session = self._find(session_id)
        where = reverse("call-detail", args=[session_id], request=self.request)
        return Response(self.get_serializer(session).data, status=status.HTTP_202_ACCEPTED, headers={"Location": where})

    @extend_schema(summary="Read a call: turns, latency, recording, costs, events", responses=CallDetailSerializer)
    def retrieve(self, request: Request, session_id: str) -> Response:
        return Response(CallDetailSerializer(self._find(session_id), context=self.get_serializer_context()).data)

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


routes = [("calls", CallViewSet, "call")]
