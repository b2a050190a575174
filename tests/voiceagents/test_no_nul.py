"""What no row can keep is refused with a 400 in words, at every door that takes text."""

import base64
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import translation

from agents.models import Agent
from calls.consumers import LiveConsumer
from calls.rehearsing.rows import WrittenTalk
from tests.calls import made_calls as made
from voiceagents.no_nul import NoNulMiddleware
from voiceagents.routing import websocket

FORM = "application/x-www-form-urlencoded"


def answer_to(request: HttpRequest) -> HttpResponse:
    def read(request: HttpRequest) -> HttpResponse:
        return middleware.process_view(request, answer_to, (), {}) or HttpResponse("read")

    middleware = NoNulMiddleware(read)
    return middleware(request)


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("/calls/sess_%00/", None),
        ("/calls/?text=a%00b", None),
        ("/calls/?%00=a", None),
        ("/agents/1/rehearsals/new/", {"goal": "a\0"}),
        ("/calls/sess_a/notes/", {"text": "a\0b"}),
        ("/calls/sess_a/tags/", {"tag\0": "b"}),
        ("/admin/agents/agent/?name=%00", None),
    ],
)
def test_a_nul_is_refused_before_anything_reads_it(address: str, form: dict[str, str] | None) -> None:
    make = RequestFactory()
    requests = [make.get(address)]
    if form:
        body = "&".join(f"{name}={text}" for name, text in form.items()).replace("\0", "%00")
        requests = [make.post(address, form), make.post(address, body, content_type=FORM)]
    for request in requests:
        answer = answer_to(request)
        assert (answer.status_code, "NUL" in answer.content.decode()) == (400, True)


def test_programs_are_told_in_a_problem_and_parts_of_pages_with_a_notice() -> None:
    told = answer_to(RequestFactory().get("/api/v1/calls/sess_%00/"))
    assert (told.status_code, told["Content-Type"]) == (400, "application/problem+json")
    part = answer_to(RequestFactory().post("/calls/sess_a/notes/", {"text": "\0"}, headers={"HX-Request": "true"}))
    assert part.status_code == 400 and "NUL" in part["HX-Trigger"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic " + base64.b64encode(b"asha\0:secret").decode()},
        {"Authorization": "Basic\t" + base64.b64encode(b"asha\0:secret").decode()},
        {"Cookie": 'sessionid="aaaaaaaa\\000bbbb"'},
    ],
    ids=["password", "password behind a tab", "cookie"],
)
def test_neither_a_password_nor_a_cookie_brings_one_to_the_database(headers: dict[str, str]) -> None:
    assert answer_to(RequestFactory().get("/calls/", headers=headers)).status_code == 400


@pytest.mark.parametrize(
    "request_of_it",
    [
        RequestFactory().get("/calls/?text=%2500%20a"),
        RequestFactory().post("/calls/sess_a/notes/", {"text": "ordinary, नमस्ते"}),
        RequestFactory().get("/api/v1/agents/", headers={"Authorization": "Basic not-base64"}),
        RequestFactory().get("/api/v1/agents/", headers={"Authorization": "Bearer va_x"}),
        RequestFactory().get("/calls/", headers={"Cookie": 'of_another_site="a\\000b"'}),
        RequestFactory().post("/api/v1/agents/", data=b"a=%00", content_type=FORM),
    ],
    ids=["address", "form", "no base64", "key", "another site's cookie", "a form that the API does not read"],
)
def test_everything_else_goes_on(request_of_it: HttpRequest) -> None:
    assert answer_to(request_of_it).content == b"read"


@pytest.mark.django_db
def test_a_typed_line_with_a_nul_is_refused_in_words_on_its_page(client: Client) -> None:
    agent: Agent = made.agent_of(made.operator(superuser=True))
    client.force_login(agent.owner)
    with translation.override("en"):  # a request leaves its language with the thread
        answer = client.post(f"/agents/{agent.pk}/try/text/", {"with": "live\0"}, headers={"Accept-Language": "hi"})
    page = answer.content.decode()
    assert (answer.status_code, '<html lang="hi">' in page, "NUL" in page) == (400, True, True)
    assert not WrittenTalk.objects.exists() and User.objects.filter(pk=agent.owner.pk).exists()


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/ws/calls/sess_\0/", []), ("/ws/live/", [(b"cookie", b'sessionid="aaaaaaaa\\000bbbb"')])],
    ids=["address", "cookie"],
)
async def test_a_socket_with_a_nul_is_not_opened(path: str, headers: list[Any]) -> None:
    socket = WebsocketCommunicator(websocket, path, headers=[(b"origin", b"http://testserver"), (b"host", b"testserver"), *headers])
    assert await socket.connect() == (False, 1008)


@pytest.mark.parametrize("told", ['{"kind": "watch", "session_id": "\\u0000"}', '{"a": ["\\ud800"]}', "[" * 100_000, "no json"])
async def test_what_a_socket_cannot_mean_is_nothing(told: str) -> None:
    assert await LiveConsumer.decode_json(told) is None
