#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# IPv6, foreign routes of every kind, stock BIRD beside us, renamed and recreated devices, and the commands of `plan`.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

# Dual-stack, directly: applied twice, nothing is left to do (the kernel reads back a metric that we did not give).
seed_hosts
ip -n A -6 addr add fd00:172::201/64 dev eth0 nodad
ip -n B -6 addr add fd00:172::202/64 dev eth0 nodad
dual='.nodes[0] += {"nodeIPv6":"fd00:172::201","podCIDRs":["10.10.0.0/24","fd00:10::/64"]} |
      .nodes[1] += {"nodeIPv6":"fd00:172::202","podCIDRs":["10.10.1.0/24","fd00:11::/64"]}'
seed_cluster "$dual"
applied A
same "the IPv6 route" "$(ip -n A -6 -j route show fd00:11::/64 | jq -r '.[0] | [.gateway, .dev, .protocol] | join(" ")')" "fd00:172::202 eth0 169"
node A plan
same "nothing is left to do" "$out$errors" ""

# The commands of `plan`, run by a shell on a twin, make the same routes.
node A clean; ok "clean"
node A plan; ok "plan"
printf '%s\n' "$out" >"$work/script"
on A sh -e "$work/script" >/dev/null || fail "the commands of plan do not run"
node A plan
same "plan after its own commands" "$out$errors" ""
node A clean

# Foreign routes with our destinations, of every protocol, also in front of and behind ours.
seed_cluster
for protocol in static boot bird dhcp 17 80; do
  ip -n A route add 10.10.1.0/24 via 172.16.91.99 proto "$protocol"
  before=$(ip -n A route show 10.10.1.0/24)
  node A apply
  [ "$status" = 1 ] || fail "a conflict with proto $protocol is no success"
  case $errors in *"route 10.10.1.0/24 is held by 10.10.1.0/24 via 172.16.91.99 dev eth0"*) ;; *) fail "proto $protocol: $errors" ;; esac
  same "the route of proto $protocol" "$(ip -n A route show 10.10.1.0/24)" "$before"
  node A status --json
  holds "status names it" '.peers[0].state | startswith("held by proto")' "$out"
  ip -n A route del 10.10.1.0/24
done
# One that is put in front of ours: both stay, and ours is neither changed through it nor removed with it.
applied A
ip -n A route prepend 10.10.1.0/24 via 172.16.91.99 proto static
before=$(ip -n A route show 10.10.1.0/24)
same "the one in front" "$(head -1 <<<"$before" | sed 's/ *$//')" "10.10.1.0/24 via 172.16.91.99 dev eth0 proto static"
node A apply
same "both routes" "$(ip -n A route show 10.10.1.0/24)" "$before"
same "that it is in front is told" "$out$errors" "onlink-node: B (10.10.1.0/24): packets to 10.10.1.1 take 10.10.1.0/24 via 172.16.91.99 dev eth0 proto static"
node A status --json
holds "the peer is not in order" '.peers[0].state == "blocked"' "$out"
seed_cluster '.nodes[1].nodeIP = "172.16.91.210"'
node A apply
case $errors in *"route 10.10.1.0/24 is held by 10.10.1.0/24 via 172.16.91.99 dev eth0 proto static"*) ;; *) fail "a moved node behind a foreign route: $errors" ;; esac
same "both routes, with a moved node" "$(ip -n A route show 10.10.1.0/24)" "$before"
seed_cluster 'del(.nodes[1])' '.nodes += [{"name":"C","nodeIP":"172.16.91.203","podCIDRs":["10.10.2.0/24"]}]'
applied A
same "ours is gone, the foreign one stays" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.99 dev eth0 proto static"
ip -n A route del 10.10.1.0/24
seed_cluster
ip -n A route add 10.10.1.0/24 via 172.16.91.99 proto bird metric 32
applied A
holds "beside one of another metric" 'length == 2' "$(ip -n A -j route show 10.10.1.0/24)"
node A clean
same "the other one stays" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.99 dev eth0 proto bird metric 32"
ip -n A route del 10.10.1.0/24

# Stock BIRD, which takes every proto-bird route for its own, beside us: neither touches the other's.
if [ -x /usr/sbin/bird ]; then
  cat >"$work/bird.conf" <<EOF
router id 172.16.91.201;
protocol device { scan time 1; }
protocol static { ipv4; route 10.50.0.0/24 via 172.16.91.202; route 10.10.1.0/24 via 172.16.91.77; }
protocol kernel { scan time 1; learn; ipv4 { import all; export where source = RTS_STATIC; }; }
EOF
  applied A
  start_node A
  (exec nsenter --net=/run/netns/A /usr/sbin/bird -f -c "$work/bird.conf" -s "$work/bird.ctl") >"$work/bird.log" 2>&1 &
  bird=$!
  eventually 10 eval '[ -n "$(route_line A 10.50.0.0/24)" ]'
  sleep 3 # three of its scans
  same "BIRD's route" "$(route_line A 10.50.0.0/24 | sed 's/ metric 32//')" "10.50.0.0/24 via 172.16.91.202 dev eth0 proto bird"
  case $(ip -n A route show 10.10.1.0/24) in
    *"via 172.16.91.202 dev eth0 proto 169"*) checks=$((checks + 1)) ;;
    *) fail "BIRD took ours: $(ip -n A route show 10.10.1.0/24)" ;;
  esac
  kill -TERM "$bird"; wait "$bird" 2>/dev/null || true
  stop_node A
  node A clean; ok "clean beside BIRD"
fi

# The device is renamed, then made anew under its old name with another index and address.
seed_cluster
start_node A
eventually 5 eval '[ -n "$(route_line A 10.10.1.0/24)" ]'
ip -n A link set eth0 down; ip -n A link set eth0 name lan0; ip -n A link set lan0 up
eventually 3 eval '[ "$(route_line A 10.10.1.0/24)" = "10.10.1.0/24 via 172.16.91.202 dev lan0 proto 169" ]'
ip -n A link del lan0
plug A eth0 lan 172.16.91.201/24
eventually 3 eval '[ "$(route_line A 10.10.1.0/24)" = "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169" ]'
# The node's address moves to another device on the same wire.
ip -n A addr del 172.16.91.201/24 dev eth0
plug A bond0 lan 172.16.91.201/24
eventually 3 eval '[ "$(route_line A 10.10.1.0/24)" = "10.10.1.0/24 via 172.16.91.202 dev bond0 proto 169" ]'
stop_node A
done_testing
