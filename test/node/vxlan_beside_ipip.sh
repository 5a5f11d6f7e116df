#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: guest 6.12
# From IPIP to VXLAN node by node, on a running cluster: no path is lost while single nodes name the other mode, and nothing
# of the former tunnel is left but what belongs to its module. And back.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

wire lan
for name in A B; do host "$name"; done
plug A eth0 lan 172.16.91.201/24
plug B eth0 lan 172.16.91.202/24
host C && plug C eth0 lan 172.16.91.203/24
pod_mtu=1450
seed_pods
pod_at C netns05 10.10.2.2
third='.nodes += [{"name":"C","nodeIP":"172.16.91.203","podCIDRs":["10.10.2.0/24"]}] | .filter = true | .masquerade = true'
kinds() { # HOST: its peers and how they are reached
  node "$1" status --json
  jq -r '[.peers[] | "\(.name) \(.path) \(.state)"] | join(", ")' <<<"$out"
}
talk_all() {
  checks=$((checks + 1))
  "$python" "$talk" pairs netns01=10.10.0.2 netns03=10.10.1.2 netns05=10.10.2.2 >"$work/talk" || fail "the pods do not all talk: $1"
}
all_have() { # A's, B's, C's
  eventually 10 eval '[ "$(kinds A)" = "'"$1"'" ]'
  eventually 10 eval '[ "$(kinds B)" = "'"$2"'" ]'
  eventually 10 eval '[ "$(kinds C)" = "'"$3"'" ]'
}
seed_cluster '.ipipMode = "Always"' "$third"
for name in A B C; do start_node "$name"; done
all_have "B ipip ok, C ipip ok" "A ipip ok, C ipip ok" "A ipip ok, B ipip ok"
talk_all "IPIP"
seed_cluster '.ipipMode = "Always"' "$third" '(.nodes[] | select(.name == "B")).vxlanMode = "Always"'
all_have "B vxlan ok, C ipip ok" "A vxlan ok, C vxlan ok" "A ipip ok, B vxlan ok"
talk_all "one node goes first"
same "the MTU of a node with both tunnels" "$(cat "$work/A/run/mtu")" 1450
seed_cluster 'del(.ipipMode) | .vxlanMode = "Always"' "$third"
all_have "B vxlan ok, C vxlan ok" "A vxlan ok, C vxlan ok" "A vxlan ok, B vxlan ok"
talk_all "VXLAN"
same "nothing of IPIP" "$(ip -n A route show dev tunl0 | wc -l) $(ip -j -n A addr show tunl0 | jq '[.[0].addr_info[]? | select(.local == "10.10.0.1")] | length')" "0 0"
seed_cluster '.ipipMode = "Always"' "$third"
all_have "B ipip ok, C ipip ok" "A ipip ok, C ipip ok" "A ipip ok, B ipip ok"
talk_all "IPIP again"
same "nothing of VXLAN" "$(ip -n A link show vxlan.onlink 2>&1 | grep -c 'does not exist')" 1
for name in A B C; do stop_node "$name"; done
done_testing
