#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel, with --all also guests
# The last good list is lost, and the next one is not complete: routes to nodes that it does not name stay. But the rules
# followed the list: they dropped what came out of the tunnel from these nodes, and gave what pods sent there the host's
# address; the tunnel's end lost its own, and with it the routes.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
keeps_paths() { # MODE-KEY
  local list=".ipipMode = \"Never\" | .$1 = \"Always\" | .masquerade = true | .filter = true"
  seed_cluster "$list"
  for host in A B; do applied "$host"; done
  [ -n "${pods:-}" ] || pod_mtu=1400 seed_pods
  pods=there
  reaches netns01 10.10.1.2
  routes=$(ip -n A route show proto 169)
  rm -r "$work/A/state"
  seed_cluster "$list" 'del(.nodes[1])'
  node A apply
  case $errors in *"route(s) to nodes that the list does not name stay for now"*) ;; *) fail "nothing is said: $out $errors" ;; esac
  same "routes with $1" "$(ip -n A route show proto 169)" "$routes"
  reaches netns01 10.10.1.2
  reaches netns03 10.10.0.2
  count_packets netns03 eth0 'icmp[0] == 8 and src 10.10.0.2' reaches netns01 10.10.1.2
  same "packets with the pod's own address" "$seen" 1
  node A plan
  same "what a plan would change" "$out" ""
  seed_cluster "$list"
  applied A
  for host in A B; do node "$host" clean; done
}
if vxlan_here; then keeps_paths vxlanMode; fi
if ipip_here; then keeps_paths ipipMode; fi
done_testing
