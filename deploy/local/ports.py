"""Which TCP ports are free, and what to say when one is not."""

import errno
import socket
from urllib.parse import urlsplit

from voiceagents.env import redact


class PortTaken(SystemExit):
    """A port that we need is in use. One line: which, and what to do."""


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free(name: str, port: int, host: str = "127.0.0.1") -> None:
    """Raises `PortTaken` if `port` cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(f"Port {port} is taken. Stop what uses it, or choose another: {name}={port + 100} make …") from None
            raise PortTaken(f"Port {port} on {host} cannot be used ({error.strerror}). Choose another with {name}=…") from None


def require_answer(name: str, url: str, default_port: int, timeout_s: float = 5.0) -> None:
    """Ends the start with one line if nothing listens where `url` points. An address without a host (a Unix socket) is believed."""
    parts = urlsplit(url)
    if not parts.hostname:
        return
    try:
        socket.create_connection((parts.hostname, parts.port or default_port), timeout_s).close()
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        message = (
            f"{name}={redact(url)}: nothing answers there ({why}). Start it, mend the address, or leave {name} out for an embedded one."
        )
        raise SystemExit(message) from None
