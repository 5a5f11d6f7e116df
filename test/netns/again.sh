#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A repeated ADD: refused while the attachment lives; the same address again where its interface, or its whole
# namespace, is gone.
. "$(dirname "$0")/lib.bash"
address() { jq -r '.ips[0].address' <<<"$out"; }

pod p1; pod p2
cni ADD p1; ok "ADD p1"; first=$(address)
cni ADD p2; ok "ADD p2"
cni ADD p1
refused 100 "interface eth0 exists already in /run/netns/p1"
pod p3
netns=/run/netns/p3 cni ADD p1
refused 100 "p1 is attached already: its host interface $(ip route get "${first%/*}" | grep -o 'onl[0-9a-f]*') exists, and its namespace lives"
holds "it has its address" ".[0].addr_info[] | select(.family == \"inet\") | .local == \"${first%/*}\"" "$(ip -n p1 -j addr show eth0)"

ip -n p1 link delete eth0
cni ADD p1; ok "ADD without the interface"
same "the same address" "$(address)" "$first"
holds "it has the interface again" ".[0].addr_info[] | select(.family == \"inet\") | .local == \"${first%/*}\"" "$(ip -n p1 -j addr show eth0)"

# A socket that was closed a moment ago may hold the namespace a little longer (deferred_put_nlk_sk): until then it lives.
ip netns delete p1
pod p1
for _ in $(seq 200); do cni ADD p1 2>/dev/null; [ "$status" != 0 ] || break; sleep 0.05; done
ok "ADD in a new namespace"
same "the same address" "$(address)" "$first"
cni DEL p1; ok "DEL p1"
cni DEL p2; ok "DEL p2"
same "nothing is left" "$(files)" ""
done_testing
