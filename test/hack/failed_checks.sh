#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The checks of the bash suites (test/checks.bash): one that fails is told, does not hide the next ones, and fails the test; one
# that is only tried, in a subshell, does neither; after ten, or where nothing makes sense any more, the test ends.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=0
# Not what it judges.
fail() { echo "FAILED: $*" >&2; exit 1; }
# run STATUS LINE...: a test of these lines ends so; its words are in $work/told.
run() {
  local status=0
  printf '%s\n' ". '$root/test/checks.bash'" "${@:2}" >"$work/test.sh"
  bash "$work/test.sh" >"$work/told" 2>&1 || status=$?
  checks=$((checks + 1))
  [ "$status" = "$1" ] || fail "exit status $status, not $1: $(cat "$work/told")"
}
has() { checks=$((checks + 1)); grep -qF -- "$1" "$work/told" || fail "not told: $1: $(cat "$work/told")"; }
has_not() { checks=$((checks + 1)); ! grep -qF -- "$1" "$work/told" || fail "told: $1: $(cat "$work/told")"; }

run 0 'same one 1 1' done_testing; has "1 checks passed"
run 1 'same first 1 2' 'same second 1 1' 'same third 3 4' done_testing
has "first: expected"; has "third: expected"; has "2 of 3 checks failed"
run 0 'if (same tried 1 2) 2>/dev/null; then same impossible 1 2; fi' 'same one 1 1' done_testing; has "1 checks passed"
run 1 'for i in $(seq 100); do same "check $i" 1 2; done' done_testing; has "check 10: expected"; has_not "check 11"
run 1 'give_up "no machine"' 'same never 1 2' done_testing; has "no machine"; has_not never
echo "failed_checks.sh: $checks checks passed"
