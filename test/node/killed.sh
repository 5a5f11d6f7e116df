#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel, with --all also guests
# onlink-node is killed at random moments while the list of nodes changes: no stale route after a restart, and no packet
# lost on the paths that did not change.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

rounds=${ONLINK_KILL_ROUNDS:-12}
seed_hosts
seed_pods
ipip_here && mode=Always || mode=Never
seed_cluster ".ipipMode = \"$mode\""
start_node A; start_node B
eventually 20 reaches netns01 10.10.1.2
"$python" "$talk" stream 120 netns01 10.10.1.2 10.10.1.3 >"$work/stream" &
stream=$!
for ((round = 1; round <= rounds; round++)); do
  number=$((round % 2 + 3))
  seed_cluster ".ipipMode = \"$mode\"" ".nodes += [{\"name\":\"C\",\"nodeIP\":\"172.16.91.20$number\",\"podCIDRs\":[\"10.10.$number.0/24\"]}]"
  sleep "0.0$((RANDOM % 10))"
  kill -KILL "${service[A]}"
  wait "${service[A]}" 2>/dev/null || true
  start_node A
done
eventually 20 eval '[ -n "$(route_line A "10.10.$number.0/24")" ]'
other=$((7 - number))
eventually 5 eval '[ -z "$(route_line A "10.10.$other.0/24")" ]'
kill -TERM "$stream"
wait "$stream"
echo "while killed $rounds times: $(cat "$work/stream")"
holds "packets lost" 'all(.[]; .sent > 20 and .lost == 0)' "$(cat "$work/stream")"
same "our routes" "$(ip -n A -j route show proto 169 | jq -r '[.[] | select(.gateway or .type == "blackhole") | .dst] | sort | join(" ")')" \
  "10.10.0.0/24 10.10.1.0/24 10.10.$number.0/24"
stop_node A
done_testing
