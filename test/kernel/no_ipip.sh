#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# boot: modprobe.blacklist=ipip
# A kernel whose ipip may not be loaded: onlink-node says so, once and clearly, and the routes that need no tunnel are
# made and kept.
# shellcheck source=../node/lib.bash
source "$(dirname "$0")/../node/lib.bash"
# shellcheck source=../node/bgp.bash
source "$(dirname "$0")/../node/bgp.bash"
ipip_here && fail "this kernel has ipip"

hosts_behind_router
seed_pods
pod_at C netns05 10.10.2.2
direct="10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"
why="C (10.10.2.0/24): 172.16.92.203 is not on-link"
missing="this kernel has no ipip module"

# Nobody needs it: not a word.
seed_cluster '.ipipMode = "CrossSubnet"'
applied A; applied B
same "words about a tunnel that nobody needs" "$errors" ""
all_pods_talk

seed_cluster '.ipipMode = "CrossSubnet"' "$third_node"
node A apply
same "exit status" "$status" 1
case $errors in *"$why"*"$missing"*) ;; *) fail "apply says: $errors" ;; esac
same "the way to a neighbour" "$(route_line A 10.10.1.0/24)" "$direct"
same "no way to C" "$(route_line A 10.10.2.0/24)" ""
reaches netns01 10.10.1.2
node A plan
case $out in *tunl0*) fail "plan wants a tunnel: $out" ;; esac

# As a service, also where all should go through the tunnel; the direct route is mended, and the log does not fill.
start_node A
eventually 20 grep -q "$missing" "$work/A/log"
ip -n A route del 10.10.1.0/24
eventually 5 eval '[ "$(route_line A 10.10.1.0/24)" = "$direct" ]'
seed_cluster '.ipipMode = "Always"' "$third_node"
eventually 5 grep -q "no tunnel: $missing" "$work/A/log"
node A status
case $out$errors in *"$missing"*) ;; *) fail "status says: $out$errors" ;; esac
seed_cluster
eventually 5 eval '[ "$(route_line A 10.10.1.0/24)" = "$direct" ]'
reaches netns01 10.10.1.2
stop_node A
[ "$(grep -c "no tunnel: $missing" "$work/A/log")" -le 2 ] || fail "said again and again: $(cat "$work/A/log")"
node A clean; ok "clean: $errors"
same "routes after clean" "$(ip -n A route show proto 169 | grep -c via || true)" 0
done_testing
