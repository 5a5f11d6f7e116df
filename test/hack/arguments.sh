#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every command of hack/: --help prints its usage, and a word that it does not know is named, with exit status 2, before
# anything is installed, built or run.
set -euo pipefail
# shellcheck source=../checks.bash
source "$(dirname "$0")/../checks.bash"
hack=$(cd "$(dirname "$0")/../../hack" && pwd)
run() { status=0; out=$("$@" 2>&1 </dev/null) || status=$?; }
refused() { # WORD COMMAND...: refused for that word
  run timeout 60 "${@:2}"
  checks=$((checks + 1))
  [ $status = 2 ] || fail "${*:2}: exit status $status, not 2: $out"
  [[ $(head -1 <<<"$out") == *"$1"* ]] || fail "${*:2}: does not name $1: $out"
  [[ $out == *Usage:* ]] || fail "${*:2}: no usage: $out"
}
for script in "$hack"/*; do
  [ -f "$script" ] && [ -x "$script" ] || continue
  run timeout 60 "$script" --help
  checks=$((checks + 1))
  [ $status = 0 ] && [[ $out == *"Usage: hack/${script##*/}"* ]] || fail "$script --help: exit status $status: $out"
  refused --wrong "$script" --wrong
done
for script in quickstart pods-demo cluster-demo test bench fuzz; do refused wrong "$hack/$script" wrong; done
refused --ipv6 "$hack/quickstart" --cluster --ipv6
refused --keep "$hack/quickstart" --keep --cluster
refused -R "$hack/test" -R
refused wrong "$hack/test" -L unit wrong
refused wrong "$hack/test" --unit wrong
refused wrong "$hack/test" --kubernetes wrong
refused --seconds "$hack/fuzz" --seconds soon
refused --peer "$hack/bench" --peer /wrong
refused wrong "$hack/image" file name wrong
refused m68k "$hack/image" --arch m68k
refused m68k "$hack/package" --arch m68k
refused wrong "$hack/document" wrong
refused wrong "$hack/readme" wrong
refused 11 "$hack/matrix" --releases 11
done_testing
