"""Budgets as the API shows and takes them, and how each stands."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.models import Agent
from agents.serializers import JudgedByModel, OwnAgentField
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


class BudgetSerializer(JudgedByModel, serializers.ModelSerializer[Budget]):
    agent = OwnAgentField(queryset=Agent.objects.none(), required=False, allow_null=True)
    standing = serializers.SerializerMethodField(help_text="In the period that runs; null for each call, and for every agent at once.")

    class Meta:
        model = Budget
        fields = ("id", "scope", "agent", "amount", "currency", "warn_percent", "active", "standing", "created_at")
        read_only_fields = ("created_at",)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if self.instance is not None:
            self.judged(attrs)
            return attrs
        agent = attrs.get("agent")
        owner = agent.owner if agent is not None else self.context["request"].user
        self.judged(attrs, owner=owner)
        return {**attrs, "owner": owner}

    @extend_schema_field(StandingSerializer(allow_null=True))
    def get_standing(self, budget: Budget) -> dict[str, Any] | None:
        if budget.scope == Scope.CALL or (budget.scope == Scope.AGENT_DAY and budget.agent is None):
            return None
        name = budget.agent.name if budget.agent is not None else ""
        about = spend.Counted(budget.owner_id, budget.agent_id or 0, name, day_of(timezone.now()))
        return dict(StandingSerializer(spend.standing(budget, about)).data)
