"""The operator's own prices and exchange rates: added, ended, never edited. What calls were charged by them before stays as it was until
somebody asks for it to be mended (`manage.py reprice`).
"""

from datetime import date
from decimal import Decimal
from typing import Any

import structlog
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q

from calls.models import ExchangeRate, PriceOverride

logger = structlog.get_logger()


def add_price_override(
    *,
    kind: str,
    provider: str,
    model: str,
    unit: str,
    price: Decimal,
    currency: str,
    effective_from: date,
    reason: str,
    by: AbstractBaseUser | None,
    per: int = 1,
    pulse: int = 1,
    language: str = "",
    tax_percent: Decimal | None = None,
    effective_until: date | None = None,
) -> PriceOverride:
    """Adds a price; an open one for the same thing that began before ends on the day this one begins. Raises `ValidationError`."""
    row = PriceOverride(
        kind=kind,
        provider=provider,
        model=model,
        unit=unit,
        language=language,
        price=price,
        per=per,
        pulse=pulse,
        currency=currency,
        tax_percent=tax_percent,
        effective_from=effective_from,
        effective_until=effective_until,
        reason=reason,
        created_by_id=by.pk if by is not None else None,
    )
    return store_price_override(row)


def store_price_override(row: PriceOverride) -> PriceOverride:
    """As `add_price_override`, for a row that a form has filled."""
    row.full_clean(exclude=["created_by"])
    with transaction.atomic():
        same = {name: getattr(row, name) for name in ("kind", "provider", "model", "unit", "language")}
        before: Any = PriceOverride.objects.filter(**same, effective_from__lt=row.effective_from)
        before.filter(Q(effective_until=None) | Q(effective_until__gt=row.effective_from)).update(effective_until=row.effective_from)
        row.save(force_insert=True)
    logger.info("price_override_added", override=row.pk, by=row.created_by_id)
    return row


def end_price_override(row: PriceOverride, *, on: date | None) -> None:
    """From `on` the price counts no longer; None opens it again. Charges that were made by it stay. Raises `ValidationError`."""
    row.effective_until = on
    row.full_clean(exclude=["created_by"])
    row.save(update_fields=["effective_until"])
    logger.info("price_override_ended", override=row.pk)


def add_exchange_rate(*, base: str, quote: str, rate: Decimal, on: date, source: str, by: AbstractBaseUser | None) -> ExchangeRate:
    """One `base` was `rate` `quote` on that day. A later row for the same day counts instead of this one. Raises `ValidationError`."""
    row = ExchangeRate(base=base.upper(), quote=quote.upper(), rate=rate, on=on, source=source, created_by_id=by.pk if by else None)
    row.full_clean(exclude=["created_by"])
    row.save(force_insert=True)
    logger.info("exchange_rate_added", rate=row.pk, base=row.base, quote=row.quote)
    return row
