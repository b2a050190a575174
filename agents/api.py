"""Agents over REST: create, read, change, delete, and look at what was published when."""

from typing import Any

from django.core.exceptions import ValidationError as ModelInvalid
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, ProtectedError, QuerySet, Subquery
from django.utils.translation import gettext as _
from django_filters.filterset import FilterSet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from agents import restoring
from agents.api_fields import Conflict
from agents.api_lists import OneOfFilter, OnlyPages, Pages, TextFilter, TruthFilter
from agents.models import LANGUAGES, Agent, AgentVersion
from agents.serializers import AgentSerializer, AgentVersionSerializer, RestoredSerializer, RestoreSerializer, nested
from agents.spec import Mode
from agents.visibility import visible_agents

_NUMBER = OpenApiParameter("number", int, OpenApiParameter.PATH, description="The version's number.")


class VersionPages(Pages):
    ordering = "-number"


class AgentFilters(FilterSet):
    name = TextFilter(lookup="icontains", label="A part of the name.")
    active = TruthFilter()
    language = OneOfFilter(LANGUAGES)
    mode = OneOfFilter((mode.value, mode.value) for mode in Mode)


@extend_schema_view(
    list=extend_schema(summary="List your agents"),
    create=extend_schema(summary="Create an agent and publish its first version"),
    retrieve=extend_schema(summary="Read an agent"),
    update=extend_schema(summary="Change an agent; fields that are left out stay as they are"),
    partial_update=extend_schema(summary="Change some fields of an agent and publish the result"),
    destroy=extend_schema(summary="Delete an agent that has no calls (409 otherwise: deactivate it instead)"),
)
class AgentViewSet(viewsets.ModelViewSet[Agent]):
    serializer_class = AgentSerializer
    pagination_class = Pages
    filterset_class = AgentFilters
    queryset = Agent.objects.none()
    changes_take = "agents.{deed}_agent"
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Agent]:
        agents = visible_agents(self.request.user).select_related("owner")
        if self.action in {"update", "partial_update"}:
            # Two changes of different fields at once must not undo each other.
            return agents.select_for_update(of=("self",), no_key=True)
        latest = AgentVersion.objects.filter(agent=OuterRef("pk")).order_by("-number").values("number")[:1]
        return agents.annotate(latest_version=Subquery(latest))

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with transaction.atomic():
            return super().update(request, *args, **kwargs)

    def perform_create(self, serializer: serializers.BaseSerializer[Agent]) -> None:
        self._save(serializer, owner=self.request.user)

    def perform_update(self, serializer: serializers.BaseSerializer[Agent]) -> None:
        self._save(serializer)

    def _save(self, serializer: serializers.BaseSerializer[Agent], **more: Any) -> None:
        try:
            with transaction.atomic():
                serializer.save(**more)
        except IntegrityError as error:  # another request took the name between the check and the write
            raise Conflict(_("There is already an agent of this name. Choose another name.")) from error

    def perform_destroy(self, instance: Agent) -> None:
        try:
            with transaction.atomic():
                instance.delete()
        except ProtectedError as error:
            raise Conflict(_why_kept(instance)) from error

    @extend_schema(summary="List an agent's published versions, newest first", responses=AgentVersionSerializer(many=True))
    @action(detail=True, pagination_class=VersionPages, serializer_class=AgentVersionSerializer, filter_backends=[OnlyPages])
    def versions(self, request: Request, pk: int) -> Response:
        pages = VersionPages()
        page = pages.paginate_queryset(self._versions(self.get_object()), request, view=self)
        return pages.get_paginated_response(AgentVersionSerializer(page, many=True).data)

    @extend_schema(summary="Read one version: everything that a call on it used", parameters=[_NUMBER], responses=AgentVersionSerializer)
    @action(detail=True, url_path=r"versions/(?P<number>[1-9]\d{0,8})")
    def version(self, request: Request, pk: str, number: str) -> Response:
        return Response(AgentVersionSerializer(self._version(number)).data)

    @extend_schema(
        summary="Bring an earlier version back: it is published again as the next one",
        parameters=[_NUMBER],
        request=RestoreSerializer,
        responses=RestoredSerializer,
    )
    @action(detail=True, methods=["post"], url_path=r"versions/(?P<number>[1-9]\d{0,8})/restore")
    def restore(self, request: Request, pk: str, number: str) -> Response:
        wanted = RestoreSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        try:
            restored = restoring.restore(self._version(number), by=request.user, reason=wanted.validated_data.get("reason", ""))
        except ModelInvalid as error:
            raise serializers.ValidationError(nested(error.message_dict)) from error
        version = self._version(restored.version.number)
        return Response({"version": AgentVersionSerializer(version).data, "is_new": restored.is_new, "warnings": list(restored.warnings)})

    def _version(self, number: str | int) -> AgentVersion:
        version = self._versions(self.get_object()).filter(number=number).first()
        if version is None:
            raise NotFound(_("This agent has no version %(number)s.") % {"number": number})
        return version

    @staticmethod
    def _versions(agent: Agent) -> QuerySet[AgentVersion]:
        before = AgentVersion.objects.filter(agent=OuterRef("agent"), number__lt=OuterRef("number")).order_by("-number")
        rows = AgentVersion.objects.filter(agent=agent).select_related("published_by")
        return rows.annotate(previous_spec=Subquery(before.values("spec")[:1]))


def _why_kept(agent: Agent) -> str:
    """Why an agent cannot be deleted, and what to do instead."""
    calls = agent.sessions.count()
    if calls:
        return _("This agent has %(calls)d calls, which would lose their history. Deactivate it instead: set active to false.") % {
            "calls": calls
        }
    numbers = ", ".join(agent.phones.values_list("number", flat=True)[:5])
    return _("This agent answers %(numbers)s. Give the number to another agent first, or deactivate this one.") % {"numbers": numbers}


routes = [("agents", AgentViewSet, "agent")]
