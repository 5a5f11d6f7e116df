#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# The wall clock jumps by years, forwards and backwards, under a running service: it goes on mending, resyncing and
# following its list, at the same pace, and status answers.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

# Everything in the process reads it from here, the sanitizers' runtime besides.
export CLOCK_JUMP=$work/jump LD_PRELOAD=$bin/fault/clock_jump.so ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0
jump() { echo "$1" >"$CLOCK_JUMP.new"; mv "$CLOCK_JUMP.new" "$CLOCK_JUMP"; }
year=31557600
jump 0
seed_hosts
seed_cluster '.resyncSeconds = 1'
start_node A
route=10.10.1.0/24
eventually 20 eval '[ -n "$(route_line A $route)" ]'

# Forwarding that somebody switches off tells nobody: only a resync finds it.
resyncs() {
  on A sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
  eventually 20 eval '[ "$(on A cat /proc/sys/net/ipv4/ip_forward)" = 1 ]'
}
mends() {
  ip -n A route del $route
  eventually 20 eval '[ -n "$(route_line A $route)" ]'
}
follows() { # the number of this change
  seed_cluster '.resyncSeconds = 1' ".nodes += [{\"name\":\"C\",\"nodeIP\":\"172.16.91.203\",\"podCIDRs\":[\"10.10.$1.0/24\"]}]"
  eventually 20 eval "[ -n \"\$(route_line A 10.10.$1.0/24)\" ]"
}
passes() { node A status --json; ok "status at $1"; jq .service.passes <<<"$out"; }

change=2
for offset in $((10 * year)) $((-30 * year)) $((-56 * year)) $((7000 * year)) 0; do
  jump "$offset"
  change=$((change + 1))
  resyncs
  mends
  follows "$change"
  node A status --json; ok "status $offset seconds off"
  holds "status $offset seconds off" '.running and .inOrder and (.peers | length) == 2 and all(.peers[]; .state == "ok")' "$out"
  node A status; ok "status in text, $offset seconds off"
done
# What took the place of the path of long ago is of the present again.
eventually 20 eval 'node A status --json; [ "$(jq -r ".peers[1].since[0:4]" <<<"$out")" = "$(date -u +%Y)" ]'
# A jump is no reason to be busy: within two seconds there are a few resyncs, not hundreds.
before=$(passes start)
for offset in $year -$year 0; do jump "$offset"; sleep 0.6; done
after=$(passes end)
holds "passes meanwhile" '. < 30' "$((after - before))"
stop_node A

# One-shot, and what was written at another time.
jump $((-20 * year)); applied A
jump $((20 * year)); applied A
node A clean; ok "clean"
done_testing
