#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# A part of a peer's subnet that goes elsewhere, or what comes back to this node's own pods: by a rule, also one that asks who
# sends, by a table before main, by an address of this host; of both families.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
for host in A B; do ip -n "$host" addr add "fd00:172::20$([ $host = A ] && echo 1 || echo 2)/64" dev eth0 nodad; done
seed_cluster '.nodes[0] += {"nodeIPv6":"fd00:172::201"} | .nodes[1] += {"nodeIPv6":"fd00:172::202"}' \
  '.nodes[0].podCIDRs += ["fd00:10:0::/64"] | .nodes[1].podCIDRs += ["fd00:10:1::/64"]'
applied A; applied B
dual_pod A near; dual_pod B far
reaches near "${v4[far]}"; reaches near "${v6[far]}"
# peers: 0 is the IPv4 subnet, 1 the IPv6 one.
blocked() { # WHAT PEER TEXT
  node A status --json
  holds "$1" ".peers[$2].state == \"blocked\" and .peers[$((1 - $2))].state == \"ok\"" "$out"
  holds "$1: words" ".peers[$2].why | contains(\"$3\")" "$out"
  same "$1: exit status" "$status" 1
}
fine() { node A status --json; holds "$1" 'all(.peers[]; .state == "ok")' "$out"; same "$1: exit status" "$status" 0; }
fine "at first"

for family in 4 6; do
  case $family in
    4) peer=0 pod=${v4[far]} own=${v4[near]} one=/32 net=10.10.1. own_net=10.10.0. half=128/25 whole=0/24 via=172.16.91.202 first=0/28 stranger=192.0.2.1 ;;
    6) peer=1 pod=${v6[far]} own=${v6[near]} one=/128 net=fd00:10:1: own_net=fd00:10:0: half=0:8000::/65 whole=:/64 via=fd00:172::202 first=:/124 stranger=2001:db8::1 ;;
  esac
  route() { ip -n A -$family route "$@"; }
  rule() { ip -n A -$family rule "$1" pref 100 "${@:2}"; }
  cut() { cut_off near "$pod"; blocked "$@"; }

  route add blackhole "$pod$one" table 77; rule add lookup 77
  cut "more specific, in a table before main, $family" $peer "refuses packets to $pod"
  rule del
  rule add from "$stranger" lookup 77
  fine "in a table that is for others' packets, $family"
  rule del; route flush table 77
  rule add to "$pod$one" unreachable
  cut "a rule to a part, $family" $peer "refuses packets to $pod"
  rule del
  rule add to "$net$half" prohibit
  blocked "a rule to a half, $family" $peer "refuses packets to "
  rule del
  route add default via $via table 77; rule add to "$net$half" lookup 77
  fine "a rule that leads a half the same way, $family"
  rule del; route flush table 77
  route add throw "$net$whole" table 78; route add "$net$half" dev lo table 78; rule add lookup 78
  blocked "a table that leads the half elsewhere, $family" $peer "packets to "
  rule del; route flush table 78
  # What is behind the part that a table leaves to main.
  route add throw "$net$first" table 77; route add default dev lo table 77; rule add lookup 77
  node A status --json
  holds "a table that takes all but a part, $family" ".peers[$peer] | .state == \"blocked\" and (.why | contains(\"table 77\"))" "$out"
  rule del; route flush table 77
  route add local "$pod$one" dev lo table local
  blocked "an address of the subnet on this host, $family" $peer "packets to $pod take "
  route del local "$pod$one" dev lo table local
  fine "put in order, $family"

  # This node's own pods.
  route add default via $via table 78; rule add to "$own_net$whole" lookup 78
  cut "a rule that takes what is for this node's own pods, $family" $peer "what comes back to this node's pods: packets to "
  rule del
  for action in prohibit blackhole; do
    rule add to "$own_net$whole" $action
    cut "a rule that refuses it, $action, $family" $peer "what comes back to this node's pods: a route or rule refuses packets to $own"
    rule del
  done
  rule add to "$own_net$half" lookup 78
  blocked "a rule that takes what is for a half of them, $family" $peer "what comes back to this node's pods: packets to "
  rule del; route flush table 78
  # Their routes in a table of their own, as some hosts have them.
  route add "$own$one" dev "$(ip -n A -$family -j route show "$own" | jq -r '.[0].dev')" table 78; rule add to "$own_net$whole" lookup 78
  reaches near "$pod"
  fine "another table for this node's own pods, $family"
  rule del; route flush table 78

  # A rule that asks who sends: a pod of this node, or one of the peer's, and whether it leads the same way.
  end=$(ip -n A -"$family" -j route show "$own" | jq -r '.[0].dev')
  route add default dev lo table 77
  for sender in "from $own_net$whole" "from $own$one" "iif $end"; do
    for action in "lookup 77" unreachable; do
      # shellcheck disable=SC2086
      rule add $sender $action
      cut "what pods send, $sender $action, $family" $peer "packets from $own to "
      rule del
    done
  done
  for sender in "from $net$whole" "iif eth0" "from $pod$one"; do
    # shellcheck disable=SC2086
    rule add $sender prohibit
    cut "what peers' pods send, $sender, $family" $peer "to $own are refused by a route or rule"
    rule del
  done
  # By protocol and port, from this node's pods and from the peer's; what few or none of pods' packets are is left out.
  for part in "ipproto tcp=TCP packets" "ipproto udp dport 53=UDP packets for port 53" "sport 8080=packets of port 8080" \
      "iif eth0 ipproto tcp dport 80=TCP packets for port 80"; do
    for action in "lookup 77" prohibit; do
      # shellcheck disable=SC2086
      rule add ${part%=*} $action
      reaches near "$pod"
      blocked "a part of what pods send, $part $action, $family" $peer "${part#*=} from "
      rule del
    done
  done
  # One for all, which a rule for this node's own packets hides.
  ip -n A -"$family" rule add pref 90 iif lo lookup main
  rule add prohibit
  cut "all but this node's own" $peer "packets from "
  rule del
  ip -n A -"$family" rule del pref 90
  for part in "ipproto esp" "fwmark 7" "from $stranger ipproto tcp"; do
    # shellcheck disable=SC2086
    rule add $part prohibit
    fine "a rule for others, $part, $family"
    rule del
  done
  # This node itself, as clouds and netplan write it for each of several network cards.
  own_node=$(jq -r ".nodes[0] | if $family == 4 then .nodeIP else .nodeIPv6 end" "$cluster")
  rule add from "$own_node" lookup 77
  reaches near "$pod"
  blocked "a rule about this node's own address, $family" $peer "packets from $own_node to "
  node A check "$own"
  case $out in *"packets from $own_node to $own take default "*" table 77"*) checks=$((checks + 1)) ;; *) fail "its own pods, $family: $out" ;; esac
  rule del
  route flush table 77; route add default via $via table 77
  rule add from "$own_net$whole" lookup 77
  fine "a rule for pods that leads the same way, $family"
  rule del
  rule add from "$stranger" unreachable
  fine "a rule for others, $family"
  rule del; route flush table 77
done
done_testing
