#!/bin/sh
# Resolves every requirements/*.in into its locked file, for all platforms from Python 3.11 on, with hashes and without naming an index.
set -eu
cd "$(dirname "$0")/../.."
.venv/bin/python -m venv .local/lock-venv
.local/lock-venv/bin/python -m pip install -qq uv
lock() { .local/lock-venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet "$@"; }
lock requirements/product.in -o requirements.txt
lock requirements/local.in -o requirements/local.txt
lock --no-deps requirements/models.in -o requirements/models.txt
lock requirements/dev.in -o requirements/dev.txt
# docopt has no wheel and only serves a command line that nobody calls.
lock --no-emit-package docopt bench/peers/requirements.in -o bench/peers/requirements.txt
