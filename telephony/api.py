"""Phones over REST: which exophone is answered by which agent."""

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters.filterset import FilterSet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, viewsets

from agents.api_fields import Conflict
from agents.api_lists import Pages, TextFilter, TruthFilter, WholeFilter
from agents.visibility import sees_everything, visible_agents
from providers.exotel.numbers import InvalidNumber, to_e164
from telephony.models import Phone
from telephony.serializers import PhoneSerializer


class PhoneFilters(FilterSet):
    agent = WholeFilter("agent_id")
    active = TruthFilter()
    number = TextFilter(method="of_number", label="As it is written anywhere: 080…, 91… and +91… are understood.")

    def of_number(self, rows: QuerySet[Phone], name: str, typed: str) -> QuerySet[Phone]:
        try:
            return rows.filter(number=to_e164(typed))
        except InvalidNumber as error:
            raise serializers.ValidationError({"number": [str(error)]}) from error


@extend_schema_view(
    list=extend_schema(summary="List your numbers"),
    create=extend_schema(summary="Register an exophone and the agent that answers it"),
    retrieve=extend_schema(summary="Read a number"),
    update=extend_schema(summary="Change a number; fields that are left out stay as they are"),
    partial_update=extend_schema(summary="Give a number to another agent, or switch it off and on"),
    destroy=extend_schema(summary="Remove a number; its past calls stay"),
)
class PhoneViewSet(viewsets.ModelViewSet[Phone]):
    serializer_class = PhoneSerializer
    pagination_class = Pages
    filterset_class = PhoneFilters
    queryset = Phone.objects.none()
    changes_take = "telephony.{deed}_phone"
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> QuerySet[Phone]:
        user = self.request.user
        return Phone.objects.all() if sees_everything(user) else Phone.objects.filter(agent__in=visible_agents(user))

    def perform_create(self, serializer: serializers.BaseSerializer[Phone]) -> None:
        self._save(serializer)

    def perform_update(self, serializer: serializers.BaseSerializer[Phone]) -> None:
        self._save(serializer)

    def _save(self, serializer: serializers.BaseSerializer[Phone]) -> None:
        try:
            with transaction.atomic():
                serializer.save()
        except IntegrityError as error:  # another request registered it between the check and the write
            raise Conflict(_("This number is registered already. Change that entry instead.")) from error


routes = [("phones", PhoneViewSet, "phone")]
