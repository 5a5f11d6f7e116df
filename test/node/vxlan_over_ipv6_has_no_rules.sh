#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Where nodes have IPv6 addresses only, the set of what may come out of VXLAN has pairs of IPv6 addresses, the longest elements
# that there are: twelve of them made a message too large, and the node had no rules at all. Whatever the number of nodes.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
needs_vxlan
wire lan
host A && plug A eth0 lan 2001:db8:91::201/64
for count in 1 5 6 9 10 11 12 13 50; do
  jq -n --argjson n "$count" '{vxlanMode: "Always", filter: true, masquerade: true, nodes: ([{name: "A", nodeIPv6: "2001:db8:91::201",
    podCIDRs: ["10.10.0.0/24", "fd00:10::/64"]}] + [range(1; $n + 1) | {name: "n\(.)", nodeIPv6: "2001:db8:91::\(.)",
    podCIDRs: ["10.10.\(.).0/24", "fd00:10:\(.)::/64"]}])}' >"$cluster"
  node A clean && applied A
  elements() { on A nft -j list set inet onlink "$1" | jq '[.nftables[] | .set? // empty | .elem[]?] | length'; }
  # Of each node its own address and its pods, with the end of its tunnel among them.
  same "$count nodes: IPv6 inside" "$(elements vxlan_inner_v6)" $((2 * count))
  same "$count nodes: IPv4 inside" "$(elements vxlan_inner_v4)" "$count"
  same "$count nodes: senders" "$(elements vxlan_sources)" "$count"
done
done_testing
