#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# IPv6 is switched off on a pod's end, by a setting or a small MTU: its IPv4 comes back all the same, and its IPv6 when it is
# possible again, be it that something is noticed or that SIGHUP asks for it; and the host is as closed to it as before.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
dual_pod A p1
dual_pod A p2
dual_pod B p3
seed_cluster
end=$(ip -n A -j route show "${v4[p1]}" proto 169 | jq -r '.[0].dev')
of_p1() { { ip -n A route show "${v4[p1]}"; ip -n A -6 route show "${v6[p1]}"; ip -n A neigh show nud permanent dev "$end"; } | sed 's/ *$//' | sort; }
on A sh -c "echo 1 >/proc/sys/net/ipv6/conf/default/accept_ra"
all=$(of_p1)
same "two routes and two neighbours" "$(wc -l <<<"$all")" 4
as_before() { [ "$(of_p1)" = "$all" ]; }
has_ipv4() { [ "$(route_line A "${v4[p1]}")" = "${v4[p1]} dev $end proto 169 scope link" ] && ip -n A neigh show "${v4[p1]}" dev "$end" | grep -q PERMANENT; }
set_ipv6() { on A sh -c "echo $1 >/proc/sys/net/ipv6/conf/$end/disable_ipv6"; }
all_off() { on A sh -c "echo $1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"; }
start_node A
start_node B
eventually 3 reaches p1 "${v4[p3]}"

all_off 1
ip -n A route del "${v4[p1]}" proto 169
eventually 1 has_ipv4
ip -n A link set "$end" down
ip -n A link set "$end" up
eventually 1 has_ipv4
reaches p1 "${v4[p3]}"
# The others of the same end do not wait either; and all that is tried again is told once, by status too.
sleep 2
same "told once" "$(grep -c "add address fe80::.*$end" "$work/A/log")" 1
node A status --json
holds "status" 'any(.problems[]; .kind == "pod-not-mended" and .subject == "node" and (.text | startswith("add address fe80::")))' "$out"
all_off 0
eventually 1 as_before
in_order() { node A status; [ "$status" = 0 ]; }
eventually 1 in_order
eventually 1 eval '[ -n "$(ip -n A -6 route show "${v6[p2]}")" ]'
reaches p1 "${v6[p2]}"

set_ipv6 1
sleep 0.3
set_ipv6 0
eventually 1 as_before
ip -n A link set "$end" mtu 1000
ip -n A route del "${v4[p1]}"
eventually 1 has_ipv4
ip -n A link set "$end" mtu 1500
eventually 1 as_before
# The kernel has begun anew: with its defaults the pod could make itself this host's router.
closed() { [ "$(on A sh -c "cd /proc/sys/net/ipv6/conf/$end && cat accept_ra addr_gen_mode" | xargs)" = "0 1" ]; }
eventually 1 closed
reaches p1 "${v6[p2]}"
same "no route to link-local addresses (netns.pod_fills_the_hosts_neighbours)" "$(ip -n A -6 route show fe80::/64 dev "$end")" ""

# A pod whose network has no IPv6 does not get it that way.
pod_at A netns01 10.10.0.21
single=$(ip -n A -j route show 10.10.0.21 proto 169 | jq -r '.[0].dev')
without_ipv6() { [ "$(on A sh -c "cd /proc/sys/net/ipv6/conf/$single && cat disable_ipv6 accept_ra addr_gen_mode" | xargs)" = "1 0 1" ]; }
eventually 1 without_ipv6
ip -n A link set "$single" mtu 1000
ip -n A link set "$single" mtu 1480
eventually 1 without_ipv6
sleep 2
same "no address" "$(ip -n A -6 addr show dev "$single")" ""
eventually 1 in_order
stop_node A
ip -n A link set "$single" mtu 1000
ip -n A link set "$single" mtu 1480
start_node A
eventually 2 without_ipv6
eventually 1 in_order
cut_off netns01 "fe80::ecee:eeff:feee:eeee%eth0"

# Nobody may tell, with this setting of the host; SIGHUP helps at the latest.
on A sh -c 'echo 1 >/proc/sys/net/ipv6/route/skip_notify_on_dev_down'
set_ipv6 1
set_ipv6 0
kill -HUP "${service[A]}"
eventually 1 as_before
stop_node A
stop_node B
done_testing
