#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# What keeps a node in order does not know where its list of nodes comes from: one scenario, the same for the cluster
# file, the Kubernetes API and the kernel table of a routing daemon, each on a host of its own.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=api.bash
source "$(dirname "$0")/api.bash"

wire lan
api_host lan
hold=2 # seconds, of the source "routes"
declare -A address=([file]=172.16.91.101 [kubernetes]=172.16.91.102 [routes]=172.16.91.103)

# The host is named after its source, $source. What each source has to have of its own:
#   publish_SOURCE   what it says from now on is $peers, whether it was there or not
#   lose_SOURCE      it is not there any more
declare -A source_name=([file]="file $work/file/conf/cluster.json" [kubernetes]="kubernetes $api/kubeconfig" [routes]="kernel table 169")
declare -A trouble=([file]="$work/file/conf/cluster.json" [kubernetes]=172.16.91.100 [routes]="kernel table 169 holds no usable route")
write_cluster() { # JQ-ARGUMENT...: what the file has besides the rules
  jq -n --arg ip "${address[$source]}" --arg name "$source" --arg api "$api" --argjson hold $hold --argjson peers "$peers" \
    "{ipipMode: \"Never\", masquerade: true, filter: true, resyncSeconds: 3600} +
     ({name: \$name, nodeIP: \$ip, podCIDRs: [\"10.10.0.0/24\"]} as \$self | $1)" >"${cluster_of[$source]}.new"
  mv "${cluster_of[$source]}.new" "${cluster_of[$source]}"
}
set_up_file() { :; }
publish_file() { write_cluster '{nodes: ([$self] + $peers)}'; }
lose_file() { rm "${cluster_of[file]}"; }

set_up_kubernetes() {
  start_api
  tell tokens token-1
  put kubernetes "${address[kubernetes]}" 10.10.0.0/24
  published='[]'
  write_cluster '{source: {type: "kubernetes", kubeconfig: ($api + "/kubeconfig")}}'
}
publish_kubernetes() {
  local name ip cidr
  [ -n "$api_process" ] || start_api
  while read -r name ip cidr; do put "$name" "$ip" "$cidr"; done < <(jq -r '.[] | "\(.name) \(.nodeIP) \(.podCIDRs[0])"' <<<"$peers")
  for name in $(jq -rn --argjson before "$published" --argjson now "$peers" '$before - $now | map(.name) - ($now | map(.name)) | .[]'); do
    tell delete "$name"
  done
  published=$peers
}
lose_kubernetes() { stop_api; }

set_up_routes() {
  published='[]'
  write_cluster '{nodes: [$self], source: {type: "routes", table: 169, holdSeconds: $hold}}'
}
publish_routes() {
  jq -rn --argjson before "$published" --argjson now "$peers" '
    ($now[] | "route replace \(.podCIDRs[0]) via \(.nodeIP) dev lo onlink table 169 proto bird"),
    (($before | map(.podCIDRs[0])) - ($now | map(.podCIDRs[0])) | .[] | "route del \(.) table 169")' | ip -n routes -batch -
  published=$peers
}
lose_routes() {
  ip -n routes route flush table 169
  published='[]'
}

# change JQ-PROGRAM: the source has another list.
change() { peers=$(jq -c "$1" <<<"$peers"); "publish_$source"; }
# in_place [JQ-PROGRAM]: the routes of our protocol are those of $peers and this node's own, and none besides.
carried() { ip -n "$source" -j route show proto 169 | jq -c 'map(if .gateway then [.dst, .gateway, .dev] else [.dst, .type] end) | sort'; }
in_place() { [ "$(carried)" = "$(jq -c "map([.podCIDRs[0], .nodeIP, \"eth0\"]) + [[\"10.10.0.0/24\", \"blackhole\"]] | ${1:-.} | sort" <<<"$peers")" ]; }
table() { on "$source" nft -s -j list table inet onlink | jq -cS '.nftables |
  walk(if type == "object" then del(.handle) | if (.elem | type) == "array" then .elem |= sort else . end else . end)'; }
same_table() { [ "$(table)" = "$1" ]; }
foreign() { ip -n "$source" -j route show proto static | jq -c 'map([.dst, .gateway])'; }
# What `run` says of its source: WORDS, or that all is well.
service_says() {
  jq -e --arg words "$1" --argjson pid "${service[$source]}" --arg source "${source_name[$source]}" '.pid == $pid and
    .source == $source and if $words == "" then .sourceProblem == "" and .complete else (.sourceProblem | contains($words)) and (.complete | not) end' \
    "$work/$source/run/service.json"
}
# status_says JQ-PROGRAM: also that the source is named, and each path is in place.
status_says() {
  node "$source" status --json
  holds "status with source $source" ".running and .service.source == \"${source_name[$source]}\" and
    ([.peers[].podCIDR] | sort) == $(jq -c 'map(.podCIDRs[0]) | sort' <<<"$peers") and all(.peers[]; .state == \"ok\") and ($1)" "$out"
}

# What the kernel says about routes while the source is away. A marker that was heard tells that all before it was, too.
listen() {
  (exec nsenter --net="/run/netns/$source" ip -o monitor route >"$work/$source/heard" 2>&1) &
  monitor=$!
  eventually 10 mark 192.0.2.101
}
# Added and removed each time: of a route that is there already the kernel says nothing.
mark() {
  ip -n "$source" route add blackhole "$1" table 77 && ip -n "$source" route del blackhole "$1" table 77
  grep -q "$1" "$work/$source/heard"
}
withdrawn() {
  eventually 10 mark 192.0.2.102
  kill "$monitor"
  wait "$monitor" 2>/dev/null || true
  sed -n 's/^Deleted \(.*\) proto 169.*/\1/p' "$work/$source/heard"
}
wrong() { ip -n "$source" route replace "$1" via 172.16.91.77 dev eth0 proto 169; }

scenario() {
  local loaded before stale
  peers='[{"name":"B","nodeIP":"172.16.91.202","podCIDRs":["10.10.1.0/24"]},{"name":"C","nodeIP":"172.16.91.203","podCIDRs":["10.10.2.0/24"]}]'
  host "$source" && plug "$source" eth0 lan "${address[$source]}/24"
  mkdir "$work/$source/conf"
  cluster_of[$source]=$work/$source/conf/cluster.json
  eventually 10 finished "$source"
  ip -n "$source" route add 10.99.0.0/24 via 172.16.91.222 proto static
  before=$(everything "$source")

  "set_up_$source"
  change .
  start_node "$source"
  eventually 20 in_place
  eventually 20 service_says ""
  status_says ".service.complete and .service.sourceProblem == \"\" and all(.peers[]; .from == \"${source_name[$source]}\")"
  loaded=$(table)
  holds "the table" 'any(.[]; has("chain")) and any(.[]; has("rule"))' "$loaded"

  # Somebody removes what is ours: it comes back. What is somebody else's is left alone.
  ip -n "$source" route del 10.10.1.0/24
  eventually 10 in_place
  on "$source" nft delete table inet onlink
  eventually 10 same_table "$loaded"
  ip -n "$source" route add 10.10.5.0/24 via 172.16.91.222 proto static
  change '. + [{"name":"E","nodeIP":"172.16.91.205","podCIDRs":["10.10.5.0/24"]}]'
  eventually 10 grep -q '10.10.5.0/24 is held by 10.10.5.0/24 via 172.16.91.222 dev eth0 proto static' "$work/$source/log"
  in_place 'map(select(.[0] != "10.10.5.0/24"))' || fail "a foreign route with source $source: $(carried)"
  same "foreign routes" "$(foreign)" '[["10.10.5.0/24","172.16.91.222"],["10.99.0.0/24","172.16.91.222"]]'
  ip -n "$source" route del 10.10.5.0/24 proto static
  eventually 10 in_place

  # A peer comes, moves, and goes.
  change '. + [{"name":"F","nodeIP":"172.16.91.206","podCIDRs":["10.10.6.0/24"]}]'
  eventually 10 in_place
  change 'map(if .name == "F" then .nodeIP = "172.16.91.216" else . end)'
  eventually 10 in_place
  change 'map(select(.name != "F"))'
  eventually 15 in_place

  # The source goes away, and the process too; it starts again without its source.
  stale='. + [["10.10.66.0/24", "172.16.91.66", "eth0"]]'
  listen
  "lose_$source"
  eventually 20 service_says "${trouble[$source]}"
  [ "$source" != routes ] || sleep $((hold + 1)) # by then it would have gone
  status_says '.service.sourceProblem != "" and (.service.complete | not) and all(.peers[]; .from == "the last good list")'
  wrong 10.10.1.0/24
  eventually 10 in_place
  kill -KILL "${service[$source]}"
  wait "${service[$source]}" 2>/dev/null || true
  wrong 10.10.2.0/24
  ip -n "$source" route add 10.10.66.0/24 via 172.16.91.66 dev eth0 proto 169 # to a node that may be gone
  start_node "$source"
  eventually 20 in_place "$stale"
  eventually 20 service_says "${trouble[$source]}"
  status_says '.service.sourceProblem != "" and (.service.complete | not) and all(.peers[]; .from == "the last good list" or .from == "an earlier list")'

  # It is back, with one more. Now what it does not name goes, and nothing else went.
  change '. + [{"name":"D","nodeIP":"172.16.91.204","podCIDRs":["10.10.4.0/24"]}]'
  eventually 60 in_place
  eventually 20 service_says ""
  status_says '.service.complete and .service.sourceProblem == ""'
  same "withdrawn with source $source" "$(withdrawn)" "10.10.66.0/24 via 172.16.91.66 dev eth0"

  stop_node "$source"
  in_place || fail "the end of run changed routes with source $source: $(carried)"
  holds "the table after the end of run" 'any(.[]; has("rule"))' "$(table)"
  node "$source" clean; ok "clean with source $source: $errors"
  "lose_$source"
  same "the host after clean, source $source" "$(everything "$source")" "$before"
  echo "sources.sh: $source: done after $SECONDS s"
}
for source in file kubernetes routes; do scenario; done
done_testing
