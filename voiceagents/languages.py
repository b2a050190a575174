"""In which language somebody is answered: people in the one they chose or their browser asks for, programs always in English.

What programs read must not change with a cookie or a header: they compare it, and it is what docs/api.md shows.
"""

from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

PROGRAMS: Final = ("/api/", "/healthz", "/readyz", "/metrics")


class LanguageMiddleware(LocaleMiddleware):
    def process_request(self, request: HttpRequest) -> None:
        if not _is_for_programs(request):
            return super().process_request(request)
        translation.activate(settings.LANGUAGE_CODE)
        request.LANGUAGE_CODE = settings.LANGUAGE_CODE
        return None

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not _is_for_programs(request):
            return super().process_response(request, response)
        response.headers.setdefault("Content-Language", settings.LANGUAGE_CODE)
        return response


def _is_for_programs(request: HttpRequest) -> bool:
    return request.path_info.startswith(PROGRAMS)
