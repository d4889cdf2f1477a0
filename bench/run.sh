#!/usr/bin/env bash
# Measures Tidemill beside its peers: bench/run.sh [-n runs] [-rows n] [-ours] [-only side] [row...]; without a row, all.
# Peers and binaries go to TIDEMILL_BENCH_CACHE (default: the user's cache folder), never into the repository.
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
export TIDEMILL_BENCH_REPO=$repo TIDEMILL_BENCH_CACHE=${TIDEMILL_BENCH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemill-bench}
export CGO_ENABLED=0
cache=$TIDEMILL_BENCH_CACHE
mkdir -p "$cache/bin"
(cd "$repo" && go build -trimpath -ldflags "-s -w" -o "$cache/bin/tidemill" ./cmd/tidemill && go build -o "$cache/bin/bench" ./bench)

ours=
for a in "$@"; do [ "$a" = -ours ] && ours=1; done
if [ -z "$ours" ]; then
  if [ ! -e "$cache/venv/.ready" ]; then
    python3 -m venv "$cache/venv"
    "$cache/venv/bin/pip" install -q -r "$repo/bench/peers/requirements.txt"
    touch "$cache/venv/.ready"
  fi
  if [ ! -e "$cache/jars/.ready" ]; then
    mvn -q -B -f "$repo/bench/peers/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/jars"
    touch "$cache/jars/.ready"
  fi
  if [ ! -e "$cache/moa/.ready" ]; then
    mvn -q -B -f "$repo/bench/peers/moa/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/moa"
    touch "$cache/moa/.ready"
  fi
fi
exec "$cache/bin/bench" "$@"
