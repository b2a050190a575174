"""Indian numbers in the shapes that Exotel uses, and Exotel's own stamps and ids."""

import random
import re
from datetime import datetime, timedelta, timezone

IST = timezone(timedelta(hours=5, minutes=30))
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_MONTHS = "0123456789abc"
NEVER_ENDED = "1970-01-01 05:30:00"


def last_ten(number: str) -> str:
    """The ten digits that name a subscriber, whatever stands before them; fewer if there are fewer."""
    return re.sub(r"\D", "", number)[-10:]


def spelt(number: str, style: str) -> str:
    """`number` as Exotel would spell it: `0XXXXXXXXXX` (style "0") or `+91XXXXXXXXXX` (style "+91")."""
    digits = last_ten(number)
    if len(digits) < 10:
        return number
    return f"0{digits}" if style == "0" else f"+91{digits}"


def new_sid(now: datetime) -> str:
    """32 characters of [0-9a-z] whose last four tell the IST date: year in hex, month, day in base 36."""
    day = now.astimezone(IST)
    date_code = f"{day.year - 2000:02x}{_MONTHS[day.month]}{_ALPHABET[day.day]}"
    return "".join(random.choices("0123456789abcdef", k=28)) + date_code


def stamp(moment: datetime) -> str:
    """`2025-08-12 10:48:33`: IST and without saying so."""
    return moment.astimezone(IST).strftime("%Y-%m-%d %H:%M:%S")


def long_stamp(moment: datetime) -> str:
    """`Wed, 23 Feb 2022 12:31:59`, as in `Created`."""
    return moment.astimezone(IST).strftime("%a, %d %b %Y %H:%M:%S")
