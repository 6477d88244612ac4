#!/usr/bin/env bash
# Kills restorations of 64x64 pixels with SIGKILL while they start, sample, and write a checkpoint or the
# result, resumes them, and prints a table: every result has to be the bytes of an undisturbed one, and
# no file may be left behind. The first argument is their number, 50 if there is none. Linux only.
set -euo pipefail
cd "$(dirname "$0")/.."
SPGD_TEST_KILLS=${1:-50} go test ./cmd/spgd -run '^TestKilledRestorations$' -count=1 -v -timeout 4h
