# SPDX-License-Identifier: Apache-2.0
# Sourced after lib.bash by the tests that forge packets.

ipip_from() { # HOST TARGET [SOURCE [INNER-SOURCE]]: one IPIP packet, in it a ping to 10.10.0.2, from 10.10.1.2
  on "$1" "$python" - "$2" "${3:-}" "${4:-10.10.1.2}" <<'PY'
import socket, struct, sys
target, source, inner_source = sys.argv[1:]
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
def header(length, protocol, source, target):
    fields = [0x45, 0, 20 + length, 7, 0, 64, protocol, 0, socket.inet_aton(source), socket.inet_aton(target)]
    fields[7] = checksum(struct.pack("!BBHHHBBH4s4s", *fields))
    return struct.pack("!BBHHHBBH4s4s", *fields)
ping = struct.pack("!BBHHH", 8, 0, 0xf7ff, 0, 0)
inner = header(len(ping), 1, inner_source, "10.10.0.2") + ping
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
raw.sendto(header(len(inner), 4, source or "0.0.0.0", target) + inner, (target, 0))
PY
}

# One VXLAN packet of network 4096, in it a ping to TO of the other family or the same one.
vxlan_from() { # HOST TARGET INNER-SOURCE TO [VNI [ETHER-TYPE]]
  on "$1" "$python" - "$2" "$3" "$4" "${5:-4096}" "${6:-}" <<'PY'
import ipaddress, socket, struct, sys
target, source, to, vni, kind = sys.argv[1:]
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
source, to = ipaddress.ip_address(source), ipaddress.ip_address(to)
if to.version == 4:
    ping = struct.pack("!BBHHH", 8, 0, 0xf7ff, 0, 0)
    fields = [0x45, 0, 20 + len(ping), 7, 0, 64, 1, 0, source.packed, to.packed]
    fields[7] = checksum(struct.pack("!BBHHHBBH4s4s", *fields))
    inner, ether = struct.pack("!BBHHHBBH4s4s", *fields) + ping, 0x0800
else:
    pseudo = source.packed + to.packed + struct.pack("!II", 8, 58)
    ping = struct.pack("!BBHHH", 128, 0, checksum(pseudo + struct.pack("!BBHHH", 128, 0, 0, 1, 1)), 1, 1)
    inner, ether = struct.pack("!IHBB", 0x60000000, len(ping), 58, 64) + source.packed + to.packed + ping, 0x86dd
# The MAC of A's end, and of one who is no node's.
frame = bytes.fromhex("026fac105bc9" "020000000001") + struct.pack("!H", int(kind or str(ether), 0)) + inner
family = socket.AF_INET6 if ":" in target else socket.AF_INET
udp = socket.socket(family, socket.SOCK_DGRAM)
udp.sendto(struct.pack("!II", 0x08000000, int(vni) << 8) + frame, (target, 4789))
PY
}
