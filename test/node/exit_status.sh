#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# `status` and `plan` said with one and the same exit status that this node is broken and that another one is.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
seed_cluster
applied A
says() { # STATUS VERB...
  node A "${@:2}"
  same "exit status of ${*:2}" "$status" "$1"
}
says 0 status
says 0 plan
says 2 status --no-such-option
says 2 no-such-verb
says 2
says 0 --help

# Another node that is not there: it is only that one's.
ip -n B link set eth0 down
ip -n A neigh flush dev eth0
unreachable() { ! on A ping -q -c1 -W1 172.16.91.202 || return 1; node A status; [ "$status" = 3 ]; }
eventually 10 unreachable
says 3 status
says 0 status --ready
says 3 plan
says 3 status --json
holds "a dead peer" '.inOrder and (.problems | length == 1 and (.[0] |
  .kind == "peer-unreachable" and .severity == "warning" and .subject == "peer" and .peer == "B"))' "$out"
# Also under traffic to it: the kernel asks again and again, and only the first tenth of a second tells nothing.
on A ping -q -i 0.2 172.16.91.202 >/dev/null 2>&1 &
pinging=$!
told=0
for ((i = 0; i < 15; i++)); do sleep 0.3; node A status; [ "$status" != 3 ] || told=$((told + 1)); done
[ "$told" -ge 12 ] || fail "the dead peer was told $told times of 15"
kill "$pinging"
ip -n B link set eth0 up
eventually 10 reaches A 172.16.91.202

# What keeps the packets here is this node's, though only one peer suffers.
ip -n A route del 10.10.1.0/24
says 1 status
says 0 plan # it would mend it
ip -n A route add 10.10.1.0/24 via 172.16.91.202 proto 99
says 1 status
says 1 status --ready
says 1 plan
node A status --json
holds "a route of somebody else" '(.inOrder | not) and any(.problems[]; .kind == "route-held" and .severity == "error" and .subject == "node")' "$out"
done_testing
