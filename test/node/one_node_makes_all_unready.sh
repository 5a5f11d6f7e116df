#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# One Node that nobody understands made `status`, the readiness probe, fail on every node. Two Nodes with one pod subnet were judged
# by who had been running for how long. A pod subnet with the API server in it cut every node off from the API for good.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=api.bash
source "$(dirname "$0")/api.bash"
api_lab 3600 A 172.16.91.201 N 172.16.91.250
since() { tell put "$1" "{\"metadata\":{\"creationTimestamp\":\"$2\"}}"; }
put A 172.16.91.201 10.10.0.0/24
put N 172.16.91.250 10.10.9.0/24
put Z 172.16.91.202 10.10.1.0/24
since Z 2026-01-01T00:00:00Z
start_node A
has() { [ "$(route_line "$1" "$2")" = "$2 via $3 dev eth0 proto 169" ]; }
eventually 10 has A 10.10.1.0/24 172.16.91.202
remarked() { jq -e --arg words "$2" '.listProblems | any(.subject == "peer" and (.text | contains($words)))' "$work/$1/run/service.json"; }
# in_order WORDS: this node is, and the other one's problem is named.
in_order() {
  eventually 10 remarked A "$1"
  node A status --ready; ok "status --ready, where another node is wrong: $out"
  case $out in *"in order"*"problem elsewhere: "*"$1"*) ;; *) fail "status does not say \"$1\": $out" ;; esac
  node A status --json
  same "status --json, where another node is wrong" "$status" 3
  holds "status --json" ".inOrder and all(.problems[]; .severity == \"warning\") and (.problems | any(.text | contains(\"$1\")))" "$out"
}
condition() { tell condition A; [ "$told" = "$1" ]; }

tell put fresh '{"spec":{"podCIDR":"10.20.0.0/24","podCIDRs":["10.20.0.0/24"]}}'
in_order "Node fresh: has no address; it is left out"
tell put Z '{"metadata":{"annotations":{"onlink.io/ipip-mode":"Sometimes"}}}'
in_order "annotation onlink.io/ipip-mode: must be Always, CrossSubnet or Never"
eventually 10 condition "False OnlinkIsUp"
tell put Z '{"metadata":{"annotations":{"onlink.io/ipip-mode":null}}}'
tell delete fresh

# The younger one is to blame, on a node that knows it, and on one that starts now; then the older one comes.
put B 172.16.91.203 10.10.1.0/24
since B 2026-02-01T00:00:00Z
in_order "10.10.1.0/24 overlaps 10.10.1.0/24 of Node Z"
start_node N
eventually 20 has N 10.10.1.0/24 172.16.91.202
has A 10.10.1.0/24 172.16.91.202 || fail "A has gone over to the younger owner: $(route_line A 10.10.1.0/24)"
since B 2025-12-01T00:00:00Z
for node in A N; do eventually 10 has $node 10.10.1.0/24 172.16.91.203; done
in_order "10.10.1.0/24 overlaps 10.10.1.0/24 of Node B"
stop_node N

# What no pod subnet may be.
for subnet in 172.16.91.96/27 127.0.0.0/24 169.254.1.0/24 224.0.0.0/8; do
  put bad 172.16.91.204 $subnet
  eventually 10 remarked A "Node bad.podCIDRs[0]: $subnet "
  same "routes to $subnet" "$(route_line A $subnet)" ""
done
put bad 172.16.91.204 172.16.91.96/27
in_order "contains 172.16.91.100, the address of kubernetes"
# The other nodes are in this network: a node that would take a part of it is left out, however old it is.
put bad 172.16.91.204 172.16.91.203/32
since bad 2020-01-01T00:00:00Z
in_order "Node bad.podCIDRs[0]: 172.16.91.203/32 overlaps 172.16.91.0/24, the network of this node"
has A 10.10.1.0/24 172.16.91.203 || fail "a node in whose address it is has lost its route"
# Addresses that no other node can have, or that nothing leads to; and a tunnel that nobody else wants, and this kernel may not have.
for address in 127.0.0.1 255.255.255.255; do
  put bad $address 10.10.5.0/24
  in_order "Node bad.nodeIP: $address is not the address of a host"
done
put bad 203.0.113.7 10.10.5.0/24
elsewhere() { node A status --ready; [ "$status" = 0 ] && [[ $out == *"problem elsewhere: bad (10.10.5.0/24): $1"* ]]; }
eventually 10 elsewhere "there is no route to 203.0.113.7, and ipipMode is Never"
tell put bad '{"metadata":{"annotations":{"onlink.io/ipip-mode":"Always"}}}'
eventually 10 elsewhere "$(ipip_here && echo "there is no route to 203.0.113.7" || echo "ipipMode is Always; but this kernel has no ipip module")"
tell put bad '{"metadata":{"annotations":{"onlink.io/ipip-mode":null}}}'
put bad 172.16.91.204 172.16.91.96/27
tell drop
tell delete bad
eventually 20 eval '! remarked A "Node bad"'

# What is wrong with this very node is another matter.
put Y 172.16.91.205 10.10.0.0/24
since Y 2025-01-01T00:00:00Z
since A 2026-01-01T00:00:00Z
eventually 10 grep -q 'of Node Y ("Y"); the other nodes refuse this node.s entry' "$work/A/log"
node A status
same "status, where an older node has this node's subnet" "$status" 1
stop_node A
done_testing
