#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Of 500 nodes half are off: check says so of these, and finds nothing wrong with the others. What waited for the ARP of the first
# left no room for the large packets of the second, which was taken for their MTU.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
wire lan
host A && plug A eth0 lan 172.16.0.1/16
host B && plug B eth0 lan 172.16.91.202/16 # answers as the nodes that live
jq -n '{ipipMode: "Never", masquerade: false, filter: false, nodes: ([{name: "A", nodeIP: "172.16.0.1", podCIDRs: ["10.255.0.0/24"]}] +
  [range(500) | {name: "n\(.)", nodeIP: "172.16.\(10 + (. / 250 | floor)).\(. % 250 + 1)", podCIDRs: ["10.\(. / 250 | floor).\(. % 250).0/24"]}])}' >"$cluster"
for i in {1..250}; do echo "addr add 172.16.10.$i/16 dev eth0"; done | ip -n B -batch -
node A apply
node A check --json
same "exit status" "$status" 3
same "who is blamed" "$(jq -c '[.problems[] | .kind] | group_by(.) | map([.[0], length])' <<<"$out")" '[["peer-unreachable",250]]'
same "who is well" "$(jq '[.peers[] | select(.ok)] | length' <<<"$out")" 250
done_testing
