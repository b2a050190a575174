"""Scenarios over REST, and rehearsals: begun, looked at while they are held, and read with the turns that show it."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Prefetch, Q, QuerySet
from django.utils.translation import gettext as _
from django_filters.filterset import FilterSet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from agents.api_fields import Conflict
from agents.api_lists import NewestFirst, Pages, TextFilter, TruthFilter, WholeFilter
from agents.visibility import visible_agents
from calls.commands import CallRefused
from calls.entry import CHANGE_AGENTS
from calls.models import RehearsalResult, RehearsalRun, Scenario
from calls.rehearsing import runs
from calls.rehearsing.serializers import NewRehearsalSerializer, RehearsalDetailSerializer, RehearsalSerializer, ScenarioSerializer


class ScenarioFilters(FilterSet):
    agent = WholeFilter("agent_id")
    active = TruthFilter()
    name = TextFilter(lookup="icontains", label="A part of the name.")


@extend_schema_view(
    list=extend_schema(summary="List scenarios and how each went last"),
    create=extend_schema(summary="Write a scenario, or make one from a call"),
    retrieve=extend_schema(summary="Read a scenario"),
    update=extend_schema(summary="Change a scenario; fields that are left out stay as they are"),
    partial_update=extend_schema(summary="Change some fields of a scenario"),
    destroy=extend_schema(summary="Delete a scenario with its results (409 while it is being rehearsed); the test calls stay"),
)
class ScenarioViewSet(viewsets.ModelViewSet[Scenario]):
    serializer_class = ScenarioSerializer
    pagination_class = Pages
    filterset_class = ScenarioFilters
    queryset = Scenario.objects.none()
    changes_take = CHANGE_AGENTS
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Scenario]:
        over = RehearsalResult.objects.filter(ended_at__isnull=False).exclude(state=RehearsalResult.State.STOPPED)
        newest = Prefetch("results", queryset=over.order_by("scenario_id", "-pk").distinct("scenario_id"), to_attr="newest")
        rows = Scenario.objects.filter(agent__in=visible_agents(self.request.user))
        return rows.select_related("agent", "from_call").prefetch_related(newest)

    def perform_create(self, serializer: serializers.BaseSerializer[Scenario]) -> None:
        self._save(serializer, created_by=self.request.user)

    def perform_update(self, serializer: serializers.BaseSerializer[Scenario]) -> None:
        self._save(serializer)

    def _save(self, serializer: serializers.BaseSerializer[Scenario], **more: Any) -> None:
        try:
            with transaction.atomic():
                serializer.save(**more)
        except IntegrityError as error:  # another request took the name between the check and the write
            raise Conflict(_("There is already a scenario of this name. Choose another name.")) from error

    def perform_destroy(self, instance: Scenario) -> None:
        try:
            runs.forget(instance)
        except runs.StillRehearsed as error:
            raise Conflict(error.message) from error


class RehearsalFilters(FilterSet):
    agent = WholeFilter("agent_id")
    is_draft = TruthFilter()


@extend_schema_view(list=extend_schema(summary="List rehearsals, newest first, and how far each is"))
class RehearsalViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[RehearsalRun]):
    serializer_class = RehearsalSerializer
    pagination_class = NewestFirst
    filterset_class = RehearsalFilters
    queryset = RehearsalRun.objects.none()
    changes_take = CHANGE_AGENTS
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[RehearsalRun]:
        rows = RehearsalRun.objects.filter(agent__in=visible_agents(self.request.user)).select_related("agent", "version", "begun_by")
        return rows.annotate(
            total=Count("results"),
            over=Count("results", filter=~Q(results__state__in=runs.GOING)),
            passed=Count("results", filter=Q(results__state=RehearsalResult.State.PASSED)),
        )

    @extend_schema(
        summary="Rehearse an agent",
        description="Its scenarios are held by the workers, several at once. Read the rehearsal again until its state is not “running”.",
        request=NewRehearsalSerializer,
        responses={202: RehearsalDetailSerializer},
    )
    def create(self, request: Request) -> Response:
        wanted = NewRehearsalSerializer(data=request.data, context=self.get_serializer_context())
        wanted.is_valid(raise_exception=True)
        told = wanted.validated_data
        try:
            run = runs.begin_run(
                told["agent"], by=request.user, is_draft=told["is_draft"], scenarios=told["scenarios"], by_voice=told["by_voice"]
            )
        except (runs.NothingToRehearse, CallRefused) as error:
            raise ValidationError({"non_field_errors": [error.message]}) from error
        where = reverse("rehearsal-detail", args=[run.pk], request=request)
        answer = RehearsalDetailSerializer(self.get_queryset().get(pk=run.pk)).data
        return Response(answer, status=status.HTTP_202_ACCEPTED, headers={"Location": where})

    @extend_schema(summary="Read a rehearsal: how far it is, and what each conversation showed", responses=RehearsalDetailSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        runs.progress(self.get_object())  # a job that nobody carries on is told as such
        return Response(RehearsalDetailSerializer(self.get_object()).data)

    @extend_schema(
        summary="Stop a rehearsal: what has not begun is not held, calls by voice hang up (409 if there is neither)",
        request=None,
        responses=RehearsalDetailSerializer,
    )
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        run = self.get_object()
        if not runs.stop_run(run):
            raise Conflict(_("Nothing of this rehearsal waits any more: what has begun is held to its end."))
        return Response(RehearsalDetailSerializer(self.get_queryset().get(pk=run.pk)).data)


routes = [("scenarios", ScenarioViewSet, "scenario"), ("rehearsals", RehearsalViewSet, "rehearsal")]
