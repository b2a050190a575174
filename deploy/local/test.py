"""`make test`: the whole suite with a browser. Arguments go to pytest."""

import os
import subprocess
import sys

from deploy.local import chromium
from deploy.local.places import ROOT


def main() -> int:
    browser = chromium.ensure()
    if browser is None:
        if os.environ.get("CI") == "true":
            print("No Chromium could be found or installed, and with CI=true the browser tests must run.", file=sys.stderr)
            return 1
        print("No Chromium could be found or installed: the browser tests will be skipped.", file=sys.stderr)
    # What was compiled is kept, even where Python is told not to: rewriting the assertions of all tests takes 12 s in each process.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"CHROMIUM": browser} if browser else {}
    # Two processes a core, up to four: each brings its own Postgres and Valkey, and most tests wait rather than compute.
    parallel = (
        []
        if any(argument.startswith("-n") for argument in sys.argv[1:])
        else ["-n", str(min(4, 2 * (os.cpu_count() or 1))), "--dist", "worksteal"]
    )
    return subprocess.run([sys.executable, "-m", "pytest", *parallel, *sys.argv[1:]], cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
