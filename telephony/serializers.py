"""Phones as the API shows and takes them."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from agents.models import Agent
from agents.serializers import OwnAgentField, StrictMixin
from agents.visibility import sees_everything
from providers.exotel.numbers import InvalidNumber, to_e164
from telephony.models import Phone


class PhoneSerializer(StrictMixin, serializers.ModelSerializer[Phone]):
    number = serializers.CharField(max_length=40, help_text="Stored in E.164; 080…, 91… and +91… are understood.")
    agent = OwnAgentField(queryset=Agent.objects.none(), allow_null=True, required=False, help_text="Who answers calls to this number.")

    class Meta:
        model = Phone
        fields = ("id", "number", "label", "agent", "active", "created_at")
        read_only_fields = ("created_at",)

    def validate_number(self, number: str) -> str:
        try:
            e164 = to_e164(number)
        except InvalidNumber as error:
            raise serializers.ValidationError(str(error)) from error
        others = Phone.objects.filter(number=e164)
        if self.instance is not None:
            others = others.exclude(pk=self.instance.pk)
        if others.exists():
            raise serializers.ValidationError(_("%(number)s is registered already. Change that entry instead.") % {"number": e164})
        return e164

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A number without an agent belongs to nobody, so only a superuser may leave one so."""
        agent = attrs.get("agent", self.instance.agent if self.instance is not None else None)
        if agent is None and not sees_everything(self.context["request"].user):
            message = _("Name the agent that answers this number. To stop answering, set active to false or delete the number.")
            raise serializers.ValidationError({"agent": [message]})
        return attrs
