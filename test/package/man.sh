#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The manual pages: every verb and option of --help is in them, man(1) formats them without a warning, and the configuration in
# them is one that the program takes.
set -euo pipefail
# shellcheck source=../checks.bash
source "$(dirname "$0")/../checks.bash"
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${ONLINK_BIN:-$root/build/bin}
own_folder
has() { check grep -qF -- "$2" "$work/$1" || fail "$1(8) does not have $2"; }
for program in onlink onlink-ipam onlink-node; do
  "$root/hack/document" man "$bin/$program" >"$work/$program.8"
  sed -e 's/\\-/-/g; s/\\fB//g; s/\\fR//g; s/\\fI//g' -e "s/\\\\(aq/'/g; s/\\\\&//g; s/\\\\(ti/~/g" "$work/$program.8" >"$work/$program"
  for heading in NAME SYNOPSIS DESCRIPTION OPTIONS CONFIGURATION FILES "SEE ALSO"; do has $program ".SH $heading"; done
  helps=("$("$bin/$program" --help)")
  for verb in $("$bin/$program" --help | awk '/^(Subcommands|SUBCOMMANDS):/ { on = 1; next } on && /^  [a-z]/ { print $1 }'); do
    has $program ".SS $verb"
    helps+=("$("$bin/$program" "$verb" --help)")
  done
  for option in $(printf '%s\n' "${helps[@]}" | grep -oE -- '--[a-z][a-z-]+' | sort -u); do has $program "$option"; done
  if command -v man >/dev/null && man --version >/dev/null 2>&1; then
    checks=$((checks + 1))
    MANWIDTH=100 LC_ALL=C.UTF-8 man --warnings -l "$work/$program.8" 2>"$work/warnings" >/dev/null || true
    [ ! -s "$work/warnings" ] || fail "$program(8): $(cat "$work/warnings")"
  fi
done
for verb in list release check; do has onlink-ipam ".SS $verb"; done

# block PAGE NUMBER: an example of the page.
block() { awk -v wanted="$2" '/^\.EX/ { n++; on = 1; next } /^\.EE/ { on = 0 } on && n == wanted { print }' "$work/$1"; }
block onlink 1 >"$work/conflist"
jq -c '.plugins[0] + {cniVersion, name}' "$work/conflist" >"$work/configuration" || give_up "the conflist of onlink(8) is no JSON"
checks=$((checks + 1))
jq '.ipam += {dataDir: "'"$work"'/data", runDir: "'"$work"'/run"}' "$work/configuration" |
  CNI_CONTAINERID=x CNI_NETNS=/proc/self/ns/net CNI_IFNAME=eth0 CNI_PATH=$bin "$bin/onlink" --explain >"$work/explained" 2>"$work/errors" ||
  grep -q 'own' "$work/errors" || fail "onlink does not take the configuration of its page: $(cat "$work/errors")"
block onlink-node 1 >"$work/cluster.json"
checks=$((checks + 1))
"$bin/onlink-node" -c "$work/cluster.json" -n A --run-dir "$work/run" --state-dir "$work/state" plan >"$work/plan" 2>"$work/errors" || true
! grep -q cluster.json "$work/errors" || fail "onlink-node does not take the file of its page: $(cat "$work/errors")"
done_testing
