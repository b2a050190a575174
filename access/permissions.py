"""Whether the key of a request has the scope for what it asks. People with a password or a session have all of theirs."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.permissions import BasePermission
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
