"""Webhook endpoints over REST: who is told what, what was told, and telling it again."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters.filterset import FilterSet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from agents.api_lists import NewestFirst, OnlyPages, Pages, TruthFilter
from calls.models import WebhookAttempt, WebhookEndpoint, WebhookMessage
from calls.outgoing import endpoints
from calls.outgoing.serializers import (
    AttemptSerializer,
    EndpointSerializer,
    MessageDetailSerializer,
    MessageQuerySerializer,
    MessageSerializer,
    NewEndpointSerializer,
    RangeSerializer,
    ReplayedSerializer,
    ReplaySerializer,
    TestSentSerializer,
)


class EndpointFilters(FilterSet):
    active = TruthFilter()


@extend_schema_view(
    list=extend_schema(summary="List your webhook endpoints"),
    create=extend_schema(
        summary="Add a webhook endpoint; its secret is in the answer and is not shown again",
        request=EndpointSerializer,
        responses={201: NewEndpointSerializer},
    ),
    retrieve=extend_schema(summary="Read a webhook endpoint and how it does"),
    update=extend_schema(summary="Change a webhook endpoint"),
    partial_update=extend_schema(summary="Change some fields of a webhook endpoint, or switch it on again"),
    destroy=extend_schema(summary="Remove a webhook endpoint with all its deliveries"),
)
class EndpointViewSet(viewsets.ModelViewSet[WebhookEndpoint]):
    serializer_class = EndpointSerializer
    pagination_class = Pages
    filterset_class = EndpointFilters
    queryset = WebhookEndpoint.objects.none()
    changes_take = "calls.{deed}_webhookendpoint"
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[WebhookEndpoint]:
        return endpoints.visible_endpoints(self.request.user)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        wanted = self.get_serializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        if not endpoints.has_room(request.user):
            message = _("You have %(most)d endpoints, which is the most. Remove one that is not used any more.")
            raise ValidationError({"non_field_errors": [message % {"most": endpoints.MOST_ENDPOINTS}]})
        endpoint = wanted.save(owner=request.user, secret_shown=True)
        return Response(NewEndpointSerializer(endpoint).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Make a new secret; the old one signs too for 24 hours",
        request=None,
        responses=NewEndpointSerializer,
    )
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str) -> Response:
        endpoint = endpoints.rotate_secret(self.get_object(), request.user)
        endpoints.reveal_secret(endpoint, request.user)
        return Response(NewEndpointSerializer(endpoint).data)

    @extend_schema(summary="Send a test message, once", request=None, responses={202: TestSentSerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        message = endpoints.send_test(self.get_object(), request.user)
        return Response({"message_id": message.message_id}, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="Send the messages of a time again, those that did not arrive or all",
        request=RangeSerializer,
        responses={202: ReplayedSerializer},
    )
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        endpoint = self.get_object()
        wanted = RangeSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        _refuse_if_off(endpoint)
        count = endpoints.replay_range(endpoint, request.user, **wanted.validated_data)
        return Response({"replayed": count}, status=status.HTTP_202_ACCEPTED)

    @extend_schema(summary="List the tries at an endpoint, newest first", responses=AttemptSerializer(many=True))
    @action(detail=True, pagination_class=NewestFirst, serializer_class=AttemptSerializer, filter_backends=[OnlyPages])
    def attempts(self, request: Request, pk: str) -> Response:
        tries = WebhookAttempt.objects.filter(delivery__endpoint=self.get_object()).select_related("delivery__message")
        pages = NewestFirst()
        page = pages.paginate_queryset(tries, request, view=self)
        return pages.get_paginated_response(AttemptSerializer(page, many=True).data)


class MessageViewSet(mixins.RetrieveModelMixin, viewsets.GenericViewSet[WebhookMessage]):
    serializer_class = MessageDetailSerializer
    pagination_class = NewestFirst
    filter_backends = ()
    queryset = WebhookMessage.objects.none()
    changes_take = "calls.change_webhookendpoint"  # as for the button of the admin and of the call page
    lookup_field = "message_id"
    lookup_value_regex = r"msg_[A-Za-z0-9]{1,35}"

    def get_queryset(self) -> QuerySet[WebhookMessage]:
        return endpoints.visible_messages(self.request.user).select_related("session").prefetch_related("deliveries")

    @extend_schema(summary="Read a message: what it says, and every try to deliver it")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(summary="List what was told, newest first", parameters=[MessageQuerySerializer], responses=MessageSerializer(many=True))
    def list(self, request: Request) -> Response:
        query = MessageQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        wanted = query.validated_data
        named = {"session_id": "session__session_id", "type": "type", "state": "deliveries__state"}
        rows = self.get_queryset().filter(**{path: wanted[name] for name, path in named.items() if name in wanted}).distinct()
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(MessageSerializer(page, many=True).data)

    @extend_schema(summary="Send a message again", request=ReplaySerializer, responses={202: ReplayedSerializer})
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, message_id: str) -> Response:
        message = self.get_object()
        wanted = ReplaySerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        if (pk := wanted.validated_data.get("endpoint")) is None:
            chosen = list(WebhookEndpoint.objects.filter(owner_id=message.owner_id, active=True))
        else:
            chosen = list(endpoints.visible_endpoints(request.user).filter(pk=pk, owner_id=message.owner_id))
            if not chosen:
                raise NotFound(_("There is no endpoint %(pk)s.") % {"pk": pk})
            _refuse_if_off(chosen[0])
        count = endpoints.replay([message], chosen, request.user)
        return Response({"replayed": count}, status=status.HTTP_202_ACCEPTED)


def _refuse_if_off(endpoint: WebhookEndpoint) -> None:
    if not endpoint.active:
        raise serializers.ValidationError({"non_field_errors": [_("This endpoint is switched off. Set active to true first.")]})


routes = [("webhook-endpoints", EndpointViewSet, "webhook-endpoint"), ("webhook-messages", MessageViewSet, "webhook-message")]
