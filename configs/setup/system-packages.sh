#!/bin/sh
# Installs the Debian packages in system-packages.txt, which tests use and the product does not.
# What cannot be installed is listed; its tests are then deselected, and the test run's summary says so.
set -eu

cd "$(dirname "$0")"
. ./apt.sh

missing() {
    grep -v '^#' system-packages.txt | while read -r package command marker reason; do
        command -v "$command" >/dev/null 2>&1 || echo "$package $marker $reason"
    done
}

absent=$(missing)
[ -n "$absent" ] || exit 0

packages=$(echo "$absent" | cut -d ' ' -f 1 | tr '\n' ' ')
echo "setup: installing what some tests use: $packages"
# shellcheck disable=SC2086  # one word per package
apt_install $packages || true

absent=$(missing)
[ -n "$absent" ] || exit 0

echo "setup: not installed ($apt_refusal):" >&2
echo "$absent" | while read -r package marker reason; do
    echo "setup:   $package: $reason; tests marked '$marker' are left out" >&2
done
echo "setup: to run them too: apt-get install $(echo "$absent" | cut -d ' ' -f 1 | tr '\n' ' ')" >&2
