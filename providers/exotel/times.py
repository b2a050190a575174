"""Exotel's time stamps: India's wall clock without saying so. Nothing behind this module sees a naive time."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

IST = timezone(timedelta(hours=5, minutes=30), "IST")
_FORMS = ("%Y-%m-%d %H:%M:%S", "%a, %d %b %Y %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d")
_FIRST_REAL_YEAR = 2008  # before Exotel existed: 1970-01-01 05:30:00 and 0000-00-00 00:00:00 stand for "not yet"


def from_stamp(text: object) -> datetime | None:
    """An Exotel stamp in aware UTC; None for everything that stands for "no time" or is not one. A stamp with a zone keeps it."""
    stamp = str(text or "").strip()[:40]
    moment: datetime | None = None
    for form in _FORMS:
        try:
            moment = datetime.strptime(stamp, form)  # noqa: DTZ007 - the zone is Exotel's unwritten one, added below
            break
        except ValueError:
            continue
    if moment is None:
        try:
            moment = datetime.fromisoformat(stamp)
        except ValueError:
            return None
    if moment.year < _FIRST_REAL_YEAR:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=IST)).astimezone(UTC)


def from_http_date(header: str) -> datetime | None:
    """The `Date` of an answer in aware UTC: the other side's clock, which owes nothing to ours. None if there is none."""
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else None


def to_stamp(moment: datetime) -> str:
    """An aware time as Exotel's queries expect it: `2025-08-12 10:48:33` in IST."""
    return moment.astimezone(IST).strftime("%Y-%m-%d %H:%M:%S")
