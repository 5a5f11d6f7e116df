#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel (stage 2), guests with --all
# The seed's stage 2 and stage 3: its two hosts, addresses and pods, first routed directly, then through IPIP.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
seed_cluster

# Stage 2
node A plan; ok "plan"
same "plan of stage 2" "$out" "sysctl -w net.ipv4.ip_forward=1
ip route add blackhole 10.10.0.0/24 proto 169
ip route add 10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"
same "plan changes nothing" "$(route_line A 10.10.1.0/24)" ""
seed_pods
cut_off netns01 10.10.1.2
applied A; applied B
same "stage 2 on A" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"
same "stage 2 on B" "$(route_line B 10.10.0.0/24 | grep via)" "10.10.0.0/24 via 172.16.91.201 dev eth0 proto 169"
count_packets A eth0 'ip proto 4' all_pods_talk
same "packets of protocol 4 in stage 2" "$seen" 0
node A plan
same "nothing is left to do" "$out$errors" ""
reaches netns01 172.16.91.202
cut_off netns01 10.10.0.77 # an unused address of its own host does not loop
holds "the pod's own route stays" 'length == 1' "$(ip -n A -j route show 10.10.0.2)"

if ! ipip_here; then
  echo "stages.sh: this kernel has no ipip: stage 3 is for test/kernel/run"
  done_testing
  exit 0
fi

# Stage 3, where the seed's author stopped: the commands as written there fail, with tunl0 up and addressed.
pod probe; plug probe eth0 lan 172.16.91.250/24
ip -n probe addr add 10.10.9.1/32 brd 10.10.9.1 dev tunl0; ip -n probe link set tunl0 up
for form in "" "proto bird"; do
  # shellcheck disable=SC2086
  ! ip -n probe route add 10.10.1.0/24 dev tunl0 via 172.16.91.202 $form 2>"$work/refusal" || fail "the seed's command works"
  grep -qE 'invalid gateway|unreachable' "$work/refusal" || fail "the seed's command fails otherwise: $(cat "$work/refusal")"
  checks=$((checks + 1))
done
ip -n probe route add 10.10.1.0/24 dev tunl0 via 172.16.91.202 onlink

seed_cluster '.ipipMode = "Always"'
node A plan; ok "plan"
same "plan of stage 3" "$out" "ip tunnel change tunl0 mode ipip pmtudisc
ip addr add 10.10.0.1/32 dev tunl0
ip link set tunl0 up
ip route replace 10.10.1.0/24 via 172.16.91.202 dev tunl0 proto 169 src 10.10.0.1 onlink"
applied A; applied B
same "stage 3 on A" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.202 dev tunl0 proto 169 src 10.10.0.1 onlink"
same "stage 3 on B" "$(route_line B 10.10.0.0/24 | grep via)" "10.10.0.0/24 via 172.16.91.201 dev tunl0 proto 169 src 10.10.1.1 onlink"
count_packets A eth0 'ip proto 4' all_pods_talk
[ "$seen" -gt 32 ] || fail "only $seen packets of protocol 4 (offloading makes them large) in stage 3"
count_packets A eth0 'tcp or icmp' all_pods_talk
same "bare pod packets in stage 3" "$seen" 0
reaches A 10.10.1.2 # from the host: its source is the tunnel's address
reaches netns03 10.10.0.1
holds "the device" '.[0] | .mtu == 1480 and .linkinfo.info_data.pmtudisc == true and (.flags | index("UP") != null)' "$(ip -n A -d -j link show tunl0)"
same "the MTU for new pods" "$(cat "$work/A/run/mtu")" 1480

# The edge of the MTU: 1480 goes through in one piece, one byte more is refused, by a router that says so.
reaches netns01 10.10.1.2 -M do -s 1452
cut_off netns01 10.10.1.2 -M do -s 1453

# Back to stage 2 without a gap: the route is replaced, not removed.
seed_cluster
applied A; applied B
same "stage 2 again" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"
holds "our address on tunl0 is gone" '.[0].addr_info | map(select(.local == "10.10.0.1")) == []' "$(ip -n A -j addr show tunl0)"
reaches netns01 10.10.1.2
done_testing
