#!/bin/sh
# Refreshes static/vendor (and the accessibility checker of the browser tests) from the npm packages that package.json pins. Needs npm; a machine that only runs voiceagents does not.
# The lock file keeps versions and integrity hashes, and no address of whichever registry this machine uses.
set -eu
cd "$(dirname "$0")/.."
command -v npm >/dev/null || { echo "vendor.sh: npm is not installed. Install Node.js, or keep the committed copies in static/vendor." >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp package.json "$work/"
[ -f package-lock.json ] && cp package-lock.json "$work/"
(cd "$work" && npm install --ignore-scripts --no-audit --no-fund --omit-lockfile-registry-resolved >/dev/null)
sed -i '/"resolved":/d' "$work/package-lock.json"
cp "$work/package-lock.json" package-lock.json

modules="$work/node_modules"
mkdir -p static/vendor/htmx static/vendor/inter static/vendor/uplot static/vendor/wavesurfer
cp "$modules/htmx.org/dist/htmx.min.js" "$modules/htmx.org/LICENSE" static/vendor/htmx/
cp "$modules/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2" static/vendor/inter/inter.woff2
cp "$modules/@fontsource-variable/inter/LICENSE" static/vendor/inter/
cp "$modules/wavesurfer.js/dist/wavesurfer.esm.js" "$modules/wavesurfer.js/dist/plugins/regions.esm.js" "$modules/wavesurfer.js/LICENSE" static/vendor/wavesurfer/
cp "$modules/uplot/dist/uPlot.iife.min.js" "$modules/uplot/dist/uPlot.min.css" "$modules/uplot/LICENSE" static/vendor/uplot/
chmod 644 static/vendor/*/*
# For the browser tests alone: nothing of it is served. MPL-2.0, unchanged; its head names licence and authors.
cp "$modules/axe-core/axe.min.js" tests/browser/axe.min.js
chmod 644 tests/browser/axe.min.js
ls -l static/vendor/htmx static/vendor/inter static/vendor/uplot static/vendor/wavesurfer
