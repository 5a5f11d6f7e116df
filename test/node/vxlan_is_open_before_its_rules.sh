#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# A stranger's packets with a peer's inner source reached pods while the device was there and its rules were not: at the first pass,
# at a change of VNI or port, and during clean. Also: a peer's address that is a network's broadcast address.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
needs_vxlan

seed_hosts
host stranger
plug stranger eth0 lan 172.16.91.250/24
dual_pod A p1
on p1 nft 'add table ip c; add counter ip c n; add chain ip c i { type filter hook prerouting priority 0; }; add rule ip c i icmp type echo-request counter name n'
arrived() { on p1 nft -j list counter ip c n | jq '.nftables[1].counter.packets'; }
flood() { # SECONDS VNI PORT
  on stranger "$python" - "$@" <<'PY'
import socket, struct, sys, time
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
def header(sum):
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 7, 0, 64, 1, sum, socket.inet_aton("10.10.1.2"), socket.inet_aton("10.10.0.2"))
mac = bytes.fromhex(sys.argv[4].replace(":", ""))
packet = (struct.pack("!II", 0x08000000, int(sys.argv[2]) << 8) + mac + bytes.fromhex("020000000001") + b"\x08\x00" +
          header(checksum(header(0))) + struct.pack("!BBHHH", 8, 0, 0xf7ff, 0, 0))
sender, end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), time.time() + float(sys.argv[1])
while time.time() < end:
    sender.sendto(packet, ("172.16.91.201", int(sys.argv[3])))
    time.sleep(0.0003)
PY
}
step() { # WHAT VNI PORT COMMAND...: nothing arrives while the command runs
  local before flooder
  before=$(arrived)
  flood 2 "$2" "$3" "$mac" &
  flooder=$!
  sleep 0.5
  "${@:4}"
  wait $flooder
  same "$1: forged packets that arrived" "$(($(arrived) - before))" 0
}
rules='del(.ipipMode) | .vxlanMode = "Always" | .filter = true'
seed_cluster "$rules"
applied A
mac=$(ip -n A -j link show vxlan.onlink | jq -r '.[0].address')
node A clean
step "first apply" 4096 4789 applied A
step "in order" 4096 4789 true
seed_cluster "$rules" '.vxlanVNI = 5000'
step "another VNI" 5000 4789 applied A
seed_cluster "$rules" '.vxlanPort = 4790'
step "another port" 4096 4790 applied A
step "clean" 4096 4790 node A clean

seed_cluster "$rules" '.nodes[1].nodeIP = "172.16.91.255"'
node A apply
node A status
case $out in *"172.16.91.255 is the broadcast address of a network of eth0"*) ;; *) fail "a broadcast address: $out" ;; esac
same "its route" "$(ip -n A route show 10.10.1.0/24)" ""
done_testing
