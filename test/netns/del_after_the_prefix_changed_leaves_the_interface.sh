#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# DEL and GC find the host's end by its alias, under whatever name: DEL without a namespace, after hostInterfacePrefix had changed or
# somebody had renamed the interface, said success and freed the address; interface and route stayed, or the rules of the prefix.
. "$(dirname "$0")/lib.bash"
nothing_is_left() {
  same "$1: interfaces" "$(ip -o link show type veth)" ""
  same "$1: routes" "$(ip route show proto 169)" ""
  same "$1: reservations" "$(files)" ""
  same "$1: tables" "$(nft list tables)" ""
}
for name in prefix renamed earlier; do
  for verb in DEL GC; do
    for netns in "" /run/netns/nobody; do
      ip netns add p1; ip -n p1 link set lo up
      conf '.hostInterfacePrefix = "abc"'
      netns=/run/netns/p1 cni ADD p1; ok "ADD"
      [ $name != renamed ] || ip link set "$(jq -r '.interfaces[0].name' <<<"$out")" name other 2>/dev/null || continue
      # Another version of onlink has other rules in the table of the prefix.
      [ $name != earlier ] || nft delete rule inet onlink_abc pods handle "$(nft -a list chain inet onlink_abc pods | sed -n 's/.*127\.0\.0\.0.* handle //p')"
      living "$name" /run/netns/p1 "$(address)"
      conf '.["cni.dev/valid-attachments"] = []'
      cni $verb p1; ok "$verb, $name, namespace \"$netns\""
      nothing_is_left "$verb, $name, namespace \"$netns\""
      ip netns del p1
    done
  done
done
done_testing
