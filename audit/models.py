"""What is followed: every row that a person may change. Postgres itself writes the history, whatever door a change came through.

Secrets, passwords and people's own data are left out of the snapshots, so that no history can tell them: only that they changed. What
happens in calls has records of its own (events, turns, charges), and so has what is published of an agent (its versions).
"""

from typing import Any, Final

import pghistory
import pgtrigger
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import models
from django.utils.translation import gettext_lazy as _

from access.models import ApiKey
from agents.models import Agent, Destination, HttpTool
from calls.models import AlertRule, Budget, ExchangeRate, PriceOverride, RehearsalRule, Scenario, WebhookEndpoint
from telephony.models import Phone

PRIVATE: Final = "private"
"""The label of a change of what no snapshot holds."""
STANDING: Final = "standing"
"""The label of a row that was there before history began."""


def _any_of(fields: tuple[str, ...]) -> pgtrigger.Condition:
    """In SQL: a field that is kept encrypted refuses to be compared by Django."""
    return pgtrigger.Condition(" OR ".join(f'OLD."{field}" IS DISTINCT FROM NEW."{field}"' for field in fields))


def follow(model: type[models.Model], *, without: tuple[str, ...] = (), private: tuple[str, ...] = (), only: tuple[str, ...] = ()) -> None:
    """Adds `Followed<Model>` and its history. `without`: fields that are noise; `private`: those of which only the change is told."""
    name = f"Followed{model.__name__}"
    meta = {"proxy": True, "app_label": "audit", "default_permissions": (), "__module__": __name__}
    proxy = type(name, (model,), {"__module__": __name__, "Meta": type("Meta", (), meta)})
    trackers: list[Any] = [pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent(), pghistory.ManualEvent(STANDING)]
    if private:
        trackers.append(pghistory.RowEvent(PRIVATE, operation=pgtrigger.Update, condition=_any_of(private), row="NEW"))
    chosen: dict[str, Any] = {"fields": list(only)} if only else {"exclude": [*without, *private]}
    pghistory.track(
        *trackers,
        **chosen,
        obj_field=pghistory.ObjForeignKey(related_name="+"),
        app_label="audit",
        model_name=f"{model.__name__}Change",
        append_only=True,
        meta={"default_permissions": (), "indexes": [models.Index(fields=["-pgh_created_at"], name=f"{model.__name__.lower()[:20]}_when")]},
    )(proxy)
    globals()[name] = proxy


def follow_bond(bond: type[models.Model], name: str) -> None:
    """The same for a bond between two rows, which is only ever tied and untied."""
    meta = {"proxy": True, "app_label": "audit", "default_permissions": ()}
    proxy = type(f"Followed{name}", (bond,), {"__module__": __name__, "Meta": type("Meta", (), meta)})
    pghistory.track(
        pghistory.InsertEvent(),
        pghistory.DeleteEvent(),
        app_label="audit",
        model_name=f"{name}Change",
        obj_field=None,
        append_only=True,
        meta={"default_permissions": (), "indexes": [models.Index(fields=["-pgh_created_at"], name=f"{name.lower()[:20]}_when")]},
    )(proxy)
    globals()[f"Followed{name}"] = proxy


User: Any = get_user_model()
follow(Agent, without=("created_at", "updated_at"))
follow(Destination, private=("numbers",))
follow(HttpTool, private=("secret_headers",))
follow(Phone, without=("created_at",))
follow(PriceOverride, without=("created_at",))
follow(ExchangeRate, without=("created_at",))
follow(Budget, without=("created_at",))
follow(AlertRule, private=("recipients",), without=("judged_at", "tried_at", "tried_to", "created_at"))
follow(Scenario, private=("persona", "goal", "facts", "opening"), without=("created_at", "updated_at"))
follow(RehearsalRule, without=("changed_at",))
follow(
    WebhookEndpoint,
    private=("secret", "previous_secret"),
    without=("previous_until", "secret_shown", "failures", "failing_since", "rest_until", "created_at"),
)
follow(ApiKey, without=("last_used_at", "secret_sha256", "created_at"))
follow(User, only=("username", "is_active", "is_staff", "is_superuser"), private=("password",))
follow(Group)
follow_bond(User.groups.through, "UserGroup")
follow_bond(User.user_permissions.through, "UserPermission")
follow_bond(Group.permissions.through, "GroupPermission")


class History(models.Model):
    """No table: it bears the permission to read the history."""

    class Meta:
        managed = False
        default_permissions = ()
        permissions = [("view_history", _("Can see who changed what"))]

    def __str__(self) -> str:
        return "history"
