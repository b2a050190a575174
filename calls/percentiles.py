"""Percentiles as Postgres counts them, for figures that are read from rows."""

from typing import Any

from django.db.models import Aggregate, FloatField


class Percentile(Aggregate):
    """Postgres' continuous percentile at `share` of one; None over no rows."""

    function = "PERCENTILE_CONT"
    name = "percentile"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()

    def __init__(self, expression: str, share: float = 0.5, **extra: Any) -> None:
        super().__init__(expression, share=float(share), **extra)
