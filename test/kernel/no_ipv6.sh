#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# with --all only
# boot: ipv6.disable=1
# A kernel without IPv6: everything works for IPv4, and IPv6 is refused in one clear sentence that leaves nothing behind.
# shellcheck source=../node/lib.bash
source "$(dirname "$0")/../node/lib.bash"
[ ! -e /proc/sys/net/ipv6 ] || fail "this kernel has IPv6"

pod p1
before=$(snapshot; snapshot p1)
cni STATUS -; ok STATUS
cni ADD p1; ok ADD
result=$out
address=$(jq -r '.ips[0].address | sub("/.*"; "")' <<<"$out")
reaches p1 192.0.2.1
checks=$((checks + 1)); ping -q -c1 -W2 "$address" >/dev/null || fail "no ping to $address"
with_prev "$result"; cni CHECK p1; ok CHECK
cni DEL p1; ok DEL
same "what is left after DEL" "$(snapshot; snapshot p1)" "$before"

for each in "$ipv6" "$dual"; do
  conf "$each"
  cni ADD p1
  refused 100 "this kernel has no IPv6"
  same "what a refused ADD leaves" "$(snapshot; snapshot p1)" "$before"
  cni DEL p1; ok "DEL after the refusal"
done

seed_hosts
seed_pods
seed_cluster '.masquerade = true | .filter = true'
applied A; applied B
same "words" "$errors" ""
all_pods_talk
node A plan; ok plan
same "nothing is left to do" "$out$errors" ""
node A status; ok "status: $out$errors"
start_node A
eventually 20 test -s "$work/A/run/service.json"
node A status --json; ok "status beside run: $out$errors"
holds "status" '.running and .inOrder and .problems == [] and .peers[0].state == "ok"' "$out"
ip -n A route del 10.10.1.0/24
eventually 5 eval '[ -n "$(route_line A 10.10.1.0/24)" ]'
stop_node A
if ipip_here; then
  seed_cluster '.ipipMode = "Always"'
  applied A; applied B
  count_packets A eth0 'ip proto 4' all_pods_talk
  [ "$seen" -gt 32 ] || fail "only $seen packets of protocol 4"
fi

# IPv6 subnets beside: told, and IPv4 goes on.
seed_cluster '.ipipModeIPv6 = "Never"' '.nodes[0].podCIDRs += ["fd00:10::/64"] | .nodes[0].nodeIPv6 = "fd00:172::201" |
  .nodes[1].podCIDRs += ["fd00:11::/64"] | .nodes[1].nodeIPv6 = "fd00:172::202"'
node A apply
same "exit status with IPv6 subnets" "$status" 1
case $errors in *IPv6*) ;; *) fail "apply with IPv6 subnets says: $errors" ;; esac
reaches netns01 10.10.1.2
node A clean; ok "clean: $errors"
done_testing
