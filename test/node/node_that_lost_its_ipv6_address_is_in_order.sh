#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# A node of both families whose IPv6 address is gone, another one now, or a duplicate: the others cannot reach its pods by IPv6,
# and nobody said so.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
for each in A:201 B:202; do ip -n "${each%:*}" addr add "fd00:172::${each#*:}/64" dev eth0 nodad; done
seed_cluster '.nodes[0] += {"nodeIPv6":"fd00:172::201"} | .nodes[1] += {"nodeIPv6":"fd00:172::202"}' \
  '.nodes[0].podCIDRs += ["fd00:10:0::/64"] | .nodes[1].podCIDRs += ["fd00:10:1::/64"]'
applied A; applied B
told() { # WHAT WORDS, in place of the problem
  node A status --json
  same "$1" "$(jq -r '.problems[] | .kind + " " + .subject + ": " + .text' <<<"$out")" "no-own-address node: fd00:172::201, the address of this node, is $2"
  same "$1: exit status" "$status" 1
}
fine() { node A status; same "$1: exit status" "$status" 0; }
fine "at first"
address() { ip -n A -6 addr "$1" fd00:172::201/64 dev eth0 "${@:2}"; }

address del
ip -n A addr add fd00:172::211/64 dev eth0 nodad
told "another address" "on none of its interfaces"
ip -n A addr del fd00:172::211/64 dev eth0
on A sh -c 'echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_dad'
ip -n B addr add fd00:172::201/64 dev eth0 nodad
address add
told "not usable yet" "on eth0, but the kernel still asks whether another machine has it"
eventually 5 eval 'ip -n A addr show dev eth0 | grep -q dadfailed'
told "a duplicate" "on eth0, but another machine there has it, too: not used"
ip -n B addr del fd00:172::201/64 dev eth0
address del
address add nodad
fine "back"
address change preferred_lft 0
fine "deprecated, but there"
# One that no pod needs is not missed.
address del
seed_cluster '.nodes[0] += {"nodeIPv6":"fd00:172::201"}'
applied A
fine "no pods with IPv6"
done_testing
