"""Whether whoever asks may do it: their key by its scopes, and they themselves where a page would ask for a permission too.

People with a password or a session have all scopes.
"""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from access.models import ApiKey
from access.scopes import covers, needed


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
    """A door with `changes_take` asks the person behind the request for this permission, as the page of the same thing does; reading asks
    for none.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        permission = getattr(view, "changes_take", "")
        if not permission or request.method in SAFE_METHODS or request.user.has_perm(permission):
            return True
        self.message = _("Your account lacks the permission %(permission)s. Ask whoever looks after accounts for it.") % {
            "permission": permission
        }
        return False
