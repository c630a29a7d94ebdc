# Sourced by the other scripts here: Debian packages, where we may install them.
# Never asks for a password, never touches a machine without apt.

# apt_install PACKAGE…: install, quietly. 1: may not or cannot; apt_refusal then says why, in words.
apt_install() {
    apt_refusal=
    if ! command -v apt-get >/dev/null 2>&1; then
        apt_refusal="this machine has no apt-get"
        return 1
    fi
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        apt_refusal="not root, and sudo wants a password"
        return 1
    fi
    apt_log=$(mktemp)
    # The lists may be absent (fresh image) or out of date (404 on download): renew them and try once more.
    if _apt_try "$@" >"$apt_log" 2>&1 || { _apt update && _apt_try "$@"; } >"$apt_log" 2>&1; then
        rm -f "$apt_log"
        return 0
    fi
    apt_refusal="apt-get failed: $(grep '^E:' "$apt_log" | head -n 1)"
    rm -f "$apt_log"
    return 1
}

_apt_try() {
    _apt install -y --no-install-recommends "$@"
}

_apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@"
}
