"""The bulk list of calls: filters, sorting and cursors. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from simulator.exotel.calls import Call, call_object
from simulator.exotel.connecting import Refused
from simulator.exotel.numbers import last_ten, stamp
from simulator.exotel.settings import ExotelSettings

Query = Mapping[str, str]
MOST_SIDS = 100
MOST_NUMBERS = 5


def list_calls(calls: Sequence[Call], query: Query, settings: ExotelSettings, now: datetime) -> dict[str, Any]:
    """`{"Metadata": …, "Calls": […]}`; raises `Refused` for a filter that cannot be understood."""
    size = query.get("PageSize", "50")
    if not size.isdigit() or not 1 <= int(size) <= 100:
        raise Refused(400, "PageSize must be between 1 and 100")
    matching = [call for call in calls if _matches(call, query)]
    order = query.get("SortBy", "DateCreated:desc")
    if order not in ("DateCreated:asc", "DateCreated:desc"):
        raise Refused(400, "SortBy must be DateCreated:asc or DateCreated:desc")
    if order.endswith("desc"):
        matching.reverse()
    first = _first(matching, query, int(size))
    page = matching[first : first + int(size)]
    kept = {name: value for name, value in query.items() if name not in ("Before", "After")}
    uri = f"/v1/Accounts/{settings.sid}/Calls.json?"
    return {
        "Metadata": {
            "Total": len(matching),
            "PageSize": int(size),
            "FirstPageUri": uri + urlencode(kept),
            "PrevPageUri": uri + urlencode({**kept, "Before": page[0].sid}) if page and first > 0 else None,
            "NextPageUri": uri + urlencode({**kept, "After": page[-1].sid}) if page and first + len(page) < len(matching) else None,
        },
        "Calls": [call_object(call, settings, now) for call in page],
    }


def _first(calls: Sequence[Call], query: Query, size: int) -> int:
    """Where the page begins: behind the call `After`, or so that it ends before the call `Before`."""
    places = {call.sid: place for place, call in enumerate(calls)}
    if "After" in query:
        return places.get(query["After"], len(calls)) + 1
    if "Before" in query:
        return max(0, places.get(query["Before"], 0) - size)
    return 0


def _matches(call: Call, query: Query) -> bool:
    sids = _several("Sid", query, MOST_SIDS)
    if sids and call.sid not in sids:
        return False
    for name, number in (("From", call.from_number), ("To", call.to_number)):
        numbers = _several(name, query, MOST_NUMBERS)
        if numbers and last_ten(number) not in {last_ten(wanted) for wanted in numbers}:
            return False
    if query.get("PhoneNumber") and last_ten(call.exophone) != last_ten(query["PhoneNumber"]):
        return False
    if query.get("Status") and call.status != query["Status"]:
        return False
    if query.get("Direction") and call.direction != query["Direction"]:
        return False
    return all(_is_in_range(call, condition) for condition in filter(None, query.get("DateCreated", "").split(";")))


def _several(name: str, query: Query, most: int) -> list[str]:
    values = [value.strip() for value in query.get(name, "").split(",") if value.strip()]
    if len(values) > most:
        raise Refused(400, f"{name} takes at most {most} values")
    return values


def _is_in_range(call: Call, condition: str) -> bool:
    match = re.fullmatch(r"(gte|lte|gt|lt):(\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d:\d\d)?)", condition)
    if match is None:
        raise Refused(400, "DateCreated must be gte:<YYYY-MM-DD HH:MM:SS>;lte:<YYYY-MM-DD HH:MM:SS>")
    created, bound = stamp(call.created_at), match.group(2).replace("T", " ")
    return {"gte": created >= bound, "lte": created <= bound, "gt": created > bound, "lt": created < bound}[match.group(1)]
