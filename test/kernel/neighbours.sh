#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Neighbour table overflow with more pods than gc_thresh3: the host cannot talk to all of them at once. The limit is one
# for the whole machine, so this is for test/kernel/run, where it has a machine of its own.
# with --all only
# boot:
if [ -z "${ONLINK_TEST_INSIDE:-}" ]; then
  [ -n "${ONLINK_GUEST:-}" ] || { echo "$0: only under test/kernel/run: it changes limits of the whole machine"; exit 77; }
  for family in ipv4 ipv6; do
    sysctl -qw net.$family.neigh.default.gc_thresh1=1 net.$family.neigh.default.gc_thresh2=2 \
      net.$family.neigh.default.gc_thresh3=5
  done
fi
. "$(dirname "$0")/../netns/lib.bash"

# Few pods with many addresses are quicker to make than many pods.
reach_all() { # STATE [JQ-PROGRAM]: in which all neighbours are afterwards
  conf '.ipam = {type: "onlink-ipam", ranges: [range(6) | [{subnet: "10.10.\(.).0/24"}], [{subnet: "fd00:\(.)::/64"}]]}' "${2:-.}"
  local names=() addresses=() number name address i
  for number in $(seq 2); do
    name=p$number
    pod "$name"; cni ADD "$name"; ok "ADD $name"
    for address in $(jq -r '.ips[].address | sub("/.*"; "")' <<<"$out"); do names+=("$name"); addresses+=("$address"); done
  done
  # Each address is tried once: a packet that finds no room is lost.
  for i in "${!addresses[@]}"; do
    checks=$((checks + 1))
    ping -q -c 1 -W 1 "${addresses[i]}" >/dev/null || fail "no ping to ${addresses[i]}: $(dmesg | tail -2)"
    # What the pod learns of a host that asks is never used; it may be collected, but only after 5 s.
    [ "$1" = permanent ] || ip -n "${names[i]}" neigh flush dev eth0
  done
  same "the host knows all of them ($1)" "$(ip -j neigh show nud "$1" | jq length)" "${#addresses[@]}"
  for name in p1 p2; do cni DEL "$name"; ok "DEL $name"; ip netns del "$name"; done
}
reach_all permanent
reach_all reachable '.hostNeighbour = "learned"'
done_testing
