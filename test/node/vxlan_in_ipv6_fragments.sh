#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Without connection tracking (no masquerade) IPv6 fragments reach hook input one by one. A first one that ended before
# the VNI matched no rule, so anybody's packets came out of the tunnel.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
needs_vxlan

wire lan
host A && plug A eth0 lan fd00:91::201/64
host B && plug B eth0 lan fd00:91::202/64
host stranger && plug stranger eth0 lan fd00:91::250/64
dual_pod A netns01
dual_pod B netns03
jq -n '{vxlanMode: "Always", masquerade: false, filter: true, nodes: [
  {name: "A", nodeIPv6: "fd00:91::201", podCIDRs: ["10.10.0.0/24", "fd00:10::/64"]},
  {name: "B", nodeIPv6: "fd00:91::202", podCIDRs: ["10.10.1.0/24", "fd00:10:1::/64"]}]}' >"$cluster"
applied A; applied B
mac() { ip -n "$1" -j link show "$2" | jq -r '.[0].address'; }
# fragments HOST INNER-SOURCE LENGTH: a VXLAN packet to A in two fragments, the first with so many bytes; in it a ping to 10.10.0.2.
number=0
fragments() {
  number=$((number + 1))
  on "$1" "$python" - "$2" "$3" "$number" "$(ip -n "$1" -j -6 addr show eth0 scope global | jq -r '.[0].addr_info[0].local')" \
    "$(mac A vxlan.onlink)" "$(mac "$1" eth0)" "$(mac A eth0)" <<'PY'
import socket, struct, sys
inner_source, length, number, source, end, own, other = sys.argv[1:]
length, number = int(length), int(number)
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
mac = lambda text: bytes.fromhex(text.replace(":", ""))
fields = [0x45, 0, 28, 7, 0, 64, 1, 0, socket.inet_aton(inner_source), socket.inet_aton("10.10.0.2")]
fields[7] = checksum(struct.pack("!BBHHHBBH4s4s", *fields))
inner = struct.pack("!BBHHHBBH4s4s", *fields) + struct.pack("!BBHHH", 8, 0, 0xf7ff, 0, 0)
vxlan = struct.pack("!II", 0x08000000, 4096 << 8) + mac(end) + mac("02:00:00:00:00:01") + b"\x08\x00" + inner
ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, "fd00:91::201")
size = 8 + len(vxlan)
udp = struct.pack("!HHHH", 5555, 4789, size, 0) + vxlan
udp = udp[:6] + struct.pack("!H", checksum(ends + struct.pack("!II", size, 17) + udp) or 0xffff) + udp[8:]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
for offset, more, part in ((0, 1, udp[:length]), (length, 0, udp[length:])):
    payload = struct.pack("!BBHI", 17, 0, offset | more, number) + part
    wire.send(mac(other) + mac(own) + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(payload), 44, 64) + ends + payload)
PY
}
reaches netns03 10.10.0.2 # A knows B's MAC by now
pings_at_pod() { count_packets netns01 eth0 'icmp[icmptype] = icmp-echo' "$@"; }
for length in 8 16 24 32 40 48; do
  pings_at_pod fragments stranger 10.10.1.2 "$length"
  same "a stranger's in fragments, the first of $length bytes" "$seen" 0
  pings_at_pod fragments B 10.10.2.2 "$length"
  same "a peer's in another's name, the first of $length bytes" "$seen" 0
done
pings_at_pod fragments B 10.10.1.2 48
same "a peer's own, which shows all that is asked" "$seen" 1
done_testing
