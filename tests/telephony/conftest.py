"""An operator, an agent that answers our exophone, and the ways in which Exotel knocks."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from agents.models import Agent
from telephony.models import Phone
from tests.providers.exotel import payloads

FIRST, SECOND = "first-secret-0123456789", "second-secret-0123456789"
DOORS = "/api/v1/webhooks/exotel/"


@pytest.fixture
def answering(db: None) -> Agent:
    """An agent behind our exophone, with words that XML must escape."""
    owner = User.objects.create_user("meera", password="a long password")
    agent = Agent.objects.create(owner=owner, name="Desk", prompt="You answer.", first_message='Hello & "welcome" <friend>')
    Phone.objects.create(number=payloads.EXOPHONE, agent=agent)
    return agent


def as_query(client: Client, path: str, params: dict[str, Any], method: str = "get") -> HttpResponse:
    return getattr(client, method)(f"{path}&{urlencode(params)}" if "?" in path else f"{path}?{urlencode(params)}")


def as_form(client: Client, path: str, params: dict[str, Any]) -> HttpResponse:
    return client.post(path, urlencode(params), content_type="application/x-www-form-urlencoded")


def as_multipart(client: Client, path: str, params: dict[str, Any]) -> HttpResponse:
    return client.post(path, params)


def as_json(client: Client, path: str, params: dict[str, Any]) -> HttpResponse:
    return client.post(path, json.dumps(params), content_type="application/json")


def as_post_query(client: Client, path: str, params: dict[str, Any]) -> HttpResponse:
    return as_query(client, path, params, "post")


SHAPES: dict[str, Callable[[Client, str, dict[str, Any]], HttpResponse]] = {
    "query": as_query,
    "post-query": as_post_query,
    "form": as_form,
    "multipart": as_multipart,
    "json": as_json,
}


def door(name: str, secret: str = FIRST) -> str:
    return f"{DOORS}{name}?key={secret}"


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Callable[[Client, str, dict[str, Any]], HttpResponse]:
    """Every way in which Exotel may write one delivery."""
    return SHAPES[request.param]
