#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A route is never taken: not that of a living pod, of whatever network and whoever lost its folder, and not that of others. ADD
# replaced any route of our protocol, and any at all where the look-up that follows policy rules told of another one.
. "$(dirname "$0")/lib.bash"
unharmed() { living "$1" /run/netns/p1 10.10.0.2; same "$1: the route" "$(ip -j route show 10.10.0.2 | jq -r '.[].dev')" "$device"; }
victim() {
  empty_host
  for name in p1 p2 p3; do pod $name; done
  cni ADD p1; ok "ADD of the first"
  device=$(jq -r '.interfaces[0].name' <<<"$out")
  unharmed "before"
}

# Two networks with addresses in common.
victim
conf '.name = "net2"'
cni ADD p2; rejected "another network"
holds "it names the holder" '"\(.msg) \(.details)" | test("10.10.0.2.*container p1.*network net1")' "$out"
unharmed "another network"
cni DEL p2; ok "DEL of the other"
unharmed "another network's DEL"

# A second address that cannot be had: the whole ADD is undone, and nothing else is.
ip addr add 10.50.0.2/32 dev lo
conf '.name = "net3" | .ipam |= (del(.subnet) | .ranges = [[{"subnet":"10.60.0.0/24"}],[{"subnet":"10.10.0.0/24"}],[{"subnet":"10.50.0.0/24"}]])'
cni ADD p3; rejected "an ADD that fails later"
unharmed "an ADD that fails later"
same "it left no reservation" "$(find /var/lib/cni/networks/net3 -name '10.*')" ""
ip addr del 10.50.0.2/32 dev lo

# The same network, whose folder somebody emptied, or that has another one now: the living keep what they have, and their
# reservations are made anew when an ADD meets their routes.
for loss in folder both another; do
  victim
  case $loss in
    folder) rm -rf /var/lib/cni/networks/net1 ;;
    both) rm -rf /var/lib/cni /run/onlink ;;
    another) conf '.ipam.dataDir = "/var/lib/second"'; data_dir=/var/lib/second ;;
  esac
  cni ADD p2; ok "$loss: ADD"
  unharmed "$loss"
  same "$loss: the next address" "$(address)" 10.10.0.3
  same "$loss: both are reserved" "$(owner 10.10.0.2) $(owner 10.10.0.3)" "p1 p2"
  living "$loss: the second" /run/netns/p2 10.10.0.3
  cni DEL p2; ok "$loss: DEL"
  unharmed "$loss, after DEL"
  unset data_dir
done

# Routes of others: the kernel's look-up may tell of another one.
foreign() { ip -j route show table main 10.10.0.2 | jq -c 'map({protocol, dev})'; }
for beside in nothing rule metric; do
  empty_host; pod p1
  ip route add 10.10.0.2/32 dev lo proto bird
  case $beside in
    rule) ip route add 10.10.0.0/24 dev lo table 100; ip rule add to 10.10.0.0/24 lookup 100 pref 100 ;;
    metric) ip route add 10.10.0.2/32 dev lo proto 99 metric 5 ;;
  esac
  before=$(foreign)
  cni ADD p1; rejected "a foreign route, beside $beside"
  same "the foreign route, beside $beside" "$(foreign)" "$before"
  holds "it names the holder, beside $beside" '"\(.msg) \(.details)" | test("10.10.0.2.*bird")' "$out"
  same "nothing is left, beside $beside" "$(files)$(ip -o link show type veth)" ""
  [ $beside != rule ] || { ip rule del pref 100; ip route flush table 100; }
  ip route flush table main 10.10.0.2
done
done_testing
