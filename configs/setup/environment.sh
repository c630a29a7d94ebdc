#!/bin/sh
# Makes the Python environment that everything runs in, and fetches the players of the demo's page.
#
#   environment.sh VENV SPEC     for example: environment.sh .venv .      (what the product needs)
#                                             environment.sh .venv .[dev] (and what its tests need)
#
# Needs Python 3.11 or newer (PYTHON names another than python3). Does nothing when nothing has changed.
set -eu

[ $# -eq 2 ] || { echo "usage: environment.sh VENV SPEC" >&2; exit 2; }
cd "$(dirname "$0")/../.."
venv=$1
spec=$2
python=${PYTHON:-python3}
. configs/setup/apt.sh

main() {
    check_python
    wanted=$(fingerprint)
    if ! { installed "$spec" && works; }; then
        make_venv
        install_packages
    fi
    sh configs/setup/players.sh "$venv"
}

say() {
    echo "setup: $*"
}

fail() {
    echo "setup: $*" >&2
    exit 1
}

check_python() {
    command -v "$python" >/dev/null 2>&1 ||
        fail "there is no $python; install Python 3.11 or newer (Debian: apt-get install python3 python3-venv)"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$($python --version) is too old; set PYTHON to a Python 3.11 or newer, for example: make PYTHON=python3.13 demo"
}

# What the environment is made from. It holds absolute paths, so the place it lies at counts too.
fingerprint() {
    { "$python" --version; pwd; echo "$venv"; cat pyproject.toml configs/constraints.txt; } | cksum
}

# The environment with the test tools also serves those who want the product only.
installed() {
    for had in "$1" "${1%%\[*}[dev]"; do
        [ "$(cat "$venv/.installed-$had" 2>/dev/null)" = "$wanted" ] && return 0
    done
    return 1
}

works() {
    "$venv/bin/python" -c '' 2>/dev/null && [ -x "$venv/bin/oca" ]
}

make_venv() {
    works_here=$("$venv/bin/python" -c 'import sys; print(sys.prefix)' 2>/dev/null || true)
    [ "$works_here" = "$(cd "$venv" 2>/dev/null && pwd)" ] && "$venv/bin/python" -m pip --version >/dev/null 2>&1 && return
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        say "this Python cannot make environments; installing $package"
        apt_install "$package" ||
            fail "$python cannot make environments ($apt_refusal). Run: apt-get install $package"
    fi
    say "making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv" || fail "$python -m venv $venv failed, see above"
}

install_packages() {
    say "installing Python packages into $venv (about a minute the first time)"
    # -qq keeps warnings about a machine's own pip settings away; errors are shown.
    "$venv/bin/python" -m pip --disable-pip-version-check --no-input -qq \
        install --progress-bar off -c configs/constraints.txt -e "$spec" ||
        fail "pip could not install $spec, see above"
    echo "$wanted" >"$venv/.installed-$spec"
}

main
