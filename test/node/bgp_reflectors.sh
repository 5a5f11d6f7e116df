#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Twenty nodes, two of them route reflectors: each node speaks with these two only and reaches all. One reflector dies,
# then a node joins that only the reflectors were told about; nobody loses a packet.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=bgp.bash
source "$(dirname "$0")/bgp.bash"

count=20
wire lan
nodes=$(for ((i = 1; i <= count; i++)); do printf '{"name":"n%d","nodeIP":"172.16.91.%d","podCIDRs":["10.10.%d.0/24"]}' "$i" "$i" "$i"; done | jq -s .)
list=".nodes = $(jq -c . <<<"$nodes")"
rules='.bgp += {"routeReflectors":["n1","n2"],"clusterId":"192.0.2.9","prefixes":["10.10.0.0/16"],"password":"a secret"}'
# A node knows itself and the reflectors; only they know all, the last one not yet.
last=n$count
file_of() { # NUMBER JQ-PROGRAM: its cluster file, as far as the program lets it know
  cluster=$work/n$1/cluster.json cluster_of[n$1]=$work/n$1/cluster.json
  seed_cluster "$(routes_source 60) | $list | $rules | $2"
  configure_bird "n$1"
}
for ((i = 1; i <= count; i++)); do
  host "n$i" && plug "n$i" eth0 lan "172.16.91.$i/24"
  case $i in 1 | 2 | 7 | 13 | "$count") pod_at "n$i" "pod$i" "10.10.$i.2" ;; esac
  if [ "$i" -le 2 ]; then file_of "$i" 'del(.nodes[-1])'
  else file_of "$i" ".nodes |= map(select(.name == \"n1\" or .name == \"n2\" or .name == \"n$i\"))"; fi
done
for ((i = 1; i < count; i++)); do start_node "n$i"; start_bird "n$i" -R; done
knows() { [ "$(ip -n "$1" -j route show proto 169 | grep -o '"gateway"' | wc -l)" = "$2" ]; }
for ((i = 1; i < count; i++)); do eventually 40 knows "n$i" $((count - 2)); done
same "n7's route to n13" "$(route_line n7 10.10.13.0/24)" "10.10.13.0/24 via 172.16.91.13 dev eth0 proto 169"
for each in 1 2 13; do reaches pod7 "10.10.$each.2"; reaches "pod$each" 10.10.7.2; done
same "sessions of n7" "$(ask_bird n7 show protocols | grep -c ' BGP ')" 2
same "sessions of n1" "$(ask_bird n1 show protocols | grep -c Established)" $((count - 2))

joins() {
  end_bird n1 KILL
  file_of 1 .; file_of 2 .
  ask_bird n2 configure >/dev/null
  start_node $last; start_bird $last -R
  eventually 40 knows $last $((count - 1))
  for ((i = 3; i < count; i++)); do eventually 40 knows "n$i" $((count - 1)); done
  start_bird n1 -R
  eventually 40 eval '[ "$(ask_bird n1 show protocols | grep -c Established)" = '$((count - 1))' ]'
  eventually 40 knows n1 $((count - 1))
}
lossless pod7 10.10.13.2 joins
reaches pod7 10.10.$count.2
reaches "pod$count" 10.10.1.2
echo "bgp_reflectors.sh: $pinged pings, none lost"
done_testing
