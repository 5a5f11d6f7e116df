#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# IPv6 is switched off and on again on vxlan.onlink: the routes to the other nodes' IPv6 pods are back at once.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

needs_vxlan
seed_hosts
dual_pod A a1
dual_pod B b1
seed_cluster '.nodes[0].podCIDRs = ["10.10.0.0/24","fd00:10:0::/64"] | .nodes[1].podCIDRs = ["10.10.1.0/24","fd00:10:1::/64"]' '.vxlanMode = "Always"'
device() { { ip -n A -6 route show dev vxlan.onlink proto 169; ip -n A -6 neigh show dev vxlan.onlink nud permanent; ip -n A -6 addr show dev vxlan.onlink; } | sed 's/ *$//' | grep -v lft; }
start_node A
start_node B
eventually 5 eval '[ -n "$(ip -n A -6 route show fd00:10:1::/64)" ]'
eventually 3 reaches a1 "${v6[b1]}"
all=$(device)
as_before() { [ "$(device)" = "$all" ]; }
on A sh -c "echo 1 >/proc/sys/net/ipv6/conf/vxlan.onlink/accept_dad"  # as on most hosts
set_ipv6() { on A sh -c "echo $1 >/proc/sys/net/ipv6/conf/vxlan.onlink/disable_ipv6"; }
without_link_local() { device | grep -v "inet6 fe80"; }
for pause in 0 0.3 1.5; do
  set_ipv6 1
  sleep "$pause"
  set_ipv6 0
  eventually 1 eval '[ "$(without_link_local)" = "$(grep -v "inet6 fe80" <<<"$all")" ]'
  eventually 5 as_before # once the address is known to be nobody else's
done
reaches a1 "${v6[b1]}"
ip -n A link set vxlan.onlink mtu 1000
eventually 5 as_before
stop_node A
stop_node B
done_testing
