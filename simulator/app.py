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

PARTIES: dict[str, Callable[[SimulatorState], list[BaseRoute]]] = {
    "/exotel": rest.routes,
    "/openai/v1": openai.routes,
    "/deepgram": deepgram.routes,
    "/elevenlabs": elevenlabs.routes,
    "/s3": storage.routes,
    "/control": control.routes,
}


def build_app(state: SimulatorState) -> Starlette:
    """The whole simulator as one ASGI application. When it shuts down, every live call is hung up."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await exchange(state).stop()

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok", "speech": state.settings.speech})

    mounts: list[BaseRoute] = [Route("/healthz", health)]
    mounts += [Mount(prefix, routes=make(state)) for prefix, make in PARTIES.items()]
    return Starlette(routes=mounts, lifespan=lifespan)
