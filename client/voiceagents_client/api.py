"""The client itself. One method for each thing that programs do often; `get`, `post`, `patch` and `rows` for everything else."""

import random
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote, urlsplit

import httpx

from voiceagents_client.errors import ApiError, Unreachable
from voiceagents_client.shapes import Agent, Call, Charge, Rehearsal, Row, Scenario, Turn

TRIES = 3
# Looks at what an earlier try of ours became that the server is still at, apart from the tries.
LOOKS_AGAIN = 6
LONGEST_WAIT_S = 60.0
_COME_BACK = frozenset({429, 502, 503, 504})


class Client:
    """One server and one key. Use it as a context, or `close` it. Each method raises `ApiError` or `Unreachable`.

    Making one raises `ValueError`, with words for people, for an address or a key that cannot be one.
    """

    def __init__(self, url: str, key: str, *, timeout_s: float = 30, transport: httpx.BaseTransport | None = None) -> None:
        _check_address(url)
        if not is_fit_for_a_header(key):
            raise ValueError(
                "The key has characters that no key has. Copy it whole from the page “API keys”: va_… in examples only stands for one."
            )
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1/",
            headers={"Authorization": f"Bearer {key}", "Accept": "application/json"},
            timeout=timeout_s,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # --- what everything is made of

    def get(self, path: str, **query: Any) -> Row:
        """What stands at a path below /api/v1/, such as `calls/sess_…/`."""
        return _row(self._send("GET", path, query=_given(query), is_repeatable=True))

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, idempotency_key: str = "") -> Row:
        """Carries an Idempotency-Key, one of its own if none is given: a repeated request acts once."""
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return _row(self._send("POST", path, body=body or {}, headers=headers, is_repeatable=True))

    def patch(self, path: str, body: Mapping[str, Any]) -> Row:
        return _row(self._send("PATCH", path, body=body))

    def delete(self, path: str) -> None:
        self._send("DELETE", path)

    def rows(self, path: str, **query: Any) -> Iterator[Row]:
        """Every row of a list, page after page, as long as somebody asks for the next one."""
        page = _page(self._send("GET", path, query=_given(query), is_repeatable=True))
        while True:
            yield from page["results"]
            if not page["next"]:
                return
            parts = urlsplit(page["next"])
            # Only the query is taken: behind a proxy the server may call itself by another name, and the key goes to no other host.
            page = _page(self._send("GET", f"{path}?{parts.query}", is_repeatable=True))

    # --- what programs do

    def agents(self, **filters: Any) -> Iterator[Agent]:
        return cast(Iterator[Agent], self.rows("agents/", **filters))

    def agent(self, agent_id: int) -> Agent:
        return cast(Agent, self._known_by("id", self.get(f"agents/{agent_id}/")))

    def calls(self, **filters: Any) -> Iterator[Call]:
        """Newest first. Filters: status, direction, agent, number, date, since, until, limit."""
        return cast(Iterator[Call], self.rows("calls/", **filters))

    def call(self, session_id: str) -> Row:
        """A call with its turns, recording, charges and events."""
        return self._known_by("session_id", self.get(f"calls/{quote(session_id, safe='')}/"))

    def place_call(
        self, *, agent: int, to: str, from_: str = "", customer: Mapping[str, str] | None = None, idempotency_key: str = ""
    ) -> Call:
        """Rings somebody's phone. Give a key of your own, such as the order's number, if the program itself may run twice."""
        order: dict[str, Any] = {"agent": agent, "to": to}
        if from_:
            order["from"] = from_
        if customer:
            order["customer"] = dict(customer)
        return cast(Call, self._known_by("session_id", self.post("calls/", order, idempotency_key=idempotency_key)))

    def hang_up(self, session_id: str) -> Row:
        return self._known_by("detail", self.post(f"calls/{quote(session_id, safe='')}/hangup/"))

    def turns(self, **filters: Any) -> Iterator[Turn]:
        """Newest first. Filters: session_id, agent, speaker, interrupted, latency_least_ms, since, until."""
        return cast(Iterator[Turn], self.rows("turns/", **filters))

    def charges(self, **filters: Any) -> Iterator[Charge]:
        """Newest first. Filters: session_id, agent, kind, provider, model, currency, unpriced, since, until."""
        return cast(Iterator[Charge], self.rows("charges/", **filters))

    def scenarios(self, **filters: Any) -> Iterator[Scenario]:
        """Filters: agent, active, name."""
        return cast(Iterator[Scenario], self.rows("scenarios/", **filters))

    def rehearse(
        self,
        *,
        agent: int,
        draft: bool = False,
        scenarios: Sequence[int] | None = None,
        by_voice: bool | None = None,
        idempotency_key: str = "",
    ) -> Rehearsal:
        """Has the server's workers hold these scenarios, or all that are active: by voice, in writing, or (None) each as it says of itself.

        Look at `rehearsal` until its state is not `running`.
        """
        order: dict[str, Any] = {"agent": agent, "is_draft": draft}
        if scenarios is not None:
            order["scenarios"] = list(scenarios)
        if by_voice is not None:
            order["by_voice"] = by_voice
        return cast(Rehearsal, self._known_by("id", self.post("rehearsals/", order, idempotency_key=idempotency_key)))

    def rehearsal(self, rehearsal_id: int) -> Rehearsal:
        """How far it is, and each conversation's verdicts with the turns that show them."""
        return cast(Rehearsal, self._known_by("id", self.get(f"rehearsals/{rehearsal_id}/")))

    def stop_rehearsal(self, rehearsal_id: int) -> Rehearsal:
        """What has not begun is not held, and calls by voice hang up. Refused with 409 if there is neither."""
        return cast(Rehearsal, self.post(f"rehearsals/{rehearsal_id}/stop/"))

    # --- the wire

    def _known_by(self, name: str, row: Row) -> Row:
        """The row, if it has what every row of its kind has; else it is not the API that answers."""
        if name not in row:
            raise _not_the_api(httpx.codes.OK, self._http.base_url.host)
        return row

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        is_repeatable: bool = False,
    ) -> httpx.Response:
        tries = TRIES if is_repeatable else 1
        number, looks = 1, LOOKS_AGAIN if is_repeatable else 0
        while True:
            try:
                answer = self._http.request(method, path, params=query, json=body, headers=headers)
            except httpx.RequestError as error:
                if number == tries:
                    raise Unreachable(f"{self._http.base_url.host} does not answer ({type(error).__name__}).") from error
                self._pause(number, "")
                number += 1
                continue
            if answer.is_success:
                return answer
            told = answer.headers.get("Retry-After", "")
            if answer.status_code == httpx.codes.CONFLICT and told and looks:
                looks -= 1
            elif number < tries and answer.status_code in _COME_BACK:
                number += 1
            else:
                raise ApiError.of(answer)
            self._pause(number, told)

    @staticmethod
    def _pause(number: int, told: str) -> None:
        """As long as the server says, else longer each time, and not in step with others."""
        wait_s = float(told) if told.isdecimal() else 0.5 * 2**number * random.uniform(0.5, 1)  # noqa: S311 - not for secrets
        time.sleep(min(wait_s, LONGEST_WAIT_S))


def _row(answer: httpx.Response) -> Row:
    """Raises `ApiError` for an answer that is not the API's: another server, or a log-in page before it."""
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise _not_the_api(answer.status_code, answer.request.url.host)
    return told


def _page(answer: httpx.Response) -> Row:
    """Raises `ApiError` as well for an object that is no page of a list."""
    told = _row(answer)
    rows = told.get("results")
    is_page = isinstance(rows, list) and all(isinstance(row, dict) for row in rows) and isinstance(told.get("next"), str | None)
    if not is_page:
        raise _not_the_api(answer.status_code, answer.request.url.host)
    return {"next": None, **told}


def _not_the_api(status: int, host: str) -> ApiError:
    return ApiError(status, f"What answers at {host} is not voiceagents' API. Is the address right?", {})


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname and httpx.URL(url).host) and parts.port != 0 and " " not in url
    except (ValueError, httpx.InvalidURL):
        is_whole = False
    if not is_whole:
        raise ValueError(f"“{url}” is no address of a server. Write it whole, such as https://voice.example.com.")


def is_fit_for_a_header(text: str) -> bool:
    return text.isascii() and text.isprintable() and text == text.strip()


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not set; truth as the server reads it."""
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items() if value not in (None, "")}
