"""`Authorization: Bearer va_…`: a request of a program acts as the owner of its key."""

from typing import Any

import pghistory
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from access import keys
from access.models import ApiKey


class KeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        scheme, _space, text = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        try:
            key = keys.recognise(text.strip().decode("ascii", "replace"))
        except keys.KeyRefused as error:
            raise AuthenticationFailed(error.message) from error
        keys.note_use(key)
        pghistory.context(api_key=key.prefix)  # the history tells which program it was; without a change there is none
        return key.owner, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'
