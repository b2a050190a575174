"""People, an agent with a number, and programs with keys."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from access import keys
from agents.models import Agent
from telephony.models import Phone
from tests.calls import made_calls as made

EXOPHONE = "+918047112233"


@pytest.fixture
def operator(db: None) -> User:
    user: User = made.operating(User.objects.create_user("asha", password="a long password"))
    return user


@pytest.fixture
def stranger(db: None) -> User:
    user: User = made.operating(User.objects.create_user("vikram", password="a long password"))
    return user


@pytest.fixture
def agent(operator: User) -> Agent:
    agent = Agent.objects.create(owner=operator, name="Desk", prompt="You answer.")
    Phone.objects.create(number=EXOPHONE, agent=agent)
    return agent


@pytest.fixture
def program(operator: User) -> Callable[..., APIClient]:
    """A client that sends a key with these scopes, and nothing else."""

    def make(*scopes: str, **more: Any) -> APIClient:
        owner = more.pop("owner", operator)
        _key, text = keys.make(owner=owner, name="Booking", scopes=scopes, expires_at=more.pop("expires_at", None), **more)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
        return client

    return make
