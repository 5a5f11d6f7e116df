#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# docs/migrate.md, from ptp and host-local: a node with 50 pods changes its conflist to onlink and onlink-ipam of the same name
# and range. Old pods go on, and are deleted by their own plugin or by onlink; new ones are onlink's; no address is given twice,
# whichever program gives it, and all of them talk to each other. Then back again.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
[ -x $reference/ptp ] || { echo "SKIPPED: no $reference/ptp (package containernetworking-plugins)"; exit 77; }
ptp='{"cniVersion":"1.0.0","name":"net1","type":"ptp","ipam":{"type":"host-local","ranges":[[{"subnet":"10.10.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}}'
onlink='{"cniVersion":"1.0.0","name":"net1","type":"onlink","ipam":{"type":"onlink-ipam","ranges":[[{"subnet":"10.10.0.0/24"}]]}}'
declare -A address_of=()
# by PROGRAM COMMAND POD
by() {
  local document=$onlink program=$bin/onlink
  [ "$1" = onlink ] || { document=$ptp program=$reference/ptp; }
  status=0
  out=$(CNI_COMMAND=$2 CNI_CONTAINERID=$3 CNI_NETNS=/run/netns/$3 CNI_IFNAME=eth0 CNI_PATH=$bin:$reference "$program" <<<"$document") || status=$?
  ok "$2 of $3 by $1"
}
# attach PROGRAM POD: its address is nobody's who lives.
attach() {
  local address
  pod "$2"
  by "$1" ADD "$2"
  address=$(address)
  checks=$((checks + 1))
  [[ " ${address_of[*]} " != *" $address "* ]] || fail "$2 got $address, which somebody has"
  address_of[$2]=$address
}
detach() { # PROGRAM POD
  by "$1" DEL "$2"
  same "the reservation of $2" "$(owner "${address_of[$2]}")" ""
  ip netns del "$2"
  unset "address_of[$2]"
}
living_all() { # WHAT
  local name
  for name in "${!address_of[@]}"; do living "$1: $name" "/run/netns/$name" "${address_of[$name]}"; done
  same "$1: reservations" "$(cd /var/lib/cni/networks/net1 && printf '%s\n' 10.* | sort)" "$(printf '%s\n' "${address_of[@]}" | sort)"
}
talk() { checks=$((checks + 1)); nsenter --net="/run/netns/$1" ping -q -c 1 -W 5 "${address_of[$2]}" >/dev/null || fail "$1 does not reach $2"; } # POD POD

before=$(snapshot)
echo 1 >/proc/sys/net/ipv4/ip_forward
for i in $(seq 50); do attach ptp "old$i"; done
living_all "before the change"

# The conflist is replaced: the next calls are onlink's.
for i in $(seq 20); do attach onlink "new$i"; done
living_all "after the change"
for pair in "old1 new1" "new1 old2" "new1 new2" "old1 old2"; do talk $pair; done
# A runtime that keeps the configuration of each pod (CRI-O, podman) deletes with the old plugin, others (containerd) with the new.
for i in $(seq 1 20); do detach ptp "old$i"; done
for i in $(seq 21 40); do detach onlink "old$i"; done
# Both programs at once, as while a runtime is being restarted.
for i in $(seq 21 30); do attach onlink "new$i"; attach ptp "late$i"; done
living_all "half way"
holds "what onlink-ipam finds" 'test("50 reserved, 0 of them stale; 0 faults")' "$("$bin/onlink-ipam" check net1 | jq -Rs .)"
out=$(jq -c '. + {"cni.dev/valid-attachments": $ids}' --argjson ids "$(printf '%s\n' "${!address_of[@]}" | jq -R '{containerID: ., ifname: "eth0"}' | jq -sc .)" <<<"$onlink" |
  jq -c '.cniVersion = "1.1.0"' | CNI_COMMAND=GC CNI_PATH=$bin:$reference "$bin/onlink") || fail "GC: $out"
living_all "after GC"

# And back.
for i in $(seq 31 40); do attach ptp "back$i"; done
for pair in "back31 new1" "new1 back31" "old41 back31"; do talk $pair; done
living_all "back again"
for name in "${!address_of[@]}"; do
  case $name in new*) detach onlink "$name" ;; *) detach ptp "$name" ;; esac
done
gone() { ! ip -o link show type veth | grep -q .; }
for _ in $(seq 100); do ! gone || break; sleep 0.1; done
echo 0 >/proc/sys/net/ipv4/ip_forward
same "the host" "$(snapshot)" "$before"
done_testing
