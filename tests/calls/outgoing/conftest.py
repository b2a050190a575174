"""An operator, their agent, and a receiver that listens for them."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User

from agents.models import Agent
from calls.models import WebhookEndpoint
from tests.calls import made_calls as made
from tests.calls.outgoing.receiver import LOOPBACK, Receiver, receiver


@pytest.fixture
def hooks(settings) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOWED_NETWORKS = LOOPBACK
    with receiver() as place:
        yield place


@pytest.fixture
def owner(db: None) -> User:
    user: User = made.operator()
    return user


@pytest.fixture
def agent(owner: User) -> Agent:
    return made.agent_of(owner)


@pytest.fixture
def endpoint(owner: User, hooks: Receiver) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(owner=owner, url=hooks.url, description="Books")
