#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What ADD could know beforehand was refused only after it had taken an address; and refusals that named another culprit, or none.
. "$(dirname "$0")/lib.bash"
pod p1
untouched() { # CODE TEXT: refused, and nothing is there that was not
  refused "$1" "$2"
  same "nothing is touched ($2)" "$(find /var/lib/cni -type f 2>/dev/null)$(ip -br link show type veth)$(cat /proc/sys/net/ipv4/ip_forward)" 0
}
sysctl -qw net.ipv4.ip_forward=0
netns=/run/netns/p1
cni ADD "$(printf '9%.0s' $(seq 250))"; untouched 4 "CNI_CONTAINERID: together with the network's name"
cni ADD p1 all; untouched 4 'is no name that the kernel takes'
cni ADD p1 $'e\xff'; untouched 4 'must be printable UTF-8'
conf '.runtimeConfig.mac = "ee:ee:ee:ee:ee:ee"'; cni ADD p1; untouched 7 "mac: the container's equals hostMAC"
conf "$ipv6" '.mtu = 1000'; cni ADD p1; untouched 7 "mtu: 1000 is less than the 1280 that IPv6 needs"
conf '.ipam.routes = [{"dst":"::/0"}]'; cni ADD p1; untouched 7 "ipam.routes: ::/0 is of a family that no range has"
conf "$ipv6" '.ipam.routes = [{"dst":"::/0"},{"dst":"::/0","priority":1024}]'
cni ADD p1; untouched 7 "ipam.routes: ::/0 is there twice"
conf; netns=/dev/null cni ADD p1; untouched 4 "CNI_NETNS: /dev/null is not a network namespace"
conf '.cniVersion = 1'; cni STATUS -; refused 7 "cniVersion: must be a string, not 1"

# CHECK names what is wrong with prevResult, and takes as many routes as ADD makes.
conf; cni ADD p1; ok ADD; result=$out
with_prev "$(jq 'del(.ips)' <<<"$result")"; cni CHECK p1; refused 7 "prevResult.ips: no address of interface eth0"
conf; cni DEL p1; ok DEL
conf '.ipam.routes = [range(1000) | {"dst":"11.\(. / 250 | floor).\(. % 250).0/24"}]'
cni ADD p1; ok "ADD with 1,000 routes"
with_prev "$out"; cni CHECK p1; ok "CHECK with 1,000 routes"
conf; cni DEL p1; ok DEL

# host-local takes "" for its default; so does onlink-ipam.
for key in gateway rangeStart rangeEnd; do
  conf=$(jq -nc --arg key $key '{cniVersion:"1.0.0", name:"empty", ipam:{type:"host-local", routes:[{dst:"1.0.0.0/8", gw:""}],
    ranges:[[{subnet:"10.7.0.0/24"} + {($key):""}]]}}')
  for program in host-local onlink-ipam; do
    bin=$([ $program = host-local ] && echo $reference || echo "$bin") plugin=$program cni ADD "$program-$key"
    ok "$program with an empty $key"
    same "$program, gateway" "$(jq -r '.ips[0].gateway' <<<"$out")" 10.7.0.1
  done
done
done_testing
