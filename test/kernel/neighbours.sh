#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Neighbour table overflow with more pods than gc_thresh3: the host cannot talk to all of them at once. The limit is one
# for the whole machine, so this is for test/kernel/run, where it has a machine of its own.
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
conf '.ipam = {type: "onlink-ipam", ranges: [range(6) | [{subnet: "10.10.\(.).0/24"}], [{subnet: "fd00:\(.)::/64"}]]}'
names=(); addresses=()
for number in $(seq 2); do
  name=p$number
  pod "$name"; cni ADD "$name"; ok "ADD $name"
  for address in $(jq -r '.ips[].address | sub("/.*"; "")' <<<"$out"); do names+=("$name"); addresses+=("$address"); done
done

# Each address is tried once: a packet that finds no room is lost.
for i in "${!addresses[@]}"; do
  checks=$((checks + 1))
  ping -q -c 1 -W 1 "${addresses[i]}" >/dev/null || fail "no ping to ${addresses[i]}: $(dmesg | tail -2)"
  # What the pod learns of the host when it answers is never used; it may be collected, but only after 5 s.
  ip -n "${names[i]}" neigh flush dev eth0
done
same "the host knows all of them" "$(ip -j neigh show nud reachable | jq length)" "${#addresses[@]}"
done_testing
