"""Budgets in the admin: operators set their own, and read how they stand and what was raised. Sums are nobody's to edit."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from agents.admin import AgentAdmin
from agents.models import Agent
from agents.readonly import ReadOnlyInline
from agents.visibility import sees_everything, visible_agents
from calls import presentation, spend
from calls.budgeting import Scope
from calls.models import Budget, BudgetNotice
from calls.price_book import day_of
from calls.sentences import in_readers_words


class NoticeInline(ReadOnlyInline):
    model = BudgetNotice
    fields = ("raised_at", "level", "words")
    readonly_fields = fields
    verbose_name_plural = _("What was raised, newest first")
    per_page = 20  # type: ignore[assignment]  # unfold declares only its default, None


@admin.register(Budget)
class BudgetAdmin(ModelAdmin):
    list_display = ("scope", "agent", "amount", "currency", "stands", "warn_percent", "active")
    list_filter = ("scope", "active", "currency")
    list_select_related = ("agent", "owner")
    fields = ("scope", "agent", ("amount", "currency"), "warn_percent", "active", "stands", "owner", "created_at")
    readonly_fields = ("stands", "owner", "created_at")
    inlines = (NoticeInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows if sees_everything(request.user) else rows.filter(owner_id=request.user.pk)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "agent":
            kwargs["queryset"] = visible_agents(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_form(self, request: HttpRequest, obj: Budget | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        owner_id = request.user.pk

        class OwnForm(form):  # type: ignore[misc, valid-type]  # Django makes the class at run time
            def clean(self) -> Any:
                cleaned = super().clean()
                if self.instance.owner_id is None:
                    # A superuser's budget for somebody's agent is that person's; any other is of whoever fills in the form.
                    agent = self.cleaned_data.get("agent")
                    self.instance.owner_id = agent.owner_id if agent is not None else owner_id
                return cleaned

        return OwnForm

    @admin.display(description=_("Stands at"))
    def stands(self, budget: Budget) -> str:
        if budget.pk is None or budget.scope == Scope.CALL or (budget.scope == Scope.AGENT_DAY and budget.agent is None):
            return "–"
        today = day_of(timezone.now())
        about = spend.Counted(budget.owner_id, budget.agent_id or 0, budget.agent.name if budget.agent else "", today)
        return in_readers_words(spend.standing(budget, about).words)


@admin.display(description=_("Cost of a minute"))
def minute_cost(agent: Agent) -> str:
    """By its calls of the last thirty days that are accounted."""
    return presentation.minute_words(spend.usual_minute(agent)) or "–"


# Agents know nothing of calls; what a minute with them costs is shown on their pages all the same.
AgentAdmin.readonly_fields = (*AgentAdmin.readonly_fields, minute_cost)  # type: ignore[assignment]  # a function is a field too
_COSTS: Any = (_("What it costs"), {"fields": (minute_cost,)})
AgentAdmin.fieldsets = (*AgentAdmin.fieldsets[:-1], _COSTS, AgentAdmin.fieldsets[-1])
