"""Budgets over REST: how much may be spent, and how each stands."""

from django.db.models import QuerySet
from django_filters.filterset import FilterSet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import viewsets

from agents.api_lists import OneOfFilter, Pages, WholeFilter
from agents.visibility import own
from calls.budgeting import Scope
from calls.models import Budget
from calls.serializers.budgets import BudgetSerializer


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
    changes_take = "calls.{deed}_budget"
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Budget]:
        return own(Budget.objects.select_related("agent"), self.request.user)


routes = [("budgets", BudgetViewSet, "budget")]
