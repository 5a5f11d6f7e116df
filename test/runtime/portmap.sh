#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Published ports: onlink and portmap. TCP and UDP, from another machine, from the host, from another pod, and from the
# pod to itself by the host's address; the pod sees who asks. DEL closes the ports. Over IPv4, then over IPv6.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/libcni.bash"
need python3 python3; need iptables iptables

# Another machine, one hop away.
pod outside
ip link add uplink type veth peer name eth0 netns outside
ip link set uplink addrgenmode none; ip addr add 198.51.100.1/24 dev uplink; ip link set uplink up
ip -n outside addr add 198.51.100.2/24 dev eth0; ip -n outside link set eth0 up

answers() { # WHAT FROM PROTOCOL ADDRESS PORT EXPECTED: the pod's name and whom it sees
  same "$1 ($3)" "$(ask "$2" "$3" "$4" "$5")" "$6"
}
# delete_both WHAT ADDRESS SAVE-PROGRAM: DEL of p1 and p2 closes the port at ADDRESS and leaves nothing.
delete_both() {
  drive DEL p1; ok "DEL p1"; drive DEL p2; ok "DEL p2"
  kill $server; wait $server 2>/dev/null || true
  same "port after DEL, $1" "$(ask outside tcp "$2" 8080)" ""
  same "DNAT rules after DEL, $1" "$("$3" -t nat | grep -c -- '--to-destination' || true)" 0
  nothing_left "$1"
  same "host after DEL, $1" "$(snapshot)" "$before"
}
for version in 0.3.1 0.4.0 1.0.0; do
  conflist $version
  pod p1; pod p2
  before=$(snapshot)
  capabilities='{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"},
                                 {"hostPort":8080,"containerPort":80,"protocol":"udp"}]}'
  drive ADD p1; ok "ADD p1"; address=$(jq -r '.ips[0].address | sub("/.*"; "")' <<<"$out")
  # Of onlink only: portmap's own CHECK (1.1.1) looks for its IPv4 rules among the IPv6 ones, too.
  if [ $version != 0.3.1 ]; then
    conflist $version 'del(.plugins[1])'; drive CHECK p1; ok "CHECK p1"; conflist $version
  fi
  given=$capabilities; capabilities=; drive ADD p2; ok "ADD p2"; capabilities=$given
  other=$(jq -r '.ips[0].address | sub("/.*"; "")' <<<"$out")
  serve p1 80
  for protocol in tcp udp; do
    answers "from another machine" outside $protocol 198.51.100.1 8080 "p1 198.51.100.2"
    answers "from the host" "" $protocol 198.51.100.1 8080 "p1 198.51.100.1"
    answers "from the host, other address" "" $protocol 192.0.2.1 8080 "p1 192.0.2.1"
    answers "from another pod" p2 $protocol 198.51.100.1 8080 "p1 $other"
    answers "directly from another pod" p2 $protocol "$address" 80 "p1 $other"
    # Masqueraded: the pod would not take an answer to itself from itself.
    holds "from itself ($protocol)" 'test("^p1 [0-9.]+$")' "$(ask p1 $protocol 198.51.100.1 8080 | jq -R .)"
  done
  # portmap lets loopback addresses out through the interface that leads to the pod.
  holds "from the host by its loopback address" 'test("^p1 [0-9.]+$")' "$(ask "" tcp 127.0.0.1 8080 | jq -R .)"
  delete_both "portmap $version" 198.51.100.1 iptables-save
  ip netns del p1; ip netns del p2
done

# IPv6: the same but for loopback addresses, which IPv6 routes nowhere.
command -v ip6tables >/dev/null || { echo "no ip6tables: not over IPv6"; done_testing; exit; }
sysctl -qw net.ipv6.conf.all.forwarding=1
ip addr add 2001:db8:51::1/64 dev uplink nodad; ip -n outside addr add 2001:db8:51::2/64 dev eth0 nodad
conflist 1.0.0 '.plugins[0].ipam = {type: "onlink-ipam", ranges: [[{subnet: "10.10.0.0/24"}], [{subnet: "fd00:10::/64"}]]}'
pod p1; pod p2
before=$(snapshot)
drive ADD p1; ok "ADD p1, both families"; address=$(jq -r '.ips[1].address | sub("/.*"; "")' <<<"$out")
given=$capabilities; capabilities=; drive ADD p2; ok "ADD p2, both families"; capabilities=$given
other=$(jq -r '.ips[1].address | sub("/.*"; "")' <<<"$out")
serve p1 80
for protocol in tcp udp; do
  answers "over IPv4 still" outside $protocol 198.51.100.1 8080 "p1 198.51.100.2"
  answers "over IPv6 from another machine" outside $protocol 2001:db8:51::1 8080 "p1 2001:db8:51::2"
  answers "over IPv6 from the host" "" $protocol 2001:db8:51::1 8080 "p1 2001:db8:51::1"
  answers "over IPv6 from another pod" p2 $protocol 2001:db8:51::1 8080 "p1 $other"
  answers "over IPv6 directly from another pod" p2 $protocol "$address" 80 "p1 $other"
  holds "over IPv6 from itself ($protocol)" 'test("^p1 [0-9a-f:]+$")' "$(ask p1 $protocol 2001:db8:51::1 8080 | jq -R .)"
done
delete_both "portmap, both families" 2001:db8:51::1 ip6tables-save
done_testing
