#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# hack/lib.bash: what at_exit was told is undone once, last one first, however a script ends; also in a subshell, in a
# nested script, and when the signal reaches all processes of the terminal at once.
set -euo pipefail
# shellcheck source=../checks.bash
source "$(dirname "$0")/../checks.bash"
lib=$(cd "$(dirname "$0")/../../hack" && pwd)/lib.bash
own_folder
script() { printf '#!/usr/bin/env bash\nset -euo pipefail\n. "%s"\nsaid() { echo "$@" >>"%s/said"; }\n%s\n' "$lib" "$work" "$2" >"$work/$1"; }
# ended COMMAND...: its exit status, and what it has undone, in one line.
ended() { local status=0; rm -f "$work/said"; "$@" >/dev/null 2>&1 || status=$?; echo "$status $(xargs <"$work/said")"; }

script ends 'at_exit said first; at_exit said "two  words"; true'
same "the end" "$(ended bash "$work/ends")" "0 two words first"
script fails 'at_exit said undone; false; said not reached'
same "a failure" "$(ended bash "$work/fails")" "1 undone"
script dies 'at_exit said undone; at_exit false; die of it'
same "die, and a step of undoing that fails" "$(ended bash "$work/dies")" "1 undone"
script subshell 'at_exit said outer; (at_exit said inner; true); x=$(at_exit said substitution)'
same "subshells" "$(ended bash "$work/subshell")" "0 inner substitution outer"

# In a group of processes of its own, as a terminal has it; the signal comes when all are waiting.
interrupt() { # SIGNAL SCRIPT
  rm -f "$work/said" "$work/ready"
  mkfifo "$work/ready"
  set -m
  env --default-signal=HUP,INT,QUIT,TERM bash "$work/$2" >/dev/null 2>&1 &
  set +m
  read -r _ <"$work/ready"
  kill -s "$1" -- "-$!"
  status=0; wait $! || status=$?
  echo "$status $(xargs <"$work/said")"
}
script waits "at_exit said outer; bash '$work/nested'; said not reached"
script nested "at_exit said inner; sh -c 'echo; exec sleep 60' >'$work/ready'"
for signal in HUP:129 INT:130 QUIT:131 TERM:143; do
  same "$signal" "$(interrupt "${signal%:*}" waits)" "${signal#*:} inner outer"
done
done_testing
