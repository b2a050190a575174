"""Reads a `Calls/connect` request: which of the three modes it is, and everything that Exotel would refuse about it. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from simulator.exotel.calls import Callback
from simulator.exotel.numbers import last_ten
from simulator.exotel.settings import ExotelSettings

Form = Sequence[tuple[str, str]]
_EVENTS = frozenset({"terminal", "answered", "ringing"})
_FALSE = frozenset({"", "false", "0", "no"})


class Refused(Exception):
    """What Exotel answers instead of a call: an HTTP status and the message of its RestException."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """A request that Exotel accepts. `mode`: two-numbers, flow or connect-ai."""

    mode: str
    from_number: str
    to_number: str
    caller_id: str
    app_id: str = ""
    stream_url: str = ""
    custom_field: str = ""
    time_limit_s: int = 14_400
    ring_limit_s: float = 60.0
    record: bool = False
    dual_channels: bool = False
    callback: Callback | None = field(default=None)


def parse_connect(form: Form, settings: ExotelSettings) -> ConnectRequest:
    """Raises `Refused`. Arrays are read as `X[0]`, `X[]` and `X`."""
    one = {name: value.strip() for name, value in form}
    for name in ("From", "CallerId"):
        if not one.get(name):
            raise Refused(400, f"Missing mandatory parameter {name}")
    url, stream_url = one.get("Url", ""), one.get("StreamUrl", "")
    if url and stream_url:
        raise Refused(400, "Url and StreamUrl can not be used together")
    mode = "flow" if url else "connect-ai" if stream_url and (one.get("StreamType") or not one.get("To")) else "two-numbers"
    app_id = _flow_id(url, settings) if mode == "flow" else ""
    if mode == "two-numbers" and not one.get("To"):
        raise Refused(400, "Missing mandatory parameter: one of To, Url and StreamUrl is needed")
    if stream_url:
        _check_stream(stream_url, one, mode, settings)
    if len(one.get("CustomField", "")) > 128:
        raise Refused(400, "CustomField can not be longer than 128 characters")
    for name in ("From", "To") if mode == "two-numbers" else ("From",):
        _check_number(name, one[name])
    if settings.exophone(one["CallerId"]) is None:
        raise Refused(400, "CallerId is not an ExoPhone of this account")
    return ConnectRequest(
        mode=mode,
        from_number=one["From"],
        to_number=one.get("To", "") or one["CallerId"],
        caller_id=one["CallerId"],
        app_id=app_id,
        stream_url=stream_url,
        custom_field=one.get("CustomField", ""),
        time_limit_s=_seconds("TimeLimit", one.get("TimeLimit", ""), settings.time_limit_cap_s, settings.time_limit_cap_s),
        ring_limit_s=_seconds("TimeOut", one.get("TimeOut", ""), 60, 3_600),
        record=one.get("Record", "").lower() not in _FALSE,
        dual_channels=one.get("RecordingChannels", "") == "dual",
        callback=_callback(form, one),
    )


def _flow_id(url: str, settings: ExotelSettings) -> str:
    match = re.fullmatch(rf"https?://my\.(?:in\.)?exotel\.(?:com|in)/{re.escape(settings.sid)}/exoml/start_voice/(\d+)", url)
    if match is None:
        raise Refused(400, "Url must be a flow of this account, as in http://my.exotel.com/<sid>/exoml/start_voice/<app_id>")
    return match.group(1)


def _check_stream(stream_url: str, one: dict[str, str], mode: str, settings: ExotelSettings) -> None:
    if not re.match(r"wss?://[^/\s]+", stream_url):
        raise Refused(400, "StreamUrl must begin with ws:// or wss://")
    if len(stream_url) >= 600:
        raise Refused(400, "StreamUrl must be shorter than 600 characters")
    if mode == "two-numbers":
        return
    if one.get("StreamType") != "bidirectional":
        raise Refused(400, "StreamType must be bidirectional")
    if one.get("To"):
        raise Refused(400, "To can not be used together with a bidirectional StreamUrl")
    if len(one.get("StreamName", "")) > 32:
        raise Refused(400, "StreamName can not be longer than 32 characters")
    if not settings.connect_ai_enabled:
        raise Refused(403, "This feature is not enabled for your account")


def _check_number(name: str, number: str) -> None:
    if not re.fullmatch(r"\+?[\d\s-]+", number) or len(last_ten(number)) < 10:
        raise Refused(400, f"Invalid parameter {name}")


def _seconds(name: str, text: str, default: int, most: int) -> int:
    if not text:
        return default
    if not text.isdigit() or not 0 < int(text) <= most:
        raise Refused(400, f"{name} must be a number of seconds between 1 and {most}")
    return int(text)


def _callback(form: Form, one: dict[str, str]) -> Callback | None:
    url = one.get("StatusCallback", "")
    if not url:
        return None
    if not re.match(r"https?://[^/\s]+", url):
        raise Refused(400, "StatusCallback must be an http(s) URL")
    events = frozenset(value for name, value in form if re.fullmatch(r"StatusCallbackEvents(\[\d*\])?", name))
    if events - _EVENTS:
        raise Refused(400, "StatusCallbackEvents must be among terminal, answered and ringing")
    content_type = one.get("StatusCallbackContentType", "multipart/form-data")
    if content_type not in ("multipart/form-data", "application/json"):
        raise Refused(400, "StatusCallbackContentType must be multipart/form-data or application/json")
    return Callback(url, events, as_json=content_type == "application/json")
