#!/usr/bin/env bash
# Runs every test. Servers are started by the tests themselves, on free ports, and stopped again; this script only makes
# sure that their binaries are there: installed with apt as root, named otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || missing+=(postgresql)
command -v chromium >/dev/null 2>&1 || missing+=(chromium)
command -v promtool >/dev/null 2>&1 || missing+=(prometheus)
command -v sqlite3 >/dev/null 2>&1 || missing+=(sqlite3)
for shell in zsh fish; do command -v "$shell" >/dev/null 2>&1 || missing+=("$shell"); done
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
  else
    echo "the tests need these Debian packages: ${missing[*]}" >&2
    echo "install them:  sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
fi

race=()
if command -v gcc >/dev/null 2>&1 && [ "$(go env GOARCH)" = amd64 ]; then
  export CGO_ENABLED=1 # the race detector's runtime needs it; the product is built without
  race=(-race)
else
  echo "no C compiler: the tests run without the race detector" >&2
fi
go build "${race[@]}" ./... # -p below is also how many compilers run at once
# One package after the other: many crowd a server, kill processes or watch memory, and need the machine for that.
exec go test "${race[@]}" -timeout 40m -p 1 ./... "$@"
