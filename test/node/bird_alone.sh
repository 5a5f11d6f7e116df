#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: guests with --all
# conf/bird: stock BIRD owns the tunnel routes, no daemon of ours runs. The seed's last line appears, pods talk over it.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=bgp.bash
source "$(dirname "$0")/bgp.bash"
# BIRD speaks from the host's own namespace, each in its own folder.
bird_on() { # HOST NODE-IP POD-CIDR PEER PEER-IP
  sed -e "s/172\.16\.91\.202/PEER/g; s/172\.16\.91\.201/$2/g; s/PEER/$5/g; s#^define pod_cidr = .*#define pod_cidr = $3;#; s/protocol bgp B/protocol bgp $4/" \
    "$root/conf/bird/bird.conf" >"$work/$1/bird.conf"
  start_bird "$1" -R
}

seed_hosts
for each in A:10.10.0.1 B:10.10.1.1; do
  ip -n "${each%:*}" addr add "${each#*:}/32" dev tunl0
  ip -n "${each%:*}" link set tunl0 mtu 1480 up
  on "${each%:*}" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
done
pod_mtu=1480
seed_pods
bird_on A 172.16.91.201 10.10.0.0/24 B 172.16.91.202
bird_on B 172.16.91.202 10.10.1.0/24 A 172.16.91.201

there() { [ "$(route_line A 10.10.1.0/24)" = "10.10.1.0/24 via 172.16.91.202 dev tunl0 proto bird onlink" ] && route_line B 10.10.0.0/24 | grep -q tunl0; }
eventually 40 there
same "the seed's line" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.202 dev tunl0 proto bird onlink"
count_packets A eth0 'ip proto 4' all_pods_talk
[ "$seen" -gt 32 ] || fail "only $seen packets of protocol 4"
cut_off netns01 10.10.0.77
holds "a pod's own route is not BIRD's" '.[0].protocol == "169"' "$(ip -n A -j route show 10.10.0.2)"

# BIRD dies and comes back: its routes stay (persist), the peer keeps them (graceful restart), pods go on talking.
dies() {
  end_bird A KILL
  start_bird A -R
  eventually 40 eval 'ask_bird A show protocols B | grep -q Established'
  eventually 40 recovered A
}
lossless netns01 10.10.1.2 dies
reaches netns03 10.10.0.2
same "the seed's line, still" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.202 dev tunl0 proto bird onlink"
echo "bird_alone.sh: $pinged pings, none lost"
done_testing
