"""What every door of the API has in common, given to each by the one place that knows them all: `voiceagents.urls`."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from access.once import once
from access.rates import Standing


# POSTs that come twice act once; answers tell how many requests are left. A comment: a docstring would describe every door in the schema.
class _Guarded(GenericViewSet[Any]):
    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        handler = getattr(self, "post", None)  # what the router has put there: create, or an action
        if request.method == "POST" and handler is not None:
            self.__dict__["post"] = lambda asked, *more, **named: once(asked, handler, *more, **named)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        if isinstance(standing := getattr(request, "standing", None), Standing):
            for name, value in standing.headers().items():
                answer.headers.setdefault(name, value)
        return answer


def guarded(view_set: type[Any]) -> type[Any]:
    """The same view set behind the common rules."""
    return type(view_set.__name__, (_Guarded, view_set), {"__module__": view_set.__module__, "__doc__": view_set.__doc__})
