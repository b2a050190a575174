"""Where a Voicebot applet connects to: a static ws URL, or the answer of a dynamic https URL. And what is read from the URL itself."""

import json
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

import httpx

from simulator.exotel.params import Params, with_query
from simulator.exotel.settings import ExotelSettings

RATES_HZ = (8_000, 16_000, 24_000)
MOST_PARAMS = 3
MOST_QUERY_CHARACTERS = 256


class Unreachable(Exception):
    """No stream can be opened; the text is what `Stream[Error]` says."""


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """`url` without credentials and `authorization` from them; `custom_parameters` are the query's, usually without `sample-rate`."""

    url: str
    authorization: tuple[str, str] | None
    sample_rate_hz: int
    custom_parameters: dict[str, str]
    rule_broken: str = ""

    @property
    def shown(self) -> str:
        """The URL without what may be secret in it."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


def parse_address(url: str, settings: ExotelSettings) -> StreamAddress:
    """Raises `Unreachable` for what is no WebSocket URL or asks for an unknown rate."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise Unreachable("3008 invalid stream url")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    rate = query.pop("sample-rate", str(settings.sample_rate_hz))
    if not rate.isdigit() or int(rate) not in RATES_HZ:
        raise Unreachable(f"3008 unsupported sample-rate, must be one of {', '.join(map(str, RATES_HZ))}")
    custom = {**query, "sample-rate": rate} if settings.sample_rate_in_custom and "sample-rate=" in parts.query else query
    broken = ""
    if len(query) > MOST_PARAMS:
        broken = f"{len(query)} custom parameters, at most {MOST_PARAMS}"
    elif len(parts.query) > MOST_QUERY_CHARACTERS:
        broken = f"a query of {len(parts.query)} characters, at most {MOST_QUERY_CHARACTERS}"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    netloc = host if parts.port is None else f"{host}:{parts.port}"
    credentials = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return StreamAddress(
        url=urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, "")),
        authorization=credentials,
        sample_rate_hz=int(rate),
        custom_parameters=dict(list(custom.items())[:MOST_PARAMS]),
        rule_broken=broken,
    )


async def resolve(url: str, params: Params, settings: ExotelSettings, http: httpx.AsyncClient) -> StreamAddress:
    """The address for one call. An http(s) URL is asked once and once more, as a handshake is; raises `Unreachable`."""
    if urlsplit(url).scheme in ("ws", "wss"):
        return parse_address(url, settings)
    why = "no answer"
    for _ in range(1 + settings.handshake_retries):
        try:
            answer = await _ask(url, params, settings, http)
        except httpx.HTTPError as error:
            why = type(error).__name__
            continue
        if answer.status_code != 200:
            why = f"HTTP {answer.status_code}"
            continue
        return parse_address(_url_of(answer), settings)
    raise Unreachable(f"3009 failed to establish ws conn: dynamic url: {why}")


async def _ask(url: str, params: Params, settings: ExotelSettings, http: httpx.AsyncClient) -> httpx.Response:
    timeout = settings.handshake_timeout_s
    if settings.send_method == "POST":
        return await http.post(url, data=dict(params), timeout=timeout)
    return await http.get(with_query(url, params), timeout=timeout)


def _url_of(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise Unreachable("3009 failed to establish ws conn: dynamic url: the answer is not JSON") from None
    if not isinstance(body, dict) or not isinstance(body.get("url"), str):
        raise Unreachable("3009 failed to establish ws conn: dynamic url: no url in the answer")
    return str(body["url"])
