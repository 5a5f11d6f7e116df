#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An ADD that failed at its last step left the nftables tables that it had made; one without ipMasq that failed took those of living
# pods; and a host route of another metric lost its packets to the pod's.
. "$(dirname "$0")/lib.bash"
conf '.ipMasq = true'
ip addr add 10.10.0.2/32 dev lo
pod p1; cni ADD p1; refused 100 "10.10.0.2 does not lead to"
same "what a failed ADD leaves" "$(nft list tables)$(ip -br link show type veth)" ""
ip addr del 10.10.0.2/32 dev lo

cni ADD p1; ok "ADD p1"
before=$(nft list ruleset)
pod p2; conf '.runtimeConfig.ips = ["10.10.0.6"]'
ip addr add 10.10.0.6/32 dev lo
cni ADD p2; refused 100 "10.10.0.6 does not lead to"
same "the living pod's tables" "$(nft list ruleset)" "$before"
ip addr del 10.10.0.6/32 dev lo
cni ADD p2; ok "ADD without ipMasq"
same "its table" "$(nft list tables)" "table inet onlink_onl"

# A route to the address that another has, with another metric.
ip netns add up
ip link add up0 type veth peer name eth0 netns up
ip link set up0 up
ip -n up link set eth0 up
ip route add 10.10.0.7 dev up0 metric 32 proto bird
ip -6 addr add fd00::1/64 dev up0 nodad
ip -6 route add fd00:10::7 dev up0 metric 2048 proto bird
conf '.runtimeConfig.ips = ["10.10.0.7"]'
pod p3; cni ADD p3; refused 100 "route 10.10.0.7/32 is held by proto bird dev up0, not this attachment: left alone"
conf "$ipv6" '.runtimeConfig.ips = ["fd00:10::7"]'
cni ADD p3; refused 100 "route fd00:10::7/128 is held by proto bird dev up0"
same "where it leads" "$(ip -j route get 10.10.0.7 | jq -r '.[0].dev')" up0
conf '.runtimeConfig.ips = ["10.10.0.8"]'
ip route add 10.10.0.0/24 dev up0 metric 32 proto bird
cni ADD p3; ok "ADD under another's subnet route"
done_testing
