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
