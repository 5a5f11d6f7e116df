#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# The nodes from a Kubernetes API, a small one that misbehaves on demand (fake_api.py): what is in the API is in the
# routing table, and whatever happens to the API, routes stay.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=api.bash
source "$(dirname "$0")/api.bash"

wire lan
host A && plug A eth0 lan 172.16.91.201/24
api_host lan
stat() { "$python" "$fake" tell "$api" stats | jq ".$1"; }
has() { [ "$(route_line A "$1")" = "$1 via $2 dev eth0 proto 169" ]; }
has_not() { [ -z "$(route_line A "$1")" ]; }
passes() { jq .passes "$work/A/run/service.json"; }
# A watch is open, and has had something in it: what happens next is not taken for the same trouble going on.
settled() { eventually 40 eval '[ "$(stat open)" = 1 ]'; tell bookmark; }
cut() { settled; [ -z "${1:-}" ] || tell compact "$1"; tell drop; }
problem() { jq -e --arg words "$1" '.sourceProblem | contains($words)' "$work/A/run/service.json"; }
no_problem() { [ "$(jq -r .sourceProblem "$work/A/run/service.json")" = "" ]; }
remark() { jq -e --arg words "$1" '.listProblems | any(.text | contains($words))' "$work/A/run/service.json"; }

conflist=$work/net.d/10-onlink.conflist
mkdir "$work/net.d"
jq -n --arg api "$api" --arg template "$root/conf/kubernetes/10-onlink.conflist.template" --arg path "$conflist" '
  {ipipMode: "Never", masquerade: false, filter: false, resyncSeconds: 3600,
   source: {type: "kubernetes", kubeconfig: ($api + "/kubeconfig"), conflist: {template: $template, path: $path}}}' >"$cluster"

# The API knows this node, but has no pod subnet for it yet: the peers are reached, no conflist, no condition.
start_api
tell tokens token-1
tell put A '{"status":{"addresses":[{"type":"InternalIP","address":"172.16.91.201"}]}}'
put B 172.16.91.202 10.10.1.0/24
put C 172.16.91.203 10.10.2.0/24
start_node A
eventually 10 has 10.10.1.0/24 172.16.91.202
eventually 10 has 10.10.2.0/24 172.16.91.203
[ ! -e "$conflist" ] || fail "a conflist before there is a pod subnet"
tell condition A; same "the condition before" "$told" none
# Then it has one, and is ready to carry pods.
put A 172.16.91.201 10.10.0.0/24
eventually 10 test -e "$conflist"
holds "the conflist" '.plugins[0].ipam.ranges == [[{subnet: "10.10.0.0/24"}]] and .plugins[0].type == "onlink"' "$(cat "$conflist")"
same "blackhole" "$(ip -n A -j route show type blackhole | jq -r '.[0].dst')" 10.10.0.0/24
condition() { tell condition A; [ "$told" = "$1" ]; }
eventually 10 condition "False OnlinkIsUp"
node A status --json; ok "status: $errors"
holds "status" '.inOrder and .service.complete and (.service.source | startswith("kubernetes ")) and .service.sourceProblem == "" and
  all(.peers[]; .state == "ok" and (.from | startswith("kubernetes ")))' "$out"

# What the kubelets say all the time costs no pass; and one list was enough so far.
before=$(passes)
tell heartbeat 30 # of each node
put D 172.16.91.204 10.10.3.0/24
eventually 10 has 10.10.3.0/24 172.16.91.204
[ $(($(passes) - before)) -lt 6 ] || fail "90 heartbeats and a new node took $(($(passes) - before)) passes"
same "lists" "$(stat lists)" 1

# A node moves, is removed, and its subnet goes to another.
put D 172.16.91.214 10.10.3.0/24
eventually 10 has 10.10.3.0/24 172.16.91.214
tell delete D
eventually 10 has_not 10.10.3.0/24
put E 172.16.91.205 10.10.3.0/24
eventually 10 has 10.10.3.0/24 172.16.91.205

# A watch that is cut resumes where it was, by a bookmark's version if need be; one that is too old lists again, and
# what was deleted meanwhile goes.
lists=$(stat lists); watches=$(stat watches)
cut
eventually 10 eval '[ "$(stat watches)" -gt "$watches" ] && [ "$(stat open)" = 1 ]'
same "lists" "$(stat lists)" "$lists"
for how in event status; do
  tell hide E
  cut "$how"
  eventually 10 has_not 10.10.3.0/24
  tell show
  cut "$how"
  eventually 10 has 10.10.3.0/24 172.16.91.205
done
eventually 10 no_problem
# What makes no sense ends the watch, and nothing else.
for garbage in '{"type":' '{"type":"MODIFIED","object":{}}' '[]' '{"type":"NEWS","object":{"metadata":{"resourceVersion":"1"}}}'; do
  settled
  watches=$(stat watches)
  tell garbage "$garbage"
  eventually 20 eval '[ "$(stat watches)" -gt "$watches" ]'
done
put F 172.16.91.206 10.10.5.0/24
eventually 20 has 10.10.5.0/24 172.16.91.206

# The token is rotated: the new one is taken from the file. A wrong one, or missing rights: said, and routes stay.
echo token-2 >"$api/token.new"; mv "$api/token.new" "$api/token"
tell tokens token-2
cut
put G 172.16.91.207 10.10.6.0/24
eventually 20 has 10.10.6.0/24 172.16.91.207
tell tokens token-3
cut
eventually 20 problem "HTTP 401"
tell tokens token-2
cut # settled again: the refusals that follow are the first
tell forbid 1
tell drop
eventually 40 problem 'User "onlink" cannot list resource'
grep -q 'the last good list of nodes stays in use: the API refuses (HTTP 403)' "$work/A/log" || fail "403 is not in the log"
node A status
case $out in *"nodes from kubernetes "*"HTTP 403"*) ;; *) fail "status does not name the refusal: $out" ;; esac
has 10.10.6.0/24 172.16.91.207 || fail "a refusal withdrew a route"
[ "$(stat refused)" -lt 40 ] || fail "$(stat refused) questions to an API that refuses"
tell forbid 0
eventually 60 no_problem

# One node that makes no sense stays as it was, and is named; the others go on.
tell put B '{"status":{"addresses":[{"type":"Hostname","address":"B"}]}}'
eventually 10 remark "Node B no longer has an IPv4 address"
tell put C '{"metadata":{"annotations":{"onlink.io/ipip-mode":"Sometimes"}}}'
eventually 10 remark 'annotation onlink.io/ipip-mode: must be Always, CrossSubnet or Never, not "Sometimes"'
tell put G '{"metadata":{"annotations":{"onlink.io/node-ip":"172.16.91.217"}}}'
eventually 10 has 10.10.6.0/24 172.16.91.217
put H 172.16.91.208 10.10.0.128/25
eventually 10 remark 'Node H.podCIDRs[0]: 10.10.0.128/25 overlaps 10.10.0.0/24 of Node A ("A"), which is this node'
has 10.10.1.0/24 172.16.91.202 || fail "the route of a node without an address went"
has 10.10.2.0/24 172.16.91.203 || fail "the route of a node with a bad annotation went"
tell delete H
put B 172.16.91.202 10.10.1.0/24
tell put C '{"metadata":{"annotations":{"onlink.io/ipip-mode":null}}}'
eventually 10 eval '! remark Node'

# The condition, when somebody else changes it.
tell put A '{"status":{"conditions":[{"type":"NetworkUnavailable","status":"True","reason":"NoRouteCreated"}]}}'
eventually 10 condition "False OnlinkIsUp"

# Most nodes are missing of a sudden: they stay until a second list agrees. Here it does not.
(exec nsenter --net=/run/netns/A ip monitor route >"$work/monitor") & monitor=$!
listens() { ip -n A route add 203.0.113.1 dev lo; ip -n A route del 203.0.113.1 dev lo; grep -q '^Deleted 203.0.113.1' "$work/monitor"; }
eventually 10 listens
lists=$(stat lists)
tell hide-once B C E F
cut status
eventually 10 grep -q "the list no longer names 4 of 5 other nodes" "$work/A/log"
eventually 20 eval '[ "$(stat lists)" -ge $((lists + 2)) ] && ! remark "no longer names"'
for cidr in 10.10.1.0/24 10.10.2.0/24 10.10.3.0/24 10.10.5.0/24; do [ -n "$(route_line A $cidr)" ] || fail "$cidr is gone"; done
kill "$monitor"; wait "$monitor" 2>/dev/null || true
! grep '^Deleted 10\.10\.' "$work/monitor" || fail "a list that nothing confirmed withdrew routes"

# The API goes away: routes stay; so they do, and come back, over a boot without it.
stop_api
eventually 20 problem "172.16.91.100"
stop_node A
ip -n A route flush proto 169
rm -r "$work/A/run"
start_node A
eventually 10 has 10.10.1.0/24 172.16.91.202
eventually 10 problem "172.16.91.100"
node A status --json
holds "status without an API" '(.inOrder | not) or .peers[0].from == "the last good list"' "$out"
start_api
eventually 60 no_problem
put D 172.16.91.204 10.10.7.0/24
eventually 10 has 10.10.7.0/24 172.16.91.204

# The rules are taken from the file all the time: without the peers' routes being touched.
jq '.maxWithdrawPercent = 40' "$cluster" >"$cluster.new" && mv "$cluster.new" "$cluster"
echo '{' >"$cluster.new" && mv "$cluster.new" "$cluster"
eventually 10 problem "is not JSON"
has 10.10.1.0/24 172.16.91.202 || fail "a bad file withdrew routes"
jq -n --arg api "$api" --arg template "$root/conf/kubernetes/10-onlink.conflist.template" --arg path "$conflist" '
  {ipipMode: "Never", masquerade: false, filter: false, resyncSeconds: 3600,
   source: {type: "kubernetes", kubeconfig: ($api + "/kubeconfig"), conflist: {template: $template, path: $path}}}' >"$cluster.new"
mv "$cluster.new" "$cluster"
eventually 10 no_problem
has 10.10.1.0/24 172.16.91.202 || fail "a good file withdrew routes"

# A list in pages whose continue tokens expire, twice: it is begun again, and what is not gone stays meanwhile.
settled
tell stats; before=$told # both at one moment
tell pages 2 2
tell hide G
(exec ip -n A monitor route) >"$work/changes" 2>&1 &
monitor=$!
eventually 10 eval 'ip -n A route add 10.77.0.0/24 via 172.16.91.202; ip -n A route del 10.77.0.0/24; grep -q 10.77.0.0 "$work/changes"'
kill -HUP "${service[A]}"
eventually 20 grep '^Deleted 10.10.6.0/24' "$work/changes"
kill "$monitor"
tell stats
same "lists, and pages of seven nodes" "$(jq -r --argjson before "$before" '"\(.lists - $before.lists) \(.pages - $before.pages)"' <<<"$told")" "3 7"
same "what went" "$(awk '$1 == "Deleted" && / 10.10/ { print $2 }' "$work/changes")" 10.10.6.0/24
tell show
cut event
eventually 20 has 10.10.6.0/24 172.16.91.217
tell pages 500

# A client certificate instead of a token: in the kubeconfig itself, in files that are replaced, and one that the API does
# not know.
sign() { # NAME AUTHORITY
  openssl req -new -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$api/client.key" -out "$api/client.csr" 2>/dev/null &&
    openssl x509 -req -in "$api/client.csr" -CA "$api/$2.pem" -CAkey "$api/${2/cert/key}.pem" -CAcreateserial -days 2 -out "$api/client.pem" 2>/dev/null
}
user() { sed "s#user: {.*}#user: {$1}#" "$api/kubeconfig" >"$api/kubeconfig.new" && mv "$api/kubeconfig.new" "$api/kubeconfig"; }
sign one cert || fail "openssl"
user "client-certificate-data: $(base64 -w0 "$api/client.pem"), client-key-data: $(base64 -w0 "$api/client.key")"
tell tokens cn:one
cut
put E 172.16.91.215 10.10.3.0/24
eventually 20 has 10.10.3.0/24 172.16.91.215
user "client-certificate: client.pem, client-key: client.key"
sign two cert || fail "openssl"
tell tokens cn:two
cut
put E 172.16.91.225 10.10.3.0/24
eventually 20 has 10.10.3.0/24 172.16.91.225
no_problem || fail "with a client certificate: $(jq .sourceProblem "$work/A/run/service.json")"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=other -keyout "$api/other.pem" -out "$api/other.pem" 2>/dev/null || fail "openssl"
cp "$api/client.pem" "$api/good.pem"; cp "$api/client.key" "$api/good.key"
sign two other || fail "openssl"
cut
eventually 20 problem "no word from the API since" # "unknown ca", or, where that was overtaken, a connection reset
has 10.10.3.0/24 172.16.91.225 || fail "a refused certificate withdrew a route"
mv "$api/good.key" "$api/client.key"; mv "$api/good.pem" "$api/client.pem"
eventually 40 no_problem

# Both families: two InternalIPs and two pod subnets make routes, conflist and masquerade for each.
both() { # NAME IPV4 CIDR4 IPV6 CIDR6
  tell put "$1" "{\"spec\":{\"podCIDR\":\"$3\",\"podCIDRs\":[\"$3\",\"$5\"]},\"status\":{\"addresses\":[
    {\"type\":\"InternalIP\",\"address\":\"$2\"},{\"type\":\"InternalIP\",\"address\":\"$4\"}]}}"
}
ip -n A -6 addr add fd00:172::201/64 dev eth0 nodad
jq '.masquerade = true' "$cluster" >"$cluster.new" && mv "$cluster.new" "$cluster"
both A 172.16.91.201 10.10.0.0/24 fd00:172::201 fd00:10::/64
both E 172.16.91.225 10.10.3.0/24 fd00:172::225 fd00:13::/64
eventually 10 eval '[ "$(ip -n A -6 -j route show fd00:13::/64 | jq -r ".[0] | [.gateway, .dev, .protocol] | join(\" \")")" = "fd00:172::225 eth0 169" ]'
has 10.10.3.0/24 172.16.91.225 || fail "the IPv4 route went when IPv6 came"
eventually 10 eval 'jq -e ".plugins[0].ipam.ranges == [[{subnet: \"10.10.0.0/24\"}], [{subnet: \"fd00:10::/64\"}]]" "$conflist"'
same "IPv6 blackhole" "$(ip -n A -6 -j route show type blackhole | jq -r '.[0].dst')" fd00:10::/64
eventually 10 on A nft get element inet onlink inside_v6 '{ fd00:13::/64 }'
eventually 10 on A nft get element inet onlink masqueraded_v6 '{ fd00:10::/64 }'
on A nft list chain inet onlink leaving | grep 'ip6 saddr @masqueraded_v6 ip6 daddr != @inside_v6 masquerade' >/dev/null || fail "no masquerade of IPv6"
node A status --json
holds "status" '[.peers[] | select(.podCIDR == "fd00:13::/64" or .cidr == "fd00:13::/64") | .state] == ["ok"]' "$out"

# Most nodes are gone, really.
tell hide B C E F
cut event
eventually 10 remark "the list no longer names 4 of 6 other nodes"
eventually 30 has_not 10.10.1.0/24
has 10.10.7.0/24 172.16.91.204 || fail "D went with the others"

# Once, without a service; then everything goes: the conflist, the condition, the routes.
stop_node A
[ -e "$conflist" ] || fail "the end of run took the conflist along"
condition "False OnlinkIsUp" || fail "the end of run changed the condition: $told"
tell show
node A plan; ok "plan: $errors"
case $out in *"10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"*) ;; *) fail "plan: $out" ;; esac
node A apply; ok "apply: $errors"
has 10.10.1.0/24 172.16.91.202 || fail "apply"
node A clean; ok "clean: $errors"
[ ! -e "$conflist" ] || fail "clean leaves the conflist"
condition none || fail "clean leaves the condition: $told"
has_not 10.10.1.0/24 || fail "clean leaves routes"
node A clean; ok "clean twice: $errors"
done_testing
