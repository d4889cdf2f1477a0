#!/usr/bin/env bash
# Runs tests again and again on a machine that is busy otherwise, to find what fails by luck: packages with servers, kills, clocks or a
# browser ten times for each number of processors, the others three times, in another order each time. It prints a table, and what
# failed; its exit code says whether anything did.
#   stress.sh [package...]    no package: all of them
# RUN='regexp' takes the tests of that name only, TIMES=n runs each n times, PROCS='1 2 8' are the numbers of processors.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- ./...
export CGO_ENABLED=0
scratch=$(mktemp -d "${TMPDIR:-/tmp}/tidemill.XXXXXX")
chmod 711 "$scratch"
export TMPDIR=$scratch TIDEMILL_TEST_BINARY=$scratch/tidemill
load=()
trap 'kill "${load[@]}" 2>/dev/null || true; chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

go build -trimpath -ldflags "-s -w" -o "$scratch/tidemill" ./cmd/tidemill
for _ in 1 2; do
  while :; do :; done &
  load+=($!)
done

# Packages whose tests meet neither servers nor processes nor clocks.
steady='/(encode|expr|feature|matrix|model|score|statebytes|durable|terminal|examples/.*|tools/typecheck|tidemilltest)$'
failed=0 # tests, not runs
printf '%-34s %5s %5s %6s %8s\n' package procs times failed seconds
for package in $(go list "$@"); do
  go test -c -o "$scratch/test" "$package" >/dev/null
  [ -e "$scratch/test" ] || continue # it has no tests
  dir=$(go list -f '{{.Dir}}' "$package")
  times=10
  [[ $package =~ $steady ]] && times=3
  times=${TIMES:-$times}
  for procs in ${PROCS:-1 2 8}; do
    began=$SECONDS bad=0
    if ! (cd "$dir" && GOMAXPROCS=$procs "$scratch/test" -test.timeout 3h -test.count "$times" -test.shuffle on -test.run "${RUN:-.}") \
      >"$scratch/log" 2>&1 </dev/null; then
      bad=$(grep -c '^--- FAIL' "$scratch/log") || bad=1 # it ended without a word
      { echo "-- $package, GOMAXPROCS $procs"; tail -n 200 "$scratch/log"; } >>"$scratch/failures"
    fi
    failed=$((failed + bad))
    printf '%-34s %5d %5d %6d %8d\n' "${package#github.com/tidemill/tidemill}" "$procs" "$times" "$bad" $((SECONDS - began))
  done
  rm "$scratch/test"
done
if [ "$failed" -gt 0 ]; then
  cat "$scratch/failures"
  echo "$failed tests failed" >&2
  exit 1
fi
