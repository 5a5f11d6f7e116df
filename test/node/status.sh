#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# `status` for people: what counts comes first, long names break no column, one peer or only what is wrong can be asked for, and
# without root what can be seen is seen.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
long=a-node-with-a-name-that-is-longer-than-any-column.example.net
seed_cluster ".nodes += [{\"name\":\"$long\",\"nodeIP\":\"172.16.91.203\",\"podCIDRs\":[\"10.10.2.0/24\"]}]"
applied A
node A status; ok "status"
same "the first line" "$(head -1 <<<"$out")" "node A: in order, no service is running; 2 pod subnets of others: 2 ok; 0 problem(s)"
# The column of the states begins at the same place in each line.
same "columns" "$(awk '/^PEER/ { at = index($0, "STATE") } at { print substr($0, at, 2) }' <<<"$out" | sort -u | xargs)" "ST ok"
ip -n A route del 10.10.2.0/24
node A status B --json
same "status of B, where another route is missing" "$status" 1
holds "status B" '[.peers[].name] == ["B"]' "$out"
node A status --problems
case $out in *"$long"*missing*) ;; *) fail "--problems: $out" ;; esac
same "peers that are well" "$(grep -c '^B ' <<<"$out" || true)" 0
node A status nobody
same "a peer that is not there" "$status" 2
node A plan --json; ok "plan --json"
holds "plan --json" '.commands == ["ip route add 10.10.2.0/24 via 172.16.91.203 dev eth0 proto 169"] and .problems == []' "$out"
applied A

# "NOT in order, 0 problem(s)" told no reason: the first line and the problems agree, whatever is wrong. What the service could
# not do is among them, in the kernel's words.
agrees() { # WHAT PATTERN: of a problem
  node A status
  same "$1" "$status $(head -1 <<<"$out" | grep -c 'NOT in order')" "1 1"
  grep -q "^problem: $2" <<<"$out" || fail "$1: $out"
  node A status --json
  holds "$1, as JSON" '(.inOrder | not) and any(.problems[]; .severity == "error")' "$out"
}
ip -n A route del 10.10.2.0/24
agrees "a route is missing" "this node is not as it should be; onlink-node apply would do: ip route add 10.10.2.0/24 "
applied A
if vxlan_here; then
  ip -n A link add theirs type vxlan id 4096 local 172.16.91.201 dstport 4789 nolearning
  seed_cluster 'del(.ipipMode) | .vxlanMode = "Always" | .resyncSeconds = 1'
  start_node A
  eventually 5 agrees "their device" "create vxlan.onlink of type vxlan: another VXLAN device has this VNI and port already"
  ip -n A link del theirs
  eventually 5 eval 'node A status; [ "$status" = 0 ] && head -1 <<<"$out" | grep " in order.*; 0 problem"'
  stop_node A
  node A clean
  seed_cluster ".nodes += [{\"name\":\"$long\",\"nodeIP\":\"172.16.91.203\",\"podCIDRs\":[\"10.10.2.0/24\"]}]"
  applied A
fi

# --watch prints again what has become of it.
node_command A
(exec nsenter --net=/run/netns/A "${command[@]}" status --watch) >"$work/watch" 2>&1 & watch=$!
eventually 10 grep -q '2 ok' "$work/watch"
ip -n A route del 10.10.2.0/24
eventually 10 grep -q '1 missing, 1 ok' "$work/watch"
kill "$watch"; wait "$watch" 2>/dev/null || true
applied A

# Without root.
chmod -R a+rX "$work"
status=0
out=$(on A setpriv --reuid 65534 --regid 65534 --clear-groups "${command[@]}" status 2>&1) || status=$?
ok "status without root: $out"
case $out in *"node A: in order"*"not visible without privileges: "*nftables*"2 ok"* | *"2 ok"*"not visible without privileges: "*) ;; *) fail "without root: $out" ;; esac
done_testing
