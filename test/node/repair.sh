#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# `run` keeps a node in order: what others remove comes back, a new list is followed, a bad one is not.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
seed_pods
seed_cluster
start_node A; start_node B
route=10.10.1.0/24
eventually 5 eval '[ -n "$(route_line A $route)" ]'
all_pods_talk

# Somebody removes, changes or takes over: mended at once, and told.
has_route() { [ "$(route_line A $route)" = "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169" ]; }
for action in "route del $route" "route replace $route via 172.16.91.77 proto 169 dev eth0"; do
  # shellcheck disable=SC2086
  ip -n A $action
  eventually 2 has_route
done
ip -n A route del blackhole 10.10.0.0/24
eventually 2 eval 'ip -n A route show type blackhole | grep -q 10.10.0.0/24'
ip -n A link set eth0 down; ip -n A link set eth0 up # takes the route along without a word
eventually 2 has_route
reaches netns01 10.10.1.2
on A sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
kill -HUP "${service[A]}"
eventually 20 reaches netns01 10.10.1.2 -W1 # the first may still be lost

# A new node, in the file as an editor replaces it; then it moves to another address; then it is gone.
with_c='.nodes += [{"name":"C","nodeIP":"172.16.91.203","podCIDRs":["10.10.2.0/24"]}]'
c_route() { route_line A 10.10.2.0/24; }
seed_cluster "$with_c"
eventually 2 eval '[ "$(c_route)" = "10.10.2.0/24 via 172.16.91.203 dev eth0 proto 169" ]'
seed_cluster "$with_c" '.nodes[2].nodeIP = "172.16.91.204"'
eventually 2 eval '[ "$(c_route)" = "10.10.2.0/24 via 172.16.91.204 dev eth0 proto 169" ]'
# Not one that another node has; nothing changes, and it is said.
seed_cluster "$with_c" '.nodes[2].podCIDRs = ["10.10.1.0/25"]'
eventually 2 grep -q 'overlaps 10.10.1.0/24' "$work/A/log"
for bad in '.nodes = []' '.nodes[0].name = "X"' '.typo = 1' '.nodes[1].podCIDRs = ["10.10.1.7/24"]'; do
  seed_cluster "$bad"; kill -HUP "${service[A]}"; sleep 0.1
  [ -n "$(c_route)" ] && has_route || fail "a bad list ($bad) withdrew routes"
  checks=$((checks + 1))
done
printf '{"nodes":[' >"$cluster" # cut short, written in place
kill -HUP "${service[A]}"
eventually 2 grep -q 'is not JSON' "$work/A/log"
[ -n "$(c_route)" ] && has_route || fail "half a file withdrew routes"
seed_cluster 'del(.nodes[1])'
eventually 2 grep -q 'names no other node' "$work/A/log"
has_route || fail "a list without other nodes withdrew routes"
node A status --json
holds "status says what is held" '(.problems | any(.subject == "list" and (.text | test("names no other node")))) and .running and .inOrder' "$out"
seed_cluster
eventually 2 eval '[ -z "$(c_route)" ]'
has_route
node A status --json; ok "status"
holds "status" '.inOrder and .service.complete and (.peers[0] | .name == "B" and .state == "ok" and .path == "direct" and .since != null and
  .route == "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169" and (.why | test("on-link")))' "$out"
node A status; ok "status in text"
case $out in *"node A: in order"*B*10.10.1.0/24*direct*ok*) ;; *) fail "status in text: $out" ;; esac

# A foreign route stays, and its holder is named; when it goes, ours comes.
seed_cluster "$with_c" '.nodes[2].podCIDRs = ["10.10.3.0/24"]'
ip -n A route add 10.10.5.0/24 via 172.16.91.222 proto static
seed_cluster '.nodes += [{"name":"D","nodeIP":"172.16.91.205","podCIDRs":["10.10.5.0/24"]}]'
eventually 2 grep -q '10.10.5.0/24 is held by 10.10.5.0/24 via 172.16.91.222 dev eth0 proto static' "$work/A/log"
same "the foreign route" "$(route_line A 10.10.5.0/24)" "10.10.5.0/24 via 172.16.91.222 dev eth0 proto static"
ip -n A route del 10.10.5.0/24
eventually 2 eval '[ "$(route_line A 10.10.5.0/24)" = "10.10.5.0/24 via 172.16.91.205 dev eth0 proto 169" ]'

# Two at once are refused; SIGTERM ends it and leaves everything in place.
node A apply
[ "$status" = 1 ] || fail "apply beside run: $status"
case $errors in *"is at work on this node"*) ;; *) fail "apply beside run: $errors" ;; esac
kill -TERM "${service[A]}"
wait "${service[A]}" || fail "SIGTERM: exit status $?"
has_route || fail "the end of run withdrew the route"

# Away, then back with a bad file: the last good list, from disk; nothing goes before a good one is there.
ip -n A route del 10.10.5.0/24
echo '{' >"$cluster"
start_node A
eventually 5 eval '[ -n "$(route_line A 10.10.5.0/24)" ]'
seed_cluster
eventually 2 eval '[ -z "$(route_line A 10.10.5.0/24)" ]'

# A node that went while nobody was looking.
stop_node A
ip -n A route add 10.10.6.0/24 via 172.16.91.206 proto 169
start_node A
eventually 5 eval '[ -z "$(route_line A 10.10.6.0/24)" ]'
holds "routes of attachments stay" 'length == 1' "$(ip -n A -j route show 10.10.0.2)"
done_testing
