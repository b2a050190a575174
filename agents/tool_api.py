"""Destinations and HTTP tools over REST. Each change publishes the agent's next version; calls in progress keep theirs."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters.filterset import FilterSet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, viewsets

from agents.api_fields import Conflict
from agents.api_lists import Pages, TruthFilter, WholeFilter
from agents.models import Destination, HttpTool
from agents.tool_serializers import DestinationSerializer, HttpToolSerializer
from agents.visibility import visible_agents


class PartFilters(FilterSet):
    agent = WholeFilter("agent_id")
    active = TruthFilter()


class _PartsOfAgents(viewsets.ModelViewSet[Any]):
    pagination_class = Pages
    lookup_value_regex = r"\d+"
    filterset_class = PartFilters

    def get_queryset(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset().model._default_manager.all()
        return rows.filter(agent__in=visible_agents(self.request.user)).select_related("agent")

    def perform_create(self, serializer: serializers.BaseSerializer[Any]) -> None:
        self._save(serializer)

    def perform_update(self, serializer: serializers.BaseSerializer[Any]) -> None:
        self._save(serializer)

    def perform_destroy(self, instance: Any) -> None:
        instance.delete(by=self.request.user)

    def _save(self, serializer: serializers.BaseSerializer[Any]) -> None:
        try:
            with transaction.atomic():
                serializer.save()
        except IntegrityError as error:  # another request took the name between the check and the write
            raise Conflict(_("The agent has one of this name already. Choose another name.")) from error


@extend_schema_view(
    list=extend_schema(summary="List the people your agents can hand callers over to"),
    create=extend_schema(summary="Give an agent somebody to hand callers over to"),
    retrieve=extend_schema(summary="Read a destination"),
    update=extend_schema(summary="Change a destination"),
    partial_update=extend_schema(summary="Change some fields of a destination"),
    destroy=extend_schema(summary="Remove a destination; transfers that were decided keep their numbers"),
)
class DestinationViewSet(_PartsOfAgents):
    queryset = Destination.objects.none()
    serializer_class = DestinationSerializer
    changes_take = "agents.{deed}_destination"


@extend_schema_view(
    list=extend_schema(summary="List your agents' HTTP tools"),
    create=extend_schema(summary="Give an agent an HTTP tool"),
    retrieve=extend_schema(summary="Read an HTTP tool; its secrets are told by name only"),
    update=extend_schema(summary="Change an HTTP tool"),
    partial_update=extend_schema(summary="Change some fields of an HTTP tool"),
    destroy=extend_schema(summary="Remove an HTTP tool"),
)
class HttpToolViewSet(_PartsOfAgents):
    queryset = HttpTool.objects.none()
    serializer_class = HttpToolSerializer
    changes_take = "agents.{deed}_httptool"


routes = [("destinations", DestinationViewSet, "destination"), ("tools", HttpToolViewSet, "tool")]
