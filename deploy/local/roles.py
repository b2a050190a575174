"""The processes of the product, each with its command. docker-compose.yml runs the same ones."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.places import RUN


@dataclass(frozen=True)
class Role:
    name: str
    command: tuple[str, ...]
    restart: bool = True
    stop_s: float = 15
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def pid_file(self) -> Path:
        return RUN / f"{self.name}.pid"


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)


# After its drain the media process says goodbye, writes the last rows and lets its server close.
AFTER_DRAIN_S = 55


def product(*, worker_processes: int = 4, media_drain_s: int = 20) -> list[Role]:
    """web, media, worker, hooks and beat, in the order in which they start; they are stopped in reverse."""
    return [
        Role("web", _python("-m", "voiceagents.serve", "web")),
        Role("media", _python("-m", "voiceagents.serve", "media"), stop_s=media_drain_s + AFTER_DRAIN_S),
        Role(
            "worker",
            _python(
                "-m", "celery", "-A", "voiceagents", "worker", "--loglevel", "INFO", "--concurrency", str(worker_processes),
                "--without-gossip", "--without-mingle",
            ),
            stop_s=45,
        ),
        Role(
            "hooks",
            _python(
                "-m", "celery", "-A", "voiceagents", "worker", "--loglevel", "INFO", "--queues", "webhooks", "--pool", "threads",
                "--concurrency", "8", "--hostname", "hooks@%h", "--without-gossip", "--without-mingle",
            ),
            stop_s=45,
        ),
        Role(
            "beat",
            _python(
                "-m", "celery", "-A", "voiceagents", "beat", "--loglevel", "WARNING",
                "--schedule", str(RUN / "beat-schedule"), "--pidfile", "",
            ),
        ),
    ]  # fmt: skip


def simulator(port: int, settings_file: Path, directory: Path) -> Role:
    command = _python("-m", "simulator", "serve", "--port", str(port), "--settings", str(settings_file), "--data", str(directory))
    return Role("simulator", command)
