"""The only reader of the process environment. Every value is typed, and a nonsensical one stops the start with one line.

Order: the process environment, then `.env` in the project's root, then what the embedded services wrote for this checkout
(`.local/run/environment`), so that `manage.py` works beside a running demo without any export. `NAME_FILE` may name a file
that holds the value (Docker and Kubernetes secrets).
"""

import os
import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
_REMARK = re.compile(r"\s#")


class EnvironmentProblem(SystemExit):
    """A variable is missing or makes no sense. The message is one line that says which, why, and what to write instead."""


def read_file(path: Path) -> dict[str, str]:
    """Reads `NAME=value` lines; blank lines, comments and a leading `export` are skipped, matching quotes are taken off."""
    values: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return values
    except OSError as error:
        raise EnvironmentProblem(f"{path} cannot be read ({error.strerror}). Fix its permissions or remove it.") from error
    for line in lines:
        line = line.strip().removeprefix("export ").strip()
        if not line or line.startswith("#") or "=" not in line:
            continue
        name, _, given = line.partition("=")
        name, value = name.strip(), given.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        else:
            # An empty value with a remark behind it stays empty: the words of `.env.example` must never pass for a secret.
            value = _REMARK.split(given, maxsplit=1)[0].strip()
        values[name] = value
    return values


class Environment:
    """Typed readers over one mapping of names to values."""

    def __init__(self, *sources: Mapping[str, str]) -> None:
        self._sources = sources

    def raw(self, name: str) -> str | None:
        """The value as text, or None if nobody set it. An empty value counts as not set."""
        for source in self._sources:
            if value := source.get(name, "").strip():
                return value
            if path := source.get(f"{name}_FILE", "").strip():
                try:
                    return Path(path).read_text(encoding="utf-8").strip()
                except OSError as error:
                    raise EnvironmentProblem(f"{name}_FILE names {path}, which cannot be read ({error.strerror}).") from error
        return None

    def text(self, name: str, default: str = "") -> str:
        value = self.raw(name)
        return default if value is None else value

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        value = self.raw(name)
        if value is None:
            return default
        try:
            number = int(value)
        except ValueError:
            raise EnvironmentProblem(f"{name}={value!r} is not a whole number. Write one from {low} to {high}.") from None
        if not low <= number <= high:
            raise EnvironmentProblem(f"{name}={number} is out of range. Write a number from {low} to {high}.")
        return number

    def port(self, name: str, default: int) -> int:
        return self.integer(name, default, low=1, high=65535)

    def boolean(self, name: str, default: bool) -> bool:
        value = self.raw(name)
        if value is None:
            return default
        if value.lower() in {"1", "true", "yes", "on"}:
            return True
        if value.lower() in {"0", "false", "no", "off"}:
            return False
        raise EnvironmentProblem(f"{name}={value!r} is neither yes nor no. Write true or false.")

    def words(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A comma-separated list."""
        value = self.raw(name)
        return default if value is None else tuple(word.strip() for word in value.split(",") if word.strip())

    def networks(self, name: str) -> tuple[str, ...]:
        """A comma-separated list of networks such as 10.0.0.0/8, or single addresses."""
        for word in self.words(name):
            try:
                ip_network(word, strict=False)
            except ValueError:
                raise EnvironmentProblem(f"{name} holds {word!r}, which is not a network. Write for example 10.20.0.0/16.") from None
        return self.words(name)

    def keys(self, name: str) -> dict[str, str]:
        """A comma-separated list of `id:64 hex digits`, oldest first. A key never shows in a message."""
        found: dict[str, str] = {}
        for place, word in enumerate(self.words(name), 1):
            key_id, _, key = word.partition(":")
            if not re.fullmatch(r"[a-z0-9-]{1,24}", key_id) or not re.fullmatch(r"[0-9a-fA-F]{64}", key) or key_id in found:
                advice = "Write a new id, a colon and 64 hex digits (make them with: openssl rand -hex 32)."
                raise EnvironmentProblem(f"{name}: key number {place} cannot be used. {advice}")
            found[key_id] = key
        return found

    def url(self, name: str, default: str, *, schemes: tuple[str, ...]) -> str:
        """An absolute URL without a trailing slash."""
        value = self.raw(name)
        if value is None:
            return default
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError as error:
            raise EnvironmentProblem(f"{name}={redact(value)} is not a URL ({error}).") from None
        if parts.scheme not in schemes or (not parts.hostname and parts.scheme not in {"unix"}):
            wanted = " or ".join(f"{scheme}://" for scheme in schemes)
            raise EnvironmentProblem(f"{name}={redact(value)} is not usable: it must start with {wanted} and name a host.")
        return value.rstrip("/")


def redact(url: str) -> str:
    """A URL that is safe to print: the password is taken out."""
    before, at, after = url.rpartition("@")
    if not at:
        return url
    head, colon, _ = before.rpartition(":")
    return f"{head}:***@{after}" if colon and "//" in head else f"***@{after}"


def load() -> Environment:
    """The environment of this process. `ENV_FILES=none` leaves the files out: for tests and the demo, which must not meet real keys."""
    if os.environ.get("ENV_FILES") == "none":
        return Environment(os.environ)
    return Environment(os.environ, read_file(ROOT / ".env"), read_file(ROOT / ".local" / "run" / "environment"))
