#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# The cluster file changes while it is read: whoever reads it works with one list or the other, or says that it is none;
# never with a part of one.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
with_c='.nodes += [{"name":"C","nodeIP":"172.16.91.203","podCIDRs":["10.10.2.0/24"]}]'
seed_cluster "$with_c"
applied A
routes() { ip -n A -j route show proto 169 | jq -r '[.[] | select(.gateway) | "\(.dst) via \(.gateway)"] | sort | join(", ")'; }
both="10.10.1.0/24 via 172.16.91.202, 10.10.2.0/24 via 172.16.91.203"
same "two peers" "$(routes)" "$both"

# apply_while WHICH COMMAND...: apply waits before its WHICHth read of the cluster file until the command has been done.
apply_while() {
  local command tries
  node_command A
  rm -f "$work/trace"
  # The delay is longer than the command takes; the call is in the trace when it begins.
  (exec nsenter --net=/run/netns/A strace -o "$work/trace" -P "$cluster" -e trace=read \
    -e "inject=read:delay_enter=1500000:when=$1" "${command[@]}" apply) >"$work/out" 2>&1 &
  local apply=$!
  for ((tries = 0; tries < 400; tries++)); do
    [ "$(grep -c '^read(' "$work/trace" 2>/dev/null)" -ge "$1" ] && break
    sleep 0.02
  done
  "${@:2}"
  status=0; wait "$apply" || status=$?
  out=$(cat "$work/out")
}
# Longer than one read.
padded=".nodes += [range(60) | {name: \"padding-\\(.)\", nodeIP: \"172.16.92.\\(.)\", podCIDRs: [\"10.11.\\(.).0/24\"]}]"
first="$padded | $with_c"
moved="$first"' | (.nodes[1], .nodes[-1]).nodeIP |= sub("91.20"; "91.21")'
new_both="10.10.1.0/24 via 172.16.91.212, 10.10.2.0/24 via 172.16.91.213"
first_list() { seed_cluster "$first"; }
rename_it() { seed_cluster "$moved"; }
# Of the same length, so that any half of it fits any half of the old one.
seed_cluster "$moved"; cp "$cluster" "$work/other"
write_over() { dd if="$work/other" of="$cluster" conv=notrunc status=none; }
cut_it() { truncate -s 3000 "$cluster"; }
empty_it() { : >"$cluster"; }
grow_it() { printf '{"nodes":[]}' >>"$cluster"; }
remove_it() { rm "$cluster"; }
peers() { ip -n A -j route show proto 169 | jq -r '[.[] | select(.gateway and (.dst | startswith("10.10."))) | "\(.dst) via \(.gateway)"] | sort | join(", ")'; }
# The padding's addresses are not on this host's wire.
goes() { [ "$status" = 1 ] && case $out in *"no route to 172.16.92"*) true ;; *) false ;; esac; }

for which in 1 2; do
  first_list; node A apply
  same "before" "$(peers)" "$both"
  apply_while "$which" rename_it
  goes || fail "replaced: $out"
  same "replaced before read $which" "$(peers)" "$both"
  node A apply
  same "then the new one" "$(peers)" "$new_both"
done
first_list; node A apply
apply_while 2 write_over
goes || fail "written over: $out"
same "written over between two reads" "$(peers)" "$new_both"
for harm in cut_it empty_it grow_it; do
  first_list; node A apply
  apply_while 2 "$harm"
  same "$harm: the routes" "$(peers)" "$both"
  case $out in *"is not JSON"*) checks=$((checks + 1)) ;; *) fail "$harm: $status, $out" ;; esac
done
first_list
apply_while 1 remove_it
same "removed" "$(peers)" "$both"

# A writer that takes its time, in place: the list before, until the new one is whole.
seed_cluster "$with_c"
start_node A
eventually 20 eval 'node A status --json; jq -e .running <<<"$out"'
text=$(jq -c 'del(.nodes[2]) | .nodes += [{"name":"D","nodeIP":"172.16.91.204","podCIDRs":["10.10.3.0/24"]}]' "$cluster")
: >"$cluster"
for ((at = 0; at < ${#text}; at += 40)); do
  printf %s "${text:at:40}" >>"$cluster"
  case $(routes) in "$both" | *10.10.3.0/24*) ;; *) fail "after $at bytes: $(routes)" ;; esac
  checks=$((checks + 1))
done
eventually 20 eval '[ "$(routes)" = "10.10.1.0/24 via 172.16.91.202, 10.10.3.0/24 via 172.16.91.204" ]'
stop_node A

# From a pipe, in pieces.
mkfifo "$work/pipe"
cluster_of[A]=$work/pipe
(for ((at = 0; at < ${#text}; at += 90)); do printf %s "${text:at:90}"; sleep 0.02; done >"$work/pipe") &
applied A
same "from a pipe" "$(routes)" "10.10.1.0/24 via 172.16.91.202, 10.10.3.0/24 via 172.16.91.204"
done_testing
