"""Destinations and HTTP tools as the API shows and takes them. A secret goes in and never comes out; its name does."""

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.models import Agent, Destination, HttpTool
from agents.serializers import JudgedByModel, OwnAgentField


class _PartOfAgentSerializer(JudgedByModel, serializers.ModelSerializer[Any]):
    agent = OwnAgentField(queryset=Agent.objects.none())

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        candidate = self.judged(attrs)
        return {name: getattr(candidate, name) for name in attrs}

    def create(self, validated_data: dict[str, Any]) -> Any:
        model: Any = self.Meta.model
        return self.update(model(), validated_data)

    def update(self, instance: Any, validated_data: dict[str, Any]) -> Any:
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save(by=self.context["request"].user)
        return instance


class DestinationSerializer(_PartOfAgentSerializer):
    numbers = serializers.ListField(child=serializers.CharField(max_length=40), help_text="E.164, rung in this order; 080… is understood.")

    class Meta:
        model = Destination
        fields = ("id", "agent", "name", "description", "numbers", "ring_s", "handover", "is_fallback", "active")


class HttpToolSerializer(_PartOfAgentSerializer):
    parameters = serializers.DictField(required=False, help_text="A JSON Schema object of what the model has to give.")
    headers = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False, help_text="Headers that are no secret.")
    fixed = serializers.DictField(required=False, help_text="Arguments that the model does not see; {{caller_number}} and the like work.")
    secret_headers = serializers.DictField(
        child=serializers.CharField(),
        write_only=True,
        required=False,
        help_text="Kept encrypted and never shown. Sent again: all are replaced.",
    )
    secret_header_names = serializers.SerializerMethodField()

    class Meta:
        model = HttpTool
        fields = (
            "id", "agent", "name", "description", "parameters", "method", "url", "headers", "secret_headers", "secret_header_names",
            "fixed", "timeout_ms", "meanwhile", "acts", "active",
        )  # fmt: skip

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_secret_header_names(self, tool: HttpTool) -> list[str]:
        return sorted(tool.secrets)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "secret_headers" in attrs:
            attrs = {**attrs, "secret_headers": json.dumps(attrs["secret_headers"])}
        return super().validate(attrs)
