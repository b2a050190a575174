"""Exotel's REST API: place a call, read calls, try to end one, list exophones. Synchronous, for workers; never on the audio path.

Placing a call is the one request that is never repeated by itself: when its outcome is unknown it raises `OutcomeUnknown`, and only
Exotel's list of calls can tell. Credentials go to the configured API alone; redirects are not followed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
import msgspec

from providers.exotel import recordings
from providers.exotel.address import ExotelConfig
from providers.exotel.details import CallDetails, call_from_xml, next_page, read_call
from providers.exotel.errors import CarrierCategory, CarrierError, Held, OutcomeUnknown, from_answer, refusal_in
from providers.exotel.orders import BadOrder, CallOrder, fields
from providers.exotel.pace import Pace, Purpose, Unpaced
from providers.exotel.times import from_http_date, to_stamp
from providers.exotel.webhooks import e164_or_empty, is_call_sid

# Exotel takes up to 30 s to answer a connect now and then; a shorter read time-out would make calls that nobody knows about.
_TIMEOUT: Final = httpx.Timeout(connect=5.0, read=40.0, write=10.0, pool=5.0)
_MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
MOST_SIDS: Final = 100  # in one request for several calls
HOLD_S: Final = 15.0  # after a refusal for too many requests that does not say for how long
_NO_HANG_UP: Final = (
    "Exotel has no request that ends a running call, and refused this one. The call ends when its audio socket closes, "
    "when somebody hangs up, or at its time limit."
)


@dataclass(frozen=True, slots=True)
class Exophone:
    """A number of the account, E.164. `sid` is empty on the older API."""

    number: str
    friendly_name: str
    sid: str


class ExotelClient:
    """One account's API over one pool of connections. Use it as a context manager. Every method raises `CarrierError`.

    Each request first takes its place in the account's `pace`; without one it raises `Held` and nothing is sent.
    """

    def __init__(self, config: ExotelConfig, pace: Pace | None = None) -> None:
        self.config = config
        self._pace = pace or Unpaced()
        self._http = httpx.Client(
            auth=httpx.BasicAuth(config.api_key, config.api_token),
            timeout=_TIMEOUT,
            headers={"User-Agent": "voiceagents"},
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # --- placing and ending ----------------------------------------------------------------------------------------------

    def make_call(self, order: CallOrder) -> CallDetails:
        """Asks for a call. Success means that Exotel took the order, not that anybody answered.

        Raises `OutcomeUnknown` if the request may have reached Exotel and no answer tells what became of it. Any other
        `CarrierError` means that no call is placed, so a `retryable` one may be tried again.
        """
        try:
            form = fields(order, self.config)
        except BadOrder as error:
            raise CarrierError(CarrierCategory.BAD_REQUEST, str(error), retryable=False) from error
        self._take(Purpose.DIAL)
        try:
            answer = self._http.post(self.config.v1("/Calls/connect.json"), data=form)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise _unreachable() from error
        except httpx.TransportError as error:
            raise OutcomeUnknown(
                "Exotel did not answer the request to dial. It may have placed the call; it is not dialled again."
            ) from error
        if answer.status_code >= 500:
            message = f"Exotel failed when asked to dial (HTTP {answer.status_code}). It may have placed the call; it is not dialled again."
            raise OutcomeUnknown(message, status=answer.status_code)
        call = self._call_in(answer)
        if call is None or not is_call_sid(call.call_sid):
            raise OutcomeUnknown(
                "Exotel's answer to the request to dial cannot be read. The call is not dialled again.", status=answer.status_code
            )
        return call

    def end_call(self, call_sid: str) -> CallDetails | None:
        """Tries to end a running call. Exotel documents no such request, so a refusal (`UNSUPPORTED`) is the expected outcome."""
        try:
            answer = self._send("POST", self.config.v1(f"/Calls/{_checked(call_sid)}"), data={"Status": "completed"})
        except CarrierError as error:
            if error.category in (CarrierCategory.NOT_FOUND, CarrierCategory.UNSUPPORTED, CarrierCategory.BAD_REQUEST):
                raise CarrierError(CarrierCategory.UNSUPPORTED, _NO_HANG_UP, retryable=False, status=error.status) from error
            raise
        return self._call_in(answer)

    # --- reading ---------------------------------------------------------------------------------------------------------

    def get_call_details(self, call_sid: str, *, details: bool = True) -> CallDetails:
        """One call; with `details` its legs' outcomes too."""
        query = {"details": "true"} if details else {}
        answer = self._send("GET", self.config.v1(f"/Calls/{_checked(call_sid)}.json"), params=query)
        call = self._call_in(answer)
        if call is None:
            raise _strange()
        return replace(call, told_at=from_http_date(answer.headers.get("Date", "")))

    def get_calls(self, call_sids: Sequence[str]) -> dict[str, CallDetails]:
        """Up to `MOST_SIDS` calls in one request, by id; those that Exotel does not name are missing. Nothing about their legs."""
        query = {"Sid": ",".join(_checked(call_sid) for call_sid in call_sids[:MOST_SIDS]), "PageSize": str(MOST_SIDS)}
        rows = self._json("GET", self.config.v1("/Calls.json"), params=query).get("Calls")
        if not isinstance(rows, list):
            raise _strange()
        found = [read_call(row) for row in rows if isinstance(row, dict)]
        return {call.call_sid: call for call in found if call.call_sid in call_sids}

    def list_calls(
        self, *, since: datetime, until: datetime, person: str = "", exophone: str = "", page_size: int = 50, max_pages: int = 20
    ) -> Iterator[CallDetails]:
        """Calls created from `since` to `until` (aware, at most a month apart), oldest first, page by page.

        `person` is the number rung first and `exophone` ours, as far as Exotel can filter by them.
        """
        query = {
            "DateCreated": f"gte:{to_stamp(since)};lte:{to_stamp(until)}",
            "PageSize": str(max(1, min(page_size, 100))),
            "SortBy": "DateCreated:asc",
            **({"From": person} if person else {}),
            **({"PhoneNumber": exophone} if exophone else {}),
        }
        for _ in range(max_pages):
            page = self._json("GET", self.config.v1("/Calls.json"), params=query)
            calls = page.get("Calls")
            if not isinstance(calls, list):
                raise _strange()
            yield from (read_call(call) for call in calls if isinstance(call, dict))
            following = next_page(page.get("Metadata"))
            if following is None or not calls:
                return
            query = following

    def exophones(self) -> list[Exophone]:
        """The account's numbers, from the current API or, where that is not there, from the older one."""
        try:
            told = self._json("GET", self.config.v2_beta("/IncomingPhoneNumbers")).get("incoming_phone_numbers")
        except CarrierError as error:
            if error.category != CarrierCategory.NOT_FOUND:
                raise
            rows = self._json("GET", self.config.v1("/IncomingPhoneNumbers.json")).get("IncomingPhoneNumbers")
            told = [row.get("IncomingPhoneNumber") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None
        if not isinstance(told, list):
            raise _strange()
        found = []
        for row in told:
            number = e164_or_empty(row.get("phone_number") or row.get("PhoneNumber")) if isinstance(row, dict) else ""
            if number:
                found.append(Exophone(number, str(row.get("friendly_name") or ""), str(row.get("sid") or "")))
        return found

    def check_account(self) -> None:
        """Returns if Exotel accepts the credentials for this account."""
        self._send("GET", f"{self.config.v1('')}.json")

    def download_recording(self, url: str, path: Path, max_bytes: int) -> recordings.Downloaded:
        """Streams a recording to `path`; see `recordings.download`."""
        self._take(Purpose.RECORDING)
        try:
            return recordings.download(self.config, url, path, max_bytes)
        except CarrierError as error:
            self._note(error)
            raise

    # --- the wire --------------------------------------------------------------------------------------------------------

    def _take(self, purpose: Purpose) -> None:
        if (wait_s := self._pace.take(purpose)) > 0:
            raise Held(wait_s)

    def _refusal(self, answer: httpx.Response) -> CarrierError:
        error = from_answer(answer.status_code, answer.content[:_MAX_ANSWER_BYTES], answer.headers.get("Retry-After", ""))
        self._note(error)
        return error

    def _note(self, error: CarrierError) -> None:
        if error.category == CarrierCategory.RATE_LIMITED:
            self._pace.hold(error.retry_after_s or HOLD_S)

    def _send(self, method: str, url: str, *, params: dict[str, str] | None = None, data: dict[str, str] | None = None) -> httpx.Response:
        self._take(Purpose.DETAILS)
        try:
            answer = self._http.request(method, url, params=params, data=data)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise _unreachable() from error
        except httpx.TransportError as error:
            raise CarrierError(
                CarrierCategory.TIMEOUT, "Exotel did not answer in time. It is asked again later.", retryable=True
            ) from error
        if not 200 <= answer.status_code < 300:
            raise self._refusal(answer)
        return answer

    def _json(self, method: str, url: str, *, params: dict[str, str] | None = None) -> dict[str, Any]:
        told = _decoded(self._send(method, url, params=params))
        if (refusal := refusal_in(told)) is not None:
            raise refusal
        if not isinstance(told, dict):
            raise _strange()
        return told

    def _call_in(self, answer: httpx.Response) -> CallDetails | None:
        if not 200 <= answer.status_code < 300:
            raise self._refusal(answer)
        told = _decoded(answer)
        if (refusal := refusal_in(told)) is not None:
            raise refusal
        call = told.get("Call") if isinstance(told, dict) else call_from_xml(answer.content)
        return read_call(call) if isinstance(call, dict) else None


def _decoded(answer: httpx.Response) -> Any:
    try:
        return msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


def _checked(call_sid: str) -> str:
    if not is_call_sid(call_sid):
        raise CarrierError(CarrierCategory.BAD_REQUEST, "This is not the id of a call at Exotel.", retryable=False)
    return call_sid


def _unreachable() -> CarrierError:
    message = "Exotel could not be reached. Check the network, EXOTEL_BASE_URL and EXOTEL_SUBDOMAIN."
    return CarrierError(CarrierCategory.CONNECTION, message, retryable=True)


def _strange() -> CarrierError:
    message = "Exotel's answer cannot be read. Check EXOTEL_BASE_URL and EXOTEL_SUBDOMAIN."
    return CarrierError(CarrierCategory.PROTOCOL, message, retryable=False)
