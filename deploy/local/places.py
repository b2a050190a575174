"""Where the embedded services keep their files, and as whom they run."""

import hashlib
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LOCAL = ROOT / ".local"
RUN = LOCAL / "run"
LOGS = LOCAL / "log"


@dataclass(frozen=True)
class Account:
    """The unprivileged account that Postgres runs as; None for both ids means: as ourselves."""

    uid: int | None
    gid: int | None

    @property
    def popen(self) -> dict[str, object]:
        """What `subprocess.Popen` needs to become this account."""
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        if self.uid is None or self.gid is None:
            return
        os.chown(path, self.uid, self.gid)
        for parent, directories, files in os.walk(path):
            for name in (*directories, *files):
                os.lchown(Path(parent) / name, self.uid, self.gid)


def service_account() -> Account:
    """Postgres refuses to run as root, so root lends it `nobody`; everybody else runs it as themselves."""
    if os.geteuid() != 0:
        return Account(None, None)
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_uid, entry.pw_gid)


def can_reach(path: Path, account: Account) -> bool:
    """Whether `account` may pass every directory down to `path` (which need not exist yet)."""
    if account.uid is None:
        return True
    existing = [parent for parent in (path, *path.parents) if parent.exists()]
    return all(stat.S_IMODE(parent.stat().st_mode) & stat.S_IXOTH or parent.stat().st_uid == account.uid for parent in existing)


def service_directory(name: str, account: Account) -> Path:
    """`.local/<name>`, or a place that the service account can reach where it cannot reach the checkout. Says so."""
    wanted = LOCAL / name
    if can_reach(wanted, account):
        wanted.mkdir(parents=True, exist_ok=True)
        return wanted
    checkout = hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
    other = Path("/var/lib/voiceagents") / checkout / name
    other.mkdir(parents=True, exist_ok=True)
    print(f"{name}: the account 'nobody' cannot reach {ROOT}, so its files are in {other}.")
    return other


def free_mb(path: Path) -> int:
    return shutil.disk_usage(path).free // (1024 * 1024)
