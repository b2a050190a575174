"""Who may see and change which agent. Everybody works with their own; a superuser works with all."""

from typing import TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from django.db.models import Model, QuerySet

from agents.models import Agent

Person = AbstractBaseUser | AnonymousUser
Row = TypeVar("Row", bound=Model)


def sees_everything(user: Person) -> bool:
    return isinstance(user, PermissionsMixin) and user.is_active and user.is_superuser


def own(rows: QuerySet[Row], user: Person, owner: str = "owner") -> QuerySet[Row]:
    """Those of `rows` that `user` may see: a superuser all, everybody else their own, and none who is not logged in.

    `owner` leads from a row to whom it belongs.
    """
    if sees_everything(user):
        return rows
    return rows.filter(**{owner: user.pk}) if user.pk else rows.none()


def visible_agents(user: Person) -> QuerySet[Agent]:
    return own(Agent.objects.all(), user)
