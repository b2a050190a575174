"""The smaller resources of the account: credential check, numbers, exophones, white list, live streams."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulator.exotel.answers import answer
from simulator.exotel.connecting import Refused
from simulator.exotel.exchange import Exchange
from simulator.exotel.numbers import last_ten, spelt


async def check(line: Exchange, request: Request) -> Response:
    """What integrations ask to see whether their credentials are right."""
    return answer(request, {"Account": {"Sid": line.settings.sid, "Status": "active"}})


async def number_metadata(line: Exchange, request: Request) -> Response:
    number = request.path_params["number"]
    if len(last_ten(number)) < 10:
        raise Refused(400, "Invalid phone number")
    facts = {
        "PhoneNumber": spelt(number, line.settings.numbers_format),
        "Circle": "KA",
        "CircleName": "Karnataka",
        "Type": "Mobile",
        "Operator": "AC",
        "OperatorName": "Aircel",
        "DND": "Yes" if line.settings.person(number).dnd else "No",
    }
    return answer(request, {"Numbers": facts})


async def exophones_v1(line: Exchange, request: Request) -> Response:
    phones = [{"IncomingPhoneNumber": {"PhoneNumber": spelt(phone.number, "0")}} for phone in line.settings.exophones]
    return answer(request, {"IncomingPhoneNumbers": phones})


async def exophones_v2(line: Exchange, _request: Request) -> Response:
    phones = [
        {
            "sid": f"exophone{last_ten(phone.number)}",
            "phone_number": spelt(phone.number, "+91"),
            "friendly_name": phone.friendly_name or spelt(phone.number, "0"),
            "capabilities": {"voice": True, "sms": False},
            "country": "IN",
            "region": "KA",
        }
        for phone in line.settings.exophones
    ]
    return JSONResponse({"page": 0, "page_size": max(50, len(phones)), "incoming_phone_numbers": phones})


async def whitelist(_line: Exchange, request: Request) -> Response:
    async with request.form() as form:
        if not form.get("VirtualNumber") or not form.get("Number"):
            raise Refused(400, "VirtualNumber and Number are needed")
    return answer(request, {"Result": {"Succeeded": 1, "Failed": 0}})


async def active_streams(line: Exchange, request: Request) -> Response:
    return answer(request, {"Stream": {"ActiveStreamCount": line.streams_now, "ThrottleLimit": line.settings.max_streams}})
