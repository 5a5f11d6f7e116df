#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The reference plugin vrf behind onlink: it moves the pod's interface and its routes into a VRF, and leaves the route to
# the gateway behind; the pod reaches and is reached all the same, and CHECK agrees. Needs a kernel with VRFs, and a vrf
# that takes routes along, as those of Debian 12 and before do not.
. "$(dirname "$0")/lib.bash"
ip link add probe type vrf table 9 2>/dev/null || { echo "SKIPPED vrf.sh: this kernel has no VRFs"; exit 77; }
ip link del probe
[ -n "$newest" ] || { echo "SKIPPED vrf.sh: no newer plugins (test/runtime/fetch)"; exit 77; }
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip addr add 2001:db8::1/128 dev lo nodad
ip route add default dev lo  # a host has a default route: the pod asks for its gateway, and is answered by proxy_arp
chained() { # COMMAND: vrf with the last result
  status=0
  out=$(jq -c --argjson prev "$result" '{cniVersion, name, type: "vrf", vrfname: "blue", prevResult: $prev}' <<<"$plain" |
    CNI_COMMAND=$1 CNI_CONTAINERID=p1 CNI_NETNS=/run/netns/p1 CNI_IFNAME=eth0 CNI_PATH=$newest $newest/vrf) || status=$?
}
for families in '.' "$ipv6" "$dual" '.gateway4 = "192.0.2.77"' "$ipv6"' | .gateway6 = "2001:db8::77"'; do
  conf "$families" '.cniVersion = "1.0.0"'; plain=$conf
  pod p1; cni ADD p1; ok "ADD ($families)"; result=$out
  chained ADD; ok "ADD of vrf ($families)"; chain=$out
  for address in $(jq -r '.ips[].address | sub("/.*"; "")' <<<"$result"); do
    ping -qc1 -W5 "$address" >/dev/null || fail "$families: $address is not reached: $(ip -n p1 route show table all)"
    ip netns exec p1 ping -qc1 -W5 -I blue $([[ $address = *:* ]] && echo 2001:db8::1 || echo 192.0.2.1) >/dev/null || fail "$families: the pod does not reach the host"
    checks=$((checks + 2))
  done
  with_prev "$chain"; cni CHECK p1; ok "CHECK behind vrf ($families)"
  chained DEL; ok "DEL of vrf ($families)"; conf=$plain; cni DEL p1; ok "DEL ($families)"
  ip netns del p1
done
done_testing
