"""What the API shows of a call's costs: each use with its frozen price, the taxes, the totals, and what is only estimated."""

from decimal import Decimal
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from calls import queries
from calls.amounts import plain
from calls.models import Charge, Session
from calls.queries import ChargeLine


class ChargeLineSerializer(serializers.Serializer[Any]):
    """One use and what it costs. `amount` is null while the call is not accounted, and for ever if no price is known (`unpriced`)."""

    kind = serializers.CharField(source="usage.kind", read_only=True)
    provider = serializers.CharField(source="usage.provider", read_only=True)
    model = serializers.CharField(source="usage.model", read_only=True)
    unit = serializers.CharField(source="usage.unit", read_only=True)
    quantity = serializers.IntegerField(source="usage.quantity", read_only=True)
    purpose = serializers.CharField(
        source="usage.purpose", read_only=True, help_text="Empty for what the caller heard; speculative or interrupted otherwise."
    )
    accounted = serializers.SerializerMethodField()
    amount = serializers.SerializerMethodField()
    currency = serializers.SerializerMethodField()
    unit_price = serializers.SerializerMethodField()
    price_per = serializers.IntegerField(source="charge.price_per", read_only=True, allow_null=True, default=None)
    pulse = serializers.IntegerField(
        source="charge.pulse", read_only=True, allow_null=True, default=None, help_text="Billed in started pulses of so many units."
    )
    price_source = serializers.CharField(source="charge.price_source", read_only=True, default="")
    price_list = serializers.CharField(source="charge.price_list", read_only=True, default="", help_text="Its version.")
    price_override = serializers.IntegerField(
        source="charge.price_override_id",
        read_only=True,
        allow_null=True,
        default=None,
        help_text="The operator's own price, if it was that.",
    )
    exchange_rate = serializers.SerializerMethodField(help_text="How much of `rate_currency` one of `currency` was; null: no rate.")
    rate_currency = serializers.CharField(source="charge.rate_currency", read_only=True, default="")
    evidence = serializers.CharField(source="usage.evidence", read_only=True, help_text="The provider's request id, or another stable key.")

    @extend_schema_field(OpenApiTypes.BOOL)
    def get_accounted(self, line: ChargeLine) -> bool:
        return line.charge is not None

    @extend_schema_field(serializers.DecimalField(max_digits=18, decimal_places=9, allow_null=True))
    def get_amount(self, line: ChargeLine) -> str | None:
        return plain(line.charge.amount) if line.charge is not None and line.charge.amount is not None else None

    @extend_schema_field(OpenApiTypes.STR)
    def get_currency(self, line: ChargeLine) -> str:
        return line.charge.currency if line.charge is not None else ""

    @extend_schema_field(serializers.DecimalField(max_digits=20, decimal_places=10, allow_null=True))
    def get_exchange_rate(self, line: ChargeLine) -> str | None:
        return plain(line.charge.exchange_rate) if line.charge is not None and line.charge.exchange_rate is not None else None

    @extend_schema_field(serializers.DecimalField(max_digits=18, decimal_places=9, allow_null=True))
    def get_unit_price(self, line: ChargeLine) -> str | None:
        return plain(line.charge.unit_price) if line.charge is not None and line.charge.unit_price is not None else None


class TaxSerializer(serializers.Serializer[Any]):
    """A tax on the carrier's price."""

    name = serializers.SerializerMethodField()
    percent = serializers.DecimalField(source="unit_price", max_digits=18, decimal_places=9, read_only=True, coerce_to_string=True)
    amount = serializers.SerializerMethodField()
    currency = serializers.CharField(read_only=True)
    price_source = serializers.CharField(read_only=True)
    price_list = serializers.CharField(read_only=True)

    @extend_schema_field(OpenApiTypes.STR)
    def get_name(self, tax: Charge) -> str:
        return tax.price_source.partition(":")[0]

    @extend_schema_field(serializers.DecimalField(max_digits=18, decimal_places=9))
    def get_amount(self, tax: Charge) -> str:
        return plain(tax.amount or Decimal(0))


class ConvertedSerializer(serializers.Serializer[Any]):
    """Everything in one currency, by the rates that were frozen with the charges."""

    currency = serializers.CharField()
    total = serializers.CharField(allow_null=True, help_text="Null while one charge has no exchange rate.")
    without_rate = serializers.IntegerField()


class EstimateSerializer(serializers.Serializer[Any]):
    """What the line probably costs by our tariff, until the carrier tells its price. In no total."""

    amount = serializers.CharField()
    tax = serializers.CharField()
    currency = serializers.CharField()
    leg_seconds = serializers.ListField(child=serializers.IntegerField())
    pulse = serializers.IntegerField()
    unit_price = serializers.CharField()
    price_per = serializers.IntegerField()
    price_source = serializers.CharField()


class ChargesSerializer(serializers.Serializer[Any]):
    lines = ChargeLineSerializer(many=True)
    taxes = TaxSerializer(many=True)
    totals = serializers.DictField(child=serializers.CharField(), help_text="By currency, taxes included; currencies are never added up.")
    unpriced = serializers.IntegerField()
    converted = ConvertedSerializer()
    telephony_estimate = EstimateSerializer(allow_null=True)


def charges_shown(session: Session) -> dict[str, Any]:
    summary, estimate = queries.charges_summary(session), queries.line_estimate(session)
    return {
        "lines": ChargeLineSerializer(summary.lines, many=True).data,
        "taxes": TaxSerializer(summary.taxes, many=True).data,
        "totals": {currency: plain(amount) for currency, amount in sorted(summary.totals.items())},
        "unpriced": summary.unpriced,
        "converted": {
            "currency": summary.currency,
            "total": None if summary.converted is None else plain(summary.converted),
            "without_rate": summary.without_rate,
        },
        "telephony_estimate": estimate
        and {
            "amount": plain(estimate.amount),
            "tax": plain(estimate.tax),
            "currency": estimate.currency,
            "leg_seconds": list(estimate.leg_seconds),
            "pulse": estimate.tariff.pulse,
            "unit_price": plain(estimate.tariff.price),
            "price_per": estimate.tariff.per,
            "price_source": estimate.tariff.source,
        },
    }
