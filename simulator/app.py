"""Puts every fake party on one port, each under its own path prefix."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from simulator import control, deepgram, elevenlabs, openai, storage
from simulator.exotel import rest
from simulator.exotel.exchange import exchange
from simulator.state import SimulatorState

# The vendors' routes bear their prefixes; Exotel's and our own doors are relative, because they are also served alone.
PARTIES: tuple[Callable[[SimulatorState], list[BaseRoute]], ...] = (openai.routes, deepgram.routes, elevenlabs.routes, storage.routes)
MOUNTED: dict[str, Callable[[SimulatorState], list[BaseRoute]]] = {"/exotel": rest.routes, "/control": control.routes}


def build_app(state: SimulatorState) -> Starlette:
    """The whole simulator as one ASGI application. It answers once it can speak and hear; its end hangs up every live call."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await state.speech.warm()  # the first call must not wait for a network to load
        try:
            yield
        finally:
            await exchange(state).stop()

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok", "speech": state.settings.speech})

    doors: list[BaseRoute] = [Route("/healthz", health)]
    doors += [route for make in PARTIES for route in make(state)]
    doors += [Mount(prefix, routes=make(state)) for prefix, make in MOUNTED.items()]
    return Starlette(routes=doors, lifespan=lifespan)
