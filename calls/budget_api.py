"""Budgets over REST: how much may be spent, and how each stands."""

from typing import Any

from django.core.exceptions import ValidationError as ModelInvalid
from django.db.models import QuerySet
from django.utils import timezone
from django_filters.filterset import FilterSet
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers, viewsets

from agents.api_lists import OneOfFilter, Pages, WholeFilter
from agents.models import Agent
from agents.serializers import OwnAgentField, StrictMixin
from agents.visibility import sees_everything
from calls import spend
from calls.budgeting import Scope
from calls.models import Budget
from calls.price_book import day_of


class StandingSerializer(serializers.Serializer[Any]):
    spent = serializers.DecimalField(max_digits=20, decimal_places=9)
    level = serializers.ChoiceField(choices=["fine", "near", "over"])
    uncounted = serializers.DictField(
        child=serializers.DecimalField(max_digits=20, decimal_places=9), help_text="By currency: no rate turns it into the budget's."
    )
    words = serializers.CharField()


class BudgetSerializer(StrictMixin, serializers.ModelSerializer[Budget]):
    agent = OwnAgentField(queryset=Agent.objects.none(), required=False, allow_null=True)
    standing = serializers.SerializerMethodField(help_text="In the period that runs; null for each call, and for every agent at once.")

    class Meta:
        model = Budget
        fields = ("id", "scope", "agent", "amount", "currency", "warn_percent", "active", "standing", "created_at")
        read_only_fields = ("created_at",)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Judged by the model, with its own words, before anything is changed."""
        agent = attrs.get("agent", self.instance.agent if self.instance is not None else None)
        owner_id = self.instance.owner_id if self.instance is not None else self.context["request"].user.pk
        if self.instance is None and agent is not None:
            owner_id = agent.owner_id
        kept = {} if self.instance is None else {name: getattr(self.instance, name) for name in self._judged if name not in attrs}
        candidate = Budget(owner_id=owner_id, **kept, **attrs)
        try:
            candidate.full_clean(exclude=["owner"], validate_constraints=False)
        except ModelInvalid as error:
            raise serializers.ValidationError(error.message_dict) from error
        return attrs if self.instance is not None else {**attrs, "owner_id": owner_id}

    _judged = ("scope", "agent", "amount", "currency", "warn_percent", "active")

    @extend_schema_field(StandingSerializer(allow_null=True))
    def get_standing(self, budget: Budget) -> dict[str, Any] | None:
        if budget.scope == Scope.CALL or (budget.scope == Scope.AGENT_DAY and budget.agent is None):
            return None
        name = budget.agent.name if budget.agent is not None else ""
        about = spend.Counted(budget.owner_id, budget.agent_id or 0, name, day_of(timezone.now()))
        return dict(StandingSerializer(spend.standing(budget, about)).data)


class BudgetFilters(FilterSet):
    agent = WholeFilter("agent_id")
    scope = OneOfFilter((scope.value, scope.value) for scope in Scope)


@extend_schema_view(
    list=extend_schema(summary="List your budgets and how they stand"),
    create=extend_schema(summary="Set a budget"),
    retrieve=extend_schema(summary="Read a budget"),
    update=extend_schema(summary="Change a budget"),
    partial_update=extend_schema(summary="Change some fields of a budget; it counts at once"),
    destroy=extend_schema(summary="Remove a budget"),
)
class BudgetViewSet(viewsets.ModelViewSet[Budget]):
    serializer_class = BudgetSerializer
    pagination_class = Pages
    filterset_class = BudgetFilters
    queryset = Budget.objects.none()
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Budget]:
        rows = Budget.objects.select_related("agent")
        return rows if sees_everything(self.request.user) else rows.filter(owner_id=self.request.user.pk)


routes = [("budgets", BudgetViewSet, "budget")]
