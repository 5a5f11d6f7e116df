#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The host has room for 1,024 neighbours that it has learned (gc_thresh3), all interfaces and namespaces together. A hostile
# pod asks, from addresses of its invention, and sends to such: it makes no more than a few neighbours of them, and the pods
# beside it are answered. Few packets are sent, as the room is the whole machine's.
. "$(dirname "$0")/lib.bash"
mkdir -p $work
cat >$work/hostile.py <<'P'
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0); s.bind(("eth0", 0))
gateway, own, own_v4 = "fe80::ecee:eeff:feee:eeee", "fd00:10::2", "10.10.0.2"
address = lambda text: socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
def checksum(data):
  data += b"\0" * (len(data) % 2)
  total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
  while total >> 16: total = (total & 0xffff) + (total >> 16)
  return ~total & 0xffff
def ipv6(source, to, protocol, payload, at):
  pseudo = address(source) + address(to) + struct.pack("!II", len(payload), protocol)
  payload = payload[:at] + struct.pack("!H", checksum(pseudo + payload)) + payload[at + 2:]
  return 0x86dd, struct.pack("!IHBB", 6 << 28, len(payload), protocol, 255) + address(source) + address(to) + payload
icmp = lambda source, to, kind, body: ipv6(source, to, 58, struct.pack("!BBH", kind, 0, 0) + body, 2)
udp = lambda source, to: ipv6(source, to, 17, struct.pack("!HHHHI", 9, 9, 12, 0, 0), 6)
for i in range(40):
  mac, invented = bytes([2, 0, 0, 0, 0, i]), "fe80::bad:%x" % i
  option = struct.pack("!BB", 1, 1) + mac
  asks = lambda to, option: icmp(invented, to, 135, bytes(4) + address(gateway) + option)
  arp = lambda what, to: (0x806, struct.pack("!HHBBH", 1, 0x800, 6, 4, what) + mac + address("198.18.0.%d" % i) + bytes(6) + address(to))
  protocol, packet = {
    "neighbour solicitations to all": lambda: asks("ff02::1:ffee:eeee", option),
    "neighbour solicitations to the host": lambda: asks(gateway, b""),
    "neighbour solicitations to the anycast address": lambda: asks("fe80::", option),
    "router solicitations": lambda: icmp(invented, "ff02::2", 133, bytes(4) + option),
    "neighbour advertisements": lambda: icmp(invented, "ff02::1", 136, struct.pack("!I", 2 << 28) + address(invented) + b"\2\1" + mac),
    "pings from invented addresses": lambda: icmp(invented, gateway, 128, bytes(8)),
    "pings of all": lambda: icmp(invented, "ff02::1", 128, bytes(8)),
    "to a closed port": lambda: udp(invented, gateway),
    "to another network from invented addresses": lambda: udp(invented, "2001:db8::1"),
    "to invented addresses": lambda: udp(own, invented),
    "ARP requests for the gateway": lambda: arp(1, "169.254.1.1"),
    "ARP requests for the host": lambda: arp(1, "192.0.2.1"),
    "ARP replies": lambda: arp(2, "192.0.2.1"),
  }[sys.argv[1]]()
  s.send(bytes.fromhex("eeeeeeeeeeee") + mac + struct.pack("!H", protocol) + packet)
P
learned() { ip -j neigh show nud all dev "$host" | jq '[.[] | select((.state | index("PERMANENT") or index("NOARP") | not) and (has("extern_learn") | not))] | length'; }
attack() { # WHAT MOST
  ip netns exec p1 setpriv --inh-caps -all --bounding-set -all,+net_raw $python $work/hostile.py "$1"
  sleep 0.1  # what the host answers, it asks for
  local neighbours; neighbours=$(learned)
  checks=$((checks + 1))
  [ "$neighbours" -le "$2" ] || fail "$1: the host has learned $neighbours neighbours of the pod, at most $2 are right"
  # Not by a flush: it would take the permanent ones, too.
  ip -j neigh show nud all dev "$host" | jq -r '.[].dst | select(startswith("fe80::bad") or startswith("198.18."))' | sed "s/.*/neigh del & dev $host/" | ip -batch -
}
answered() { # WHAT: p2, which has lost its permanent neighbour, and asks from its link-local address
  checks=$((checks + 1))
  ip -n p2 neigh flush dev eth0 nud all
  ip netns exec p2 ping -q -c 1 -W 0.5 fe80::ecee:eeff:feee:eeee%eth0 >/dev/null 2>&1 || true  # there is no way back
  [ "$(ip -n p2 -j neigh show fe80::ecee:eeff:feee:eeee | jq -r '.[0].lladdr')" = ee:ee:ee:ee:ee:ee ] || fail "$1: p2 is not answered"
}
# A host that could send everywhere: nothing is refused for lack of a route.
ip link add uplink type veth peer name peer; ip link set uplink addrgenmode none up; ip link set peer up
ip route add default dev uplink; ip -6 route add default dev uplink

for setting in permanent learned; do
  empty_host; conf "$dual" ".hostNeighbour = \"$setting\""
  pod p1; cni ADD p1; ok "ADD p1"; host=$(jq -r '.interfaces[0].name' <<<"$out"); pod p2; cni ADD p2; ok "ADD p2"
  for _ in $(seq 50); do ip -n p2 -6 addr show dev eth0 scope link -tentative | grep -q inet6 && break; sleep 0.1; done
  for how in "to all" "to the host" "to the anycast address"; do attack "neighbour solicitations $how" 10; done
  answered "$setting, after solicitations"
  for what in "router solicitations" "neighbour advertisements" "pings from invented addresses" "pings of all" "to a closed port" \
    "to another network from invented addresses" "to invented addresses"; do attack "$what" 0; done
  for strict in 1 2; do
    sysctl -qw "net.ipv4.conf.$host.rp_filter=$strict"
    for what in "ARP requests for the gateway" "ARP requests for the host" "ARP replies"; do attack "$what" 0; done
  done
  answered "$setting, after everything"
done
done_testing
