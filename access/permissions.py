"""Whether whoever asks may do it: their key by its scopes, and they themselves where a page would ask for a permission too.

People with a password or a session have all scopes.
"""

from typing import Any, Final

from django.contrib.auth.models import Permission
from django.utils.translation import gettext as _
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from access.models import ApiKey
from access.scopes import covers, needed

_DEEDS: Final = {"create": "add", "destroy": "delete"}


class KeyAllows(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiKey):
            return True
        door = getattr(view, "basename", None)
        if door is None:  # the description of the API, for whoever has any key
            return request.method in ("GET", "HEAD", "OPTIONS")
        scope = needed(door, request.method or "", getattr(view, "action", None) or "")
        if scope is not None and covers(request.auth.scopes, scope):
            return True
        self.message = _("This API key lacks the scope %(scope)s. Make a key that has it.") % {"scope": scope or door}
        return False


class AccountAllows(BasePermission):
    """A door with `changes_take` asks the person behind the request for this permission, as the page or the admin of the same thing does;
    reading asks for none.

    A `{deed}` in it is what the admin calls the request: `add`, `delete`, or `change` for all that is done to a row that is there.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        wanted: str = getattr(view, "changes_take", "")
        if not wanted or request.method in SAFE_METHODS:
            return True
        permission = wanted.format(deed=_DEEDS.get(getattr(view, "action", None) or "", "change"))
        if request.user.has_perm(permission):
            return True
        self.message = _("Your account lacks the permission “%(name)s” (%(permission)s). Ask whoever looks after accounts for it.") % {
            "name": _name(permission),
            "permission": permission,
        }
        return False


def _name(permission: str) -> str:
    """As it stands in the admin, where whoever looks after accounts has to find it."""
    room, _dot, codename = permission.partition(".")
    found = Permission.objects.filter(content_type__app_label=room, codename=codename).values_list("name", flat=True).first()
    return found or codename
