"""Runs the simulator's server. Everything it is told comes from its arguments and one TOML file."""

import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn

from simulator.app import build_app
from simulator.control import change
from simulator.exotel.settings import ExotelSettingRefused
from simulator.fast_frames import FastFramesProtocol
from simulator.state import SettingRefused, SimulatorState


class CannotServe(RuntimeError):
    """The server can not start; the message says why and what to do."""


def serve(port: int, *, host: str = "127.0.0.1", settings_file: str | None = None, data_dir: str | None = None) -> None:
    """Serves until interrupted; raises `CannotServe`. Port 0 takes any free one."""
    state = SimulatorState(scratch=Path(data_dir)) if data_dir else SimulatorState()
    state.scratch.mkdir(parents=True, exist_ok=True)
    listener = _listen(host, port)
    url = f"http://{host}:{listener.getsockname()[1]}"
    _apply(state, {"exotel": {"public_url": url}}, "the port")
    if settings_file:
        _apply(state, _read(Path(settings_file)), settings_file)
    print(f"simulator: {url} (speech: {state.settings.speech}, data: {state.scratch})", flush=True)
    server_config(state).run(sockets=[listener])


def server_config(state: SimulatorState) -> uvicorn.Server:
    """A server for `state` as it must be run: uvloop, and WebSockets without compression, as the real parties have them."""
    return uvicorn.Server(
        uvicorn.Config(
            build_app(state),
            loop="uvloop",
            ws=FastFramesProtocol,
            ws_per_message_deflate=False,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=5,
        )
    )


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CannotServe(
            f"port {port} on {host} cannot be used ({error.strerror}); choose another with --port or SIMULATOR_PORT"
        ) from error
    listener.listen(1_024)
    return listener


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise CannotServe(f"the settings file {path} cannot be read ({error.strerror})") from error
    except tomllib.TOMLDecodeError as error:
        raise CannotServe(f"the settings file {path} is not TOML: {error}") from error


def _apply(state: SimulatorState, settings: Mapping[str, Any], where: str) -> None:
    try:
        change(state, settings)
    except (SettingRefused, ExotelSettingRefused) as error:
        raise CannotServe(f"{where}: {error}") from error
