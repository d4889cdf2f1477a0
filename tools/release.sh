#!/usr/bin/env bash
# Builds binaries, packages, SBOMs and checksums of the last commit into dist/; tools/release says more.
set -euo pipefail
cd "$(dirname "$0")/.."
exec go run ./tools/release "$@"
