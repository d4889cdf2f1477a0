#!/usr/bin/env bash
# Looks for what the tests need and installs what is missing, in one call of apt, where it may; elsewhere it says what is missing.
#   setup.sh [release]    release: what the test of the packages needs too
set -euo pipefail
missing=()
need() { # need COMMAND PACKAGE
  command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}
need gcc gcc # the race detector's runtime is linked by it
need sqlite3 sqlite3
need chromium chromium
need promtool prometheus
need zsh zsh
need fish fish
need python3 python3
python3 -c 'import ensurepip' >/dev/null 2>&1 || missing+=(python3-venv)
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need initdb postgresql
if [ "${1:-}" = release ]; then
  need make make
  need systemd-analyze systemd
  need adduser adduser
fi
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive exec apt-get install -y -q --no-install-recommends "${missing[@]}"
fi
echo "the tests need these Debian packages: ${missing[*]}" >&2
echo "install them:  sudo apt-get install ${missing[*]}" >&2
exit 1
