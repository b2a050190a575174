"""Alert rules in the admin: what is watched, who is told, and a button that sends a mail to whoever presses it."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from agents.readonly import ReadOnlyAdmin
from agents.visibility import sees_everything, visible_agents
from calls.admin_words import LastErrorInWords
from calls.alerting import telling
from calls.alerting.rows import AlertMail, AlertRule


@admin.register(AlertRule)
class AlertRuleAdmin(ModelAdmin):
    list_display = ("rule", "fires", "whose", "told", "active", "judged_at")
    list_filter = ("kind", "active")
    list_select_related = ("agent", "owner")
    fieldsets = (
        (
            _("What is watched"),
            {
                "description": _(
                    "Every rule is judged once a minute. Over is an alert only when its figure has been well for five minutes."
                ),
                "fields": ("kind", ("threshold", "currency"), ("window_minutes", "least_calls"), "agent", "owner", "active"),
            },
        ),
        (
            _("Who is told"),
            {"description": _("The bell on every page shows it in any case."), "fields": ("recipients", "quiet_minutes", "webhook")},
        ),
    )
    change_form_outer_after_template = "alerts/rule_deeds.html"  # type: ignore[assignment]  # unfold declares only its default, None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows if sees_everything(request.user) else rows.filter(owner_id=request.user.pk)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if sees_everything(request.user):
            return self.fieldsets
        (title, shown), *others = self.fieldsets
        return ((title, {**shown, "fields": tuple(name for name in shown["fields"] if name != "owner")}), *others)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "agent":
            kwargs["queryset"] = visible_agents(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_form(self, request: HttpRequest, obj: AlertRule | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        owner_id = None if sees_everything(request.user) else request.user.pk

        class OwnForm(form):  # type: ignore[misc, valid-type]  # Django makes the class at run time
            def clean(self) -> Any:
                cleaned = super().clean()
                if self.instance.owner_id is None and owner_id is not None:
                    self.instance.owner_id = owner_id
                return cleaned

        return OwnForm

    def get_urls(self) -> list[URLPattern]:
        test = path("<int:pk>/test-now/", self.admin_site.admin_view(self.send_test), name="calls_alertrule_test")
        return [test, *super().get_urls()]

    def send_test(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The button below the form: a mail to whoever presses it, whomever the rule would mail."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        rule = self.get_queryset(request).filter(pk=pk).first()
        if rule is None:
            raise Http404
        if not self.has_change_permission(request, rule):
            raise PermissionDenied
        address = getattr(request.user, "email", "")
        if address:
            telling.send_test(rule, address)
            self.log_change(request, rule, "A test was mailed.")
            words = _now("A test is on its way to %(address)s. What came of it stands in Alert mails.") % {"address": address}
            self.message_user(request, words, messages.SUCCESS)
        else:
            words = _now("Your account has no e-mail address. Enter one under Users (or have it entered), then try again.")
            self.message_user(request, words, messages.ERROR)
        return redirect("admin:calls_alertrule_change", pk)

    @admin.display(description=_("Rule"), ordering="kind")
    def rule(self, rule: AlertRule) -> str:
        return rule.title

    @admin.display(description=_("Fires"))
    def fires(self, rule: AlertRule) -> str:
        return rule.words

    @admin.display(description=_("Whose calls"))
    def whose(self, rule: AlertRule) -> str:
        return str(rule.owner) if rule.owner is not None else _now("everybody's")

    @admin.display(description=_("Told"))
    def told(self, rule: AlertRule) -> str:
        ways = [_now("bell")]
        if count := len(rule.addresses):
            ways.append(ngettext("%(n)d address", "%(n)d addresses", count) % {"n": count})
        if rule.webhook:
            ways.append(_now("webhooks"))
        return ", ".join(ways)


@admin.register(AlertMail)
class AlertMailAdmin(LastErrorInWords, ReadOnlyAdmin):  # type: ignore[misc]  # unfold redefines what it mixes
    list_display = ("created_at", "what", "title", "to", "state", "attempts", "run_at", "problem")
    list_filter = ("state", "what", "created_at")
    fields = ("title", "to", "what", "state", "attempts", "run_at", "problem", "created_at", "finished_at", "body", "rule", "alert")
    readonly_fields = fields
    actions = ("send_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows if sees_everything(request.user) else rows.filter(rule__owner_id=request.user.pk)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("calls.change_alertrule"))

    @admin.action(description=_("Send again what was given up"), permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        count = telling.again(queryset)
        words = ngettext("%(n)d mail is sent again.", "%(n)d mails are sent again.", count) % {"n": count}
        self.message_user(request, words, messages.SUCCESS if count else messages.WARNING)
