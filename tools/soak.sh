#!/usr/bin/env bash
# The long run before a release or the end of a large change: the race detector everywhere, a thousand kills, another order of tests each
# time, the code for processors that have no assembly, real builds for other systems, live clients, and a release that comes out the same
# twice. It takes some hours.
#   soak.sh [part...]    the parts, in this order: tests purego builds release; no part: all of them
set -euo pipefail
cd "$(dirname "$0")/.."
./tools/setup.sh release
private=$(mktemp -d)
trap 'chmod -R u+w "$private"; rm -rf "$private"' EXIT
trap 'exit 130' INT TERM
export CGO_ENABLED=0 TIDEMILL_SOAK=1 timeout=${timeout:-3h}

tests() { # with Triton's own client, which is no choice here
  python3 -m venv "$private/venv"
  "$private/venv/bin/pip" install -q 'tritonclient[http]'
  TIDEMILL_TRITON_PYTHON=$private/venv/bin/python ./tools/test.sh
}

purego() { # what processors get that the assembly is not for
  go vet -tags purego ./matrix/ ./encode/ ./model/ ./feature/ ./score/
  go test -tags purego -vet=off -shuffle=on ./matrix/ ./encode/ ./feature/ ./model/ ./score/ ./expr/ ./engine/ -skip '^TestKill'
  go test -tags purego -vet=off -run '^TestConformance$' ./cmd/tidemill/
}

builds() {
  for target in linux/arm64 darwin/arm64 windows/amd64; do
    GOOS=${target%/*} GOARCH=${target#*/} go build -trimpath -o "$private/" ./...
  done
}

release() { # two times, from two folders and with two caches: the same bytes
  for copy in one two; do
    git clone -q . "$private/$copy"
    (cd "$private/$copy" && GOCACHE=$private/cache-$copy go run ./tools/release -out "$private/dist-$copy")
  done
  diff -r "$private/dist-one" "$private/dist-two"
  [ "$(id -u)" != 0 ] || go test -vet=off -tags release -timeout 30m ./tools/release/
}

[ $# -gt 0 ] || set -- tests purego builds release
for part in "$@"; do
  began=$SECONDS
  echo "== $part"
  "$part"
  echo "== $part: $((SECONDS - began)) s"
done
