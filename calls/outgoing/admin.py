"""Webhook endpoints in the admin: an address with its secret, how it does, and one button each for a test, a new secret and a replay.

Nothing that changes anything is a link: each button posts a form.
"""

from datetime import date, datetime, time
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from agents.readonly import ReadOnlyAdmin, ReadOnlyInline
from agents.visibility import sees_everything
from calls.admin_numbers import NumbersMasked
from calls.admin_words import LastErrorInWords
from calls.models import OutgoingDelivery, WebhookAttempt, WebhookEndpoint, WebhookMessage
from calls.outgoing import endpoints
from calls.outgoing.rules import ENDPOINT_EVENTS
from calls.sentences import in_readers_words

SHOWN_TRIES = 20


class EndpointForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's form has no parameters at run time
    events = forms.MultipleChoiceField(
        choices=[(event.value, event.value) for event in ENDPOINT_EVENTS],
        initial=list(ENDPOINT_EVENTS),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        error_messages={"required": _("Choose at least one.")},
        help_text=_(
            "started: somebody answered. ended: the call is over. settled: recording, transcript and costs are complete. "
            "alert: a rule of Alert rules found something, or it is over."
        ),
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("url", "description", "events", "active")


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ModelAdmin):
    form = EndpointForm
    list_display = ("url", "description", "chosen", "active", "health")
    list_filter = ("active",)
    search_fields = ("url", "description")
    fieldsets = (
        (
            None,
            {
                "description": _("This address is told of your calls by signed messages; see docs/webhooks.md."),
                "fields": ("url", "description", "events", "active"),
            },
        ),
        (_("How it does"), {"fields": ("health", "last_tries")}),
    )
    readonly_fields = ("health", "last_tries")
    change_form_outer_after_template = "calls/endpoint_deeds.html"  # type: ignore[assignment]  # unfold declares only its default, None

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        return endpoints.visible_endpoints(request.user)

    def get_list_display(self, request: HttpRequest) -> list[Any] | tuple[Any, ...]:
        shown = super().get_list_display(request)
        return (*shown, "owner") if sees_everything(request.user) else shown

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj is not None else self.fieldsets[:1]

    def get_form(self, request: HttpRequest, obj: WebhookEndpoint | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if obj is not None:
            return form
        owner = request.user

        class NewForm(form):  # type: ignore[misc, valid-type]  # Django makes the class at run time
            def clean(self) -> Any:
                if not endpoints.has_room(owner):
                    message = _("You have %(most)d endpoints, which is the most. Remove one that is not used any more.")
                    raise ValidationError(message % {"most": endpoints.MOST_ENDPOINTS})
                return super().clean()

        return NewForm

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.owner_id = request.user.pk
        elif not obj.active:
            obj.note = ""  # whoever saves it like this leaves it off on purpose: no alarm any more
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """To the endpoint's own page: its secret is to be fetched there, once."""
        self.message_user(request, _now("The endpoint was added. Show its secret now and give it to whoever receives."), messages.SUCCESS)
        return redirect("admin:calls_webhookendpoint_change", obj.pk)

    def get_urls(self) -> list[URLPattern]:
        deeds = path("<int:pk>/<slug:deed>-now/", self.admin_site.admin_view(self.do), name="calls_webhookendpoint_deed")
        return [deeds, *super().get_urls()]

    def do(self, request: HttpRequest, pk: int, deed: str) -> HttpResponse:
        """One of the buttons below the form."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        endpoint = self.get_queryset(request).filter(pk=pk).first()
        if endpoint is None or deed not in ("test", "secret", "rotate", "replay"):
            raise Http404
        if not self.has_change_permission(request, endpoint):
            raise PermissionDenied
        if deed == "rotate":
            endpoint = endpoints.rotate_secret(endpoint, request.user)
        if deed in ("secret", "rotate"):
            return self._secret_page(request, endpoint)
        if deed == "test":
            endpoints.send_test(endpoint, request.user)
            self.message_user(request, _now("A test is on its way. Load this page again to see what came of it."), messages.SUCCESS)
        else:
            self._replay(request, endpoint)
        return redirect("admin:calls_webhookendpoint_change", pk)

    def _secret_page(self, request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
        secret = endpoints.reveal_secret(endpoint, request.user)
        context = {**self.admin_site.each_context(request), "title": _("Secret"), "opts": self.opts, "endpoint": endpoint, "secret": secret}
        return TemplateResponse(request, "calls/endpoint_secret.html", context)

    def _replay(self, request: HttpRequest, endpoint: WebhookEndpoint) -> None:
        since, until = _midnight(request.POST.get("since", "")), _midnight(request.POST.get("until", ""))
        if since is None:
            self.message_user(request, _now("Give the day from which on to replay."), messages.ERROR)
        elif not endpoint.active:
            self.message_user(request, _now("This endpoint is switched off. Switch it on first."), messages.ERROR)
        else:
            count = endpoints.replay_range(endpoint, request.user, since=since, until=until, delivered_too="delivered_too" in request.POST)
            _say_replayed(self, request, count)

    @admin.display(description=_("Events"))
    def chosen(self, endpoint: WebhookEndpoint) -> str:
        return ", ".join(endpoint.events)

    @admin.display(description=_("Health"))
    def health(self, endpoint: WebhookEndpoint) -> str:
        if not endpoint.active:
            return endpoint.note or _now("Switched off.")
        if endpoint.failing_since is None:
            return _now("Well.")
        since = timezone.localtime(endpoint.failing_since)
        return ngettext("%(n)d failure in a row since %(since)s", "%(n)d failures in a row since %(since)s", endpoint.failures) % {
            "n": endpoint.failures,
            "since": since.strftime("%Y-%m-%d %H:%M"),
        }

    @admin.display(description=_("Last tries"))
    def last_tries(self, endpoint: WebhookEndpoint) -> SafeString | str:
        tries = WebhookAttempt.objects.filter(delivery__endpoint=endpoint).select_related("delivery__message")[:SHOWN_TRIES]
        rows = [
            (
                timezone.localtime(one.at).strftime("%Y-%m-%d %H:%M:%S"),
                reverse("admin:calls_outgoingdelivery_change", args=[one.delivery_id]),
                one.delivery.message.type,
                one.status or in_readers_words(one.error) or _now("nobody saw its end"),
                "" if one.ms is None else f"{one.ms} ms",
            )
            for one in tries
        ]
        return format_html_join("", '<div>{} · <a href="{}">{}</a> · {} · {}</div>', rows) or "–"


class TryInline(ReadOnlyInline):
    model = WebhookAttempt
    fields = ("number", "at", "status", "ms", "problem", "next_try_at")
    readonly_fields = fields

    @admin.display(description=_("Error"))
    def problem(self, one: WebhookAttempt) -> str:
        return in_readers_words(one.error) or "–"


@admin.register(OutgoingDelivery)
class OutgoingDeliveryAdmin(LastErrorInWords, ReadOnlyAdmin):  # type: ignore[misc]  # unfold redefines what it mixes
    list_display = ("created_at", "type", "endpoint", "state", "attempts", "run_at", "problem")
    list_filter = ("state", "message__type", "created_at")
    list_select_related = ("message", "endpoint")
    search_fields = ("message__message_id", "message__session__session_id")
    fields = ("message", "endpoint", "state", "attempts", "run_at", "lease_until", "problem", "created_at", "finished_at")
    readonly_fields = fields
    inlines = (TryInline,)
    actions = ("send_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutgoingDelivery]:
        return endpoints.visible_deliveries(request.user)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("calls.change_webhookendpoint"))

    @admin.display(description=_("Type"), ordering="message__type")
    def type(self, delivery: OutgoingDelivery) -> str:
        return delivery.message.type

    @admin.action(description=_("Send again"), permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[OutgoingDelivery]) -> None:
        """What is on its way or belongs to an endpoint that is switched off is left alone."""
        chosen = queryset.select_related("message", "endpoint").filter(endpoint__active=True)
        count = sum(endpoints.replay([delivery.message], [delivery.endpoint], request.user) for delivery in chosen)
        _say_replayed(self, request, count)


@admin.register(WebhookMessage)
class WebhookMessageAdmin(NumbersMasked, ReadOnlyAdmin):  # type: ignore[misc]  # unfold redefines what it mixes
    list_display = ("created_at", "type", "message_id", "session")
    list_filter = ("type", "created_at")
    list_select_related = ("session",)
    search_fields = ("message_id", "session__session_id")
    fields = ("message_id", "type", "session", "created_at", "body")
    readonly_fields = fields
    actions = ("send_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookMessage]:
        return endpoints.visible_messages(request.user)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("calls.change_webhookendpoint"))

    @admin.action(description=_("Send again to every active endpoint"), permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[WebhookMessage]) -> None:
        chosen = list(queryset)
        listeners = WebhookEndpoint.objects.filter(owner_id__in={message.owner_id for message in chosen}, active=True)
        _say_replayed(self, request, endpoints.replay(chosen, list(listeners), request.user))


def _say_replayed(page: ModelAdmin, request: HttpRequest, count: int) -> None:
    if count:
        page.message_user(
            request, ngettext("%(n)d message is sent again.", "%(n)d messages are sent again.", count) % {"n": count}, messages.SUCCESS
        )
    else:
        page.message_user(request, _now("There is nothing to send again."), messages.WARNING)


def _midnight(text: str) -> datetime | None:
    try:
        day: date | None = parse_date(text)
    except ValueError:
        day = None
    return None if day is None else timezone.make_aware(datetime.combine(day, time.min))
