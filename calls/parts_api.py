"""Sessions, turns, recordings and charges over REST: flat lists over many calls, for programs that count, copy or look for something."""

from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from agents.api_lists import NewestFirst
from calls import parts
from calls.models import Charge, Recording, Session, Turn
from calls.serializers.parts import (
    ChargeQuerySerializer,
    ChargeSerializer,
    PartQuerySerializer,
    RecordingLineSerializer,
    RecordingOfCallSerializer,
    RecordingQuerySerializer,
    SessionQuerySerializer,
    SessionSerializer,
    TurnOfCallSerializer,
    TurnQuerySerializer,
)
from calls.status import SESSION_ID


class _Parts(viewsets.GenericViewSet[Any]):
    """A list and its filters. `reading` finds the rows, `asked` judges the filters."""

    pagination_class = NewestFirst
    filter_backends = ()
    reading: ClassVar[Any]
    asked: ClassVar[type[PartQuerySerializer]]

    def _page(self, request: Request) -> Response:
        query = self.asked(data=request.query_params)
        query.is_valid(raise_exception=True)
        rows = type(self).reading(request.user, query.validated_data)
        return self.get_paginated_response(self.get_serializer(self.paginate_queryset(rows), many=True).data)

    def _one(self, request: Request, what: str, **named: Any) -> Any:
        row = type(self).reading(request.user, {}).filter(**named).first()
        if row is None:
            raise NotFound(_("There is no such %(what)s.") % {"what": what})
        return row


class SessionViewSet(_Parts):
    queryset = Session.objects.none()
    serializer_class = SessionSerializer
    reading = staticmethod(parts.sessions)
    asked = SessionQuerySerializer
    lookup_field = "session_id"
    lookup_value_regex = SESSION_ID

    @extend_schema(summary="List sessions, newest first", parameters=[SessionQuerySerializer])
    def list(self, request: Request) -> Response:
        return self._page(request)

    @extend_schema(summary="Read a session", responses=SessionSerializer)
    def retrieve(self, request: Request, session_id: str) -> Response:
        return Response(self.get_serializer(self._one(request, _("session"), session_id=session_id)).data)


class TurnViewSet(_Parts):
    queryset = Turn.objects.none()
    serializer_class = TurnOfCallSerializer
    reading = staticmethod(parts.turns)
    asked = TurnQuerySerializer

    @extend_schema(summary="List turns, newest first", parameters=[TurnQuerySerializer])
    def list(self, request: Request) -> Response:
        return self._page(request)


class RecordingViewSet(_Parts):
    queryset = Recording.objects.none()
    serializer_class = RecordingLineSerializer
    reading = staticmethod(parts.recordings)
    asked = RecordingQuerySerializer
    lookup_field = "session_id"
    lookup_value_regex = SESSION_ID

    @extend_schema(summary="List recordings, newest first", parameters=[RecordingQuerySerializer])
    def list(self, request: Request) -> Response:
        return self._page(request)

    @extend_schema(
        summary="Read a call's recording: its transcript, and a link that plays it for a while",
        parameters=[OpenApiParameter("session_id", OpenApiTypes.STR, OpenApiParameter.PATH)],
        responses=RecordingOfCallSerializer,
    )
    def retrieve(self, request: Request, session_id: str) -> Response:
        return Response(RecordingOfCallSerializer(self._one(request, _("recording"), session__session_id=session_id)).data)


class ChargeViewSet(_Parts):
    queryset = Charge.objects.none()
    serializer_class = ChargeSerializer
    reading = staticmethod(parts.charges)
    asked = ChargeQuerySerializer
    lookup_value_regex = r"\d+"

    @extend_schema(summary="List charges, newest first", parameters=[ChargeQuerySerializer])
    def list(self, request: Request) -> Response:
        return self._page(request)

    @extend_schema(summary="Read a charge", parameters=[OpenApiParameter("id", int, OpenApiParameter.PATH)], responses=ChargeSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(ChargeSerializer(self._one(request, _("charge"), pk=pk)).data)


routes = [
    ("sessions", SessionViewSet, "session"),
    ("turns", TurnViewSet, "turn"),
    ("recordings", RecordingViewSet, "recording"),
    ("charges", ChargeViewSet, "charge"),
]
