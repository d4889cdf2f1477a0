#!/usr/bin/env bash
# Checks and tests everything but the packages for release, what fails soonest first. Servers are started by the tests themselves,
# and stopped again; what else they need is installed with apt as root, and named otherwise.
#   test.sh [stage...]    the stages, in this order: format types vet flows pure servers; no stage: all of them
# TIDEMILL_SOAK=1 (make soak): the race detector everywhere, in another order each time, with the tests that take long.
set -euo pipefail
cd "$(dirname "$0")/.."
./tools/setup.sh

# All that is built here is built as the program for release is, but for the race detector: it is compiled once.
export CGO_ENABLED=0 GOFLAGS=-trimpath
scratch=$(mktemp -d "${TMPDIR:-/tmp}/tidemill.XXXXXX")
chmod 711 "$scratch" # PostgreSQL's account goes through; nobody else lists or writes
export TMPDIR=$scratch
lanes=()
tidy() {
  for lane in "${lanes[@]}"; do kill -- "-$lane" 2>/dev/null || true; done
  chmod -R u+w "$scratch" && rm -rf "$scratch"
}
trap tidy EXIT
trap 'exit 130' INT TERM

# Packages and tests where no goroutines meet that the race detector could watch, or where it takes six times as long and more.
unraced='^github.com/tidemill/tidemill/(encode|expr|feature|matrix|model|score|statebytes|durable|terminal|examples/.*|tools/typecheck)$'
long='^(TestConformance|TestExactlyOnce)$'
if command -v gcc >/dev/null 2>&1 && [ "$(go env GOARCH)" = amd64 ]; then
  race=(env CGO_ENABLED=1 go test -race) # the race detector's runtime needs it; the product is built without
  compile=(env CGO_ENABLED=1 go list -race -test -export -f '')
else
  echo "no C compiler: the tests run without the race detector" >&2
  race=(go test)
  compile=(go list -test -export -f '')
fi
test=(go test)
order=()
if [ -n "${TIDEMILL_SOAK:-}" ]; then
  test=("${race[@]}")
  order=(-shuffle=on)
fi

format() {
  local files
  files=$(gofmt -l .)
  if [ -n "$files" ]; then
    printf 'gofmt -w these files:\n%s\n' "$files" >&2
    return 1
  fi
}

types() { # the measurements beside the peers run on Linux alone
  go run ./tools/typecheck -skip github.com/tidemill/tidemill/bench linux/arm64 darwin/arm64 windows/amd64
}

vet() { # all of it, once: what `go test` would do of it again is left out below
  go vet ./...
  go vet -tags release ./tools/release/
}

flows() { # the meanings of flows, line by line
  go test -vet=off -short -timeout 8m -run '^TestFlows$' ./engine/
}

program() { # the program, once for all tests that start it
  go build -trimpath -ldflags "-s -w" -o "$scratch/tidemill" ./cmd/tidemill
  export TIDEMILL_TEST_BINARY=$scratch/tidemill
}

pure() {
  local list
  list=$(go list ./... | grep -E "$unraced")
  nice "${test[@]}" -vet=off -timeout "${timeout:-8m}" "${order[@]}" $list
  nice "${test[@]}" -vet=off -timeout "${timeout:-8m}" "${order[@]}" -run "$long" ./cmd/tidemill/ ./connector/file/
}

servers() {
  local list
  list=$(go list ./... | grep -vE "$unraced")
  "${compile[@]}" $list >/dev/null # by all cores: -p below is also how many compilers run at once
  # One package after the other: many crowd a server, kill processes or watch memory, and need the machine for that.
  "${race[@]}" -vet=off -timeout "${timeout:-8m}" "${order[@]}" -p 1 -skip "$long" $list
}

# processor sets used to what this shell's processes have used of the processors, in seconds.
processor() {
  local stat=()
  read -ra stat 2>/dev/null <"/proc/$BASHPID/stat" || true
  used=$(((${stat[15]:-0} + ${stat[16]:-0}) / 100))
}

stage() {
  local began=$SECONDS used before
  processor
  before=$used
  echo "== $1"
  "$1"
  processor
  echo "== $1: $((SECONDS - began)) s, $((used - before)) s of processors"
}

# both runs pure in the background, beside servers; the first of them that fails ends the other.
both() {
  local began=$SECONDS code=0 ended pure
  echo "== pure and servers"
  set -m # each lane is a group of processes
  stage pure >"$scratch/pure" 2>&1 </dev/null &
  pure=$!
  lanes=("$pure")
  stage servers </dev/null &
  lanes+=($!)
  set +m
  wait -n -p ended "${lanes[@]}" || code=$?
  [ "$ended" != "$pure" ] || cat "$scratch/pure"
  [ "$code" = 0 ] || return "$code"
  [ "$ended" = "$pure" ] && lanes=("${lanes[1]}") || lanes=("$pure")
  wait "${lanes[0]}" || code=$?
  [ "${lanes[0]}" != "$pure" ] || cat "$scratch/pure"
  lanes=()
  [ "$code" = 0 ] || return "$code"
  echo "== pure and servers: $((SECONDS - began)) s"
}

if [ $# -gt 0 ]; then
  for name in "$@"; do
    case $name in pure | servers) program ;; esac
    stage "$name"
  done
  exit
fi
for name in format types vet flows program; do stage "$name"; done
both
