# SPDX-License-Identifier: Apache-2.0
# Sourced by the bash suites: what a check is, and what becomes of the test when one fails. A script ends with done_testing.

checks=0 failures=0 most_failures=10
# fail WHAT: a check that failed does not hide the next ones, up to $most_failures. In a subshell it ends only the subshell, and the
# caller judges: so a check can be tried (eventually).
fail() {
  echo "FAILED $(basename "$0") (${FUNCNAME[2]:-} line ${BASH_LINENO[1]:-}): $*" >&2
  failures=$((failures + 1))
  [ "$BASH_SUBSHELL" = 0 ] && [ "$failures" -lt "$most_failures" ] || exit 1
}
# give_up WHAT: without it nothing that follows makes sense.
give_up() { fail "$@"; exit 1; }
# check COMMAND [ARGUMENT...]: counts, and gives what the command gives.
check() { checks=$((checks + 1)); "$@"; }
# same WHAT ACTUAL EXPECTED
same() {
  checks=$((checks + 1))
  [ "$2" = "$3" ] && return
  fail "$1: expected (-), but it is (+):
$(diff -U0 <(sed 's/},{/},\n{/g' <<<"$3") <(sed 's/},{/},\n{/g' <<<"$2") | tail -n +3)"
}
# holds WHAT JQ-PROGRAM JSON: the program gives true.
holds() { checks=$((checks + 1)); [ "$(jq -r "$2" <<<"$3")" = true ] || fail "$1: not so: $2: $3"; }
# succeeds WHAT COMMAND...: without it nothing that follows makes sense. What it printed is in $work/out.
succeeds() { checks=$((checks + 1)); "${@:2}" >"$work/out" 2>&1 || give_up "$1: $(cat "$work/out")"; }
done_testing() {
  [ "$failures" = 0 ] || { echo "$(basename "$0"): $failures of $checks checks failed" >&2; exit 1; }
  echo "$(basename "$0"): $checks checks passed"
}

# own_folder: $work, which goes when the script ends.
own_folder() {
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' HUP INT TERM
}
