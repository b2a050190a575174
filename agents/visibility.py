"""Who may see and change which agent. Everybody works with their own; a superuser works with all."""

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from django.db.models import QuerySet

from agents.models import Agent

Person = AbstractBaseUser | AnonymousUser


def sees_everything(user: Person) -> bool:
    return isinstance(user, PermissionsMixin) and user.is_active and user.is_superuser


def visible_agents(user: Person) -> QuerySet[Agent]:
    """The agents that `user` may see: none for somebody who is not logged in."""
    if sees_everything(user):
        return Agent.objects.all()
    return Agent.objects.filter(owner_id=user.pk) if user.pk else Agent.objects.none()
