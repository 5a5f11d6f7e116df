#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: guest 6.12
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
seed_pods
seed_cluster '.ipipMode = "Always" | .masquerade = true | .filter = true'
applied A; applied B
finds() { # STATUS KIND WORDS
  node A check --json --data-dir "$work/A/ipam"
  same "exit status of check, with $2: $errors$out" "$status" "$1"
  holds "check finds $2" "[.problems[].kind] | unique == [\"$2\"]" "$out"
  holds "check finds $2 in words" ".problems | any(.text | contains(\"$3\"))" "$out"
}
well() {
  node A check --json --data-dir "$work/A/ipam"
  [ "$status" = 0 ] || fail "check: exit status $status: $errors$(jq -c .problems <<<"$out")"
}
chain() { on "$1" nft "add table ip test; add chain ip test c { type filter hook $2 priority 0; }; add rule ip test c $3"; }
unchain() { on "$1" nft delete table ip test; }

well
holds "the tunnel" '.peers[0] | .path == "ipip" and .source == "172.16.91.201" and .pods.address == "10.10.1.1" and
  .size == {"asked": 1480, "passes": 1480}' "$out"
chain B input 'ip protocol 4 drop'
finds 3 tunnel-silent "protocol 4 does not pass: 172.16.91.202 answers, 10.10.1.1 through the tunnel does not"
unchain B
chain B input 'ip protocol 4 reject with icmp type prot-unreachable'
finds 3 no-ipip-there "172.16.91.202 refuses protocol 4"
unchain B
chain A input 'ip protocol 4 drop'
finds 1 'dropped-here", "firewall' "its answer arrives on eth0 and is dropped by this node: an input chain"
unchain A
chain A output 'ip protocol 4 drop'
finds 1 'dropped-here", "firewall' "does not leave this node"
unchain A
well
# The peer answers from another address.
ip -n B addr add 172.16.91.222/24 dev eth0
ip -n B route replace 172.16.91.0/24 dev eth0 src 172.16.91.222
finds 3 dropped-here "it comes from 172.16.91.222, and only 172.16.91.202 may send through the tunnel for it"
ip -n B route replace 172.16.91.0/24 dev eth0 src 172.16.91.202
ip -n B addr del 172.16.91.222/24 dev eth0
applied B
well
ip -n B link set tunl0 down
finds 3 no-ipip-there "its tunnel is down or missing"
applied B
ip link set plug2 mtu 1400
finds 3 mtu "packets of 1480 bytes do not pass, of 1384 do" # the bridge leaves room for a VLAN tag
ip link set plug2 mtu 1500
well
chain A forward 'ip daddr 10.10.1.0/24 drop'
finds 1 'firewall", "forward-dropped' "is dropped on this node"
unchain A
well
done_testing
