"""People and agents for the tests of this room."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from agents.models import Agent
from tests.calls import made_calls as made


@pytest.fixture
def operator(db: None) -> User:
    user: User = made.operating(User.objects.create_user("asha", password="a long password"))
    return user


@pytest.fixture
def stranger(db: None) -> User:
    user: User = made.operating(User.objects.create_user("vikram", password="a long password"))
    return user


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create_superuser("root", password="a long password")


@pytest.fixture
def staff(operator: User) -> User:
    """The operator with every permission of the admin, but no superuser."""
    operator.is_staff = True
    operator.save()
    operator.user_permissions.set(Permission.objects.all())
    return operator


@pytest.fixture
def make_agent(operator: User) -> Callable[..., Agent]:
    def make(**fields: Any) -> Agent:
        return Agent.objects.create(**{"owner": operator, "name": "Clinic desk", "prompt": "You answer for a clinic.", **fields})

    return make


@pytest.fixture
def api(operator: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(operator)
    return client
