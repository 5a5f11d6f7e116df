#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel, with --all also guests
# The nftables table: masquerade for what leaves the cluster, protocol 4 from the nodes only, no forged sources.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=forge.bash
source "$(dirname "$0")/forge.bash"

# A and B as ever, a third host on their wire that is no node, and the world behind it, which knows no pod subnet.
seed_hosts
host stranger && plug stranger eth0 lan 172.16.91.250/24
wire far
plug stranger eth1 far 198.51.100.1/24
host world && plug world eth0 far 198.51.100.2/24
ip -n world route add default via 198.51.100.1
for node in A B; do ip -n "$node" route add default via 172.16.91.250; done
on stranger sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
seed_pods

rules='.masquerade = true | .filter = true | .ipipMode = "CrossSubnet"'
seed_cluster "$rules"
# This kernel may have no ipip; nobody here needs the tunnel, all are on one wire.
node A apply
told=$(sed -n '/^table inet onlink/,/^EOF$/{/^EOF$/!p}' <<<"$out")
node B apply
[[ $errors$status =~ ^(0|.*no\ ipip\ module.*1)$ ]] || fail "apply: $errors"
# What the kernel was told, in its own language, is what is printed for nft, which has no name for the type of the source
# inside a packet: it prints a number.
listed() {
  on "$1" nft -s list table inet onlink | "$python" -c '
import ipaddress, re, sys
def address(number):
    return ipaddress.ip_address(int(number, 16))
def network(found):
    first, last = address(found[1]), address(found[2] or found[1])
    only, = ipaddress.summarize_address_range(first, last)
    return str(first if first == last else only)
text = sys.stdin.read().replace("typeof ip saddr . @th,96,32", "type ipv4_addr . ipv4_addr")
print(re.sub("(0x[0-9a-f]+)(?:-(0x[0-9a-f]+))?", network, text))'
}
on stranger nft -f - <<<"$told"
same "the table" "$(listed A)" "$(listed stranger)"
on stranger nft delete table inet onlink
dropped() { node A status --json; jq ".dropped.$1" <<<"$out"; }

# Masquerade: out of the cluster with the node's address, inside with the pod's own.
count_packets world eth0 'icmp and src host 172.16.91.201' reaches netns01 198.51.100.2
same "pings from the node's address" "$seen" 1
count_packets B eth0 'icmp and src host 10.10.0.2' reaches netns01 10.10.1.2
same "pings from the pod's address" "$seen" 1
seed_cluster "$rules" '.masqueradeExclude = ["198.51.100.0/25", "198.51.100.0/24"]'
node A apply
count_packets world eth0 'icmp and src host 10.10.0.2' cut_off netns01 198.51.100.2 # no way back
same "pings to an excluded destination" "$seen" 1
seed_cluster "$rules"
node A apply
reaches netns01 198.51.100.2
holds "fully random" 'any(.. | objects; .masquerade? | objects | [.flags] | flatten == ["fully-random"])' "$(on A nft -j list table inet onlink)"

# IPIP from a stranger, and from a pod: dropped and counted. From a node: not.
same "before" "$(dropped foreign_tunnel)" 0
ipip_from stranger 172.16.91.201
eventually 2 eval '[ "$(dropped foreign_tunnel)" = 1 ]'
ipip_from B 172.16.91.201
same "from a node it is not dropped" "$(dropped foreign_tunnel)" 1
ipip_from netns01 172.16.91.202
eventually 2 eval '[ "$(dropped tunnel_from_pod)" = 1 ]'

# A pod with another's source: its neighbour's, a remote pod's, the node's. IPv6 has no rp_filter: our rule is all.
forge() { on "$1" "$python" - "$2" "$3" <<'PY'
import ipaddress, socket, sys
source, target = sys.argv[1:]
family = socket.AF_INET6 if ":" in source else socket.AF_INET
udp = socket.socket(family, socket.SOCK_DGRAM)
level, option = (socket.SOL_IP, 19) if family == socket.AF_INET else (socket.IPPROTO_IPV6, 75)  # IP(V6)_TRANSPARENT
udp.setsockopt(level, option, 1)
udp.bind((source, 4000))
udp.sendto(b"forged", (target, 4000))
PY
}
for source in 10.10.0.3 10.10.1.2 172.16.91.201; do
  before=$(dropped forged_source)
  forge netns01 "$source" 10.10.1.3
  eventually 2 eval '[ "$(dropped forged_source)" = $((before + 1)) ]'
done
end=$(ip -n A -j -4 route show 10.10.0.2 | jq -r '.[0].dev')
# The network of this pod has no IPv6: the host end is closed for it.
on A sh -c "echo 0 >/proc/sys/net/ipv6/conf/$end/disable_ipv6"
ip -n A -6 addr replace fe80::ecee:eeff:feee:eeee/64 dev "$end" nodad
ip -n A -6 route add fd00:10::2/128 dev "$end" proto 169
ip -n netns01 -6 addr add fd00:10::2/128 dev eth0 nodad
ip -n netns01 -6 route add default via fe80::ecee:eeff:feee:eeee dev eth0
ip -n A -6 addr add fd00:172::201/64 dev eth0 nodad
on A sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
eventually 5 reaches netns01 fd00:172::201
before=$(dropped forged_source)
forge netns01 fd00:172::201 fd00:172::1
eventually 2 eval '[ "$(dropped forged_source)" -gt "$before" ]'

# Counters live on while nodes come and go: elements change, rules stay. The new node's IPIP is let in at once.
before=$(dropped foreign_tunnel)
seed_cluster "$rules" '.nodes += [{"name":"S","nodeIP":"172.16.91.250","podCIDRs":["10.10.9.0/24"]}]'
node A plan
case $out in *"add element inet onlink tunnel_sources { 172.16.91.250 }"*) ;; *) fail "plan of a new node: $out" ;; esac
case $out in *"delete table"*) fail "a new node replaces the whole table: $out" ;; esac
node A apply
ipip_from stranger 172.16.91.201
same "the new node's packet, and the counter" "$(dropped foreign_tunnel)" "$before"
seed_cluster "$rules"
node A apply
ipip_from stranger 172.16.91.201
eventually 2 eval '[ "$(dropped foreign_tunnel)" = $((before + 1)) ]'

# The same for single runs, which go by the generation of the rules: another's table changes nothing, and whatever is taken
# out of ours comes back.
node A apply
on A nft add table inet others
node A plan
same "plan beside another's change" "$out" ""
node A apply
same "the counter is kept" "$(dropped foreign_tunnel)" $((before + 1))
on A nft delete element inet onlink inside_v4 '{ 10.10.1.0/24 }'
node A apply
on A nft get element inet onlink inside_v4 '{ 10.10.1.0/24 }' >/dev/null || fail "the element did not come back"
# What somebody put in goes, and nothing else: the counter lives on.
on A nft add element inet onlink inside_v4 '{ 203.0.113.7-203.0.113.9, 10.10.4.0/24 }'
node A plan
case $out in *"delete element inet onlink inside_v4 { 10.10.4.0/24, 203.0.113.7-203.0.113.9 }"*) ;; *) fail "plan of foreign elements: $out" ;; esac
node A apply
inside() { on A nft -j list set inet onlink inside_v4 | jq -c '[.nftables[1].set.elem[].prefix | "\(.addr)/\(.len)"] | sort'; }
same "the elements" "$(inside)" '["10.10.0.0/24","10.10.1.0/24","224.0.0.0/4"]'
same "the counter is kept beside foreign elements" "$(dropped foreign_tunnel)" $((before + 1))
on A nft add set inet onlink theirs '{ type ipv4_addr; }'
node A apply
on A nft list set inet onlink theirs 2>/dev/null && fail "a foreign set stays in our table"
same "the counter is kept when the table is made again" "$(dropped foreign_tunnel)" $((before + 1))
# A peer that sends what another's pod would have sent: dropped and counted, by its address too. Of one that is no peer any
# more the name is gone.
forgers() { node A status --json; jq -c '[.forgedInnerBy[] | [.sender, .peer, .packets]]' <<<"$out"; }
same "who forged while it was a node" "$(forgers)" '[["172.16.91.250",null,1]]'
on A nft delete element inet onlink forged_by '{ 172.16.91.250 }'
before=$(dropped forged_inner)
ipip_from B 172.16.91.201 "" 10.10.9.2
eventually 2 eval '[ "$(forgers)" = "[[\"172.16.91.202\",\"B\",1]]" ]'
same "counted once" "$(dropped forged_inner)" $((before + 1))
seed_cluster "$rules" '.nodes[1].nodeIP = "172.16.91.203"'
node A apply
same "whose name is gone" "$(forgers)" '[["172.16.91.202",null,1]]'
seed_cluster "$rules"
node A apply
on A nft flush chain inet onlink arriving
node A plan
told=$(sed -n '/^table inet onlink/,/^EOF$/{/^EOF$/!p}' <<<"$out")
case $told in *"elements = { 172.16.91.202 counter packets 1 "*) ;; *) fail "plan does not keep who forged: $told" ;; esac
on stranger nft -f - <<<"$told" || fail "nft does not take what plan prints"
on stranger nft delete table inet onlink
node A apply
ipip_from B 172.16.91.201 "" 10.10.9.2
eventually 2 eval '[ "$(forgers)" = "[[\"172.16.91.202\",\"B\",2]]" ]'
same "counted on" "$(dropped forged_inner)" $((before + 2))
# A set without room for one more: it is dropped and counted all the same. Too much for an emulated processor.
if [ -z "${ONLINK_GUEST:-}" ]; then
  on A nft flush set inet onlink forged_by
  "$python" -c 'print("add element inet onlink forged_by {", ",".join(f"198.{18 + i // 65536}.{i // 256 % 256}.{i % 256}" for i in range(65535)), "}")' |
    on A nft -f -
  ipip_from B 172.16.91.201 "" 10.10.9.2
  eventually 2 eval '[ "$(dropped forged_inner)" = $((before + 3)) ]'
  same "no room for it" "$(on A nft -j list set inet onlink forged_by | jq '.nftables[1].set.elem | length')" 65535
  on A nft flush set inet onlink forged_by
fi
# A subnet that grows, and shrinks again: old and new overlap, and still it is one change. Its own goes out of the way
# first: where there is a tunnel, its address is in a rule.
seed_cluster "$rules" '.nodes[0].podCIDRs = ["10.10.9.0/24"]'
node A apply
for cidr in 10.10.0.0/23 10.10.1.0/24; do
  seed_cluster "$rules" ".nodes[0].podCIDRs = [\"10.10.9.0/24\"] | .nodes[1].podCIDRs = [\"$cidr\"]"
  node A plan
  case $out in *"delete table"*) fail "a subnet that becomes $cidr replaces the whole table: $out" ;; esac
  node A apply
  same "the elements with $cidr" "$(inside)" "[\"$cidr\",\"10.10.9.0/24\",\"224.0.0.0/4\"]"
  node A plan
  same "plan after $cidr" "$out" ""
done
seed_cluster "$rules"
node A apply
on A nft flush chain inet onlink arriving
node A apply
on A nft list chain inet onlink arriving | grep drop >/dev/null || fail "the rule did not come back"
on A nft delete table inet onlink
node A apply
on A nft list table inet onlink >/dev/null || fail "the table did not come back"

# Somebody removes the table, or a rule of it.
start_node A
eventually 10 test -s "$work/A/run/service.json"
on A nft delete table inet onlink
eventually 2 on A nft list table inet onlink
on A nft flush chain inet onlink arriving
eventually 2 eval 'on A nft list chain inet onlink arriving | grep drop >/dev/null'
# Also in the moment in which it has just been made.
for _ in {1..10}; do
  on A nft delete table inet onlink
  until on A nft flush chain inet onlink arriving 2>/dev/null; do :; done
  eventually 2 eval 'on A nft list chain inet onlink arriving | grep drop >/dev/null'
done
on A nft delete element inet onlink tunnel_sources '{ 172.16.91.202 }'
eventually 2 on A nft get element inet onlink tunnel_sources '{ 172.16.91.202 }'
# A table that only the process that made it may change is in the way, and one day it has gone with that process: the kernel refused
# everything, and does so no longer.
mkfifo "$work/owner"
(exec nsenter --net=/run/netns/A nft -i) <"$work/owner" >/dev/null &
owner=$!
exec {words}>"$work/owner"
printf '%s\n' 'delete table inet onlink' 'add table inet onlink { flags owner; }' 'add chain inet onlink its' >&$words
eventually 10 eval 'node A status; [[ $out == *"nftables: "*"Operation not permitted"* ]]'
for _ in 1 2; do kill -HUP "${service[A]}"; sleep 0.5; done
exec {words}>&-
wait "$owner" || true
kill -HUP "${service[A]}"
eventually 5 eval 'on A nft list chain inet onlink arriving | grep drop >/dev/null'
eventually 5 eval 'node A status; [ "$status" = 0 ]'

# What the service changes itself, and what others do to tables of theirs, makes no pass.
passes() { jq .passes "$work/A/run/service.json"; }
# A pass is counted at its end, after what it did can be seen.
unchanged() { local seen; seen=$(passes); sleep 2; [ "$(passes)" = "$seen" ]; }
eventually 20 unchanged
node A plan
same "plan when nothing moves" "$out" ""
before=$(passes)
seed_cluster "$rules" '.nodes[1].podCIDRs = ["10.10.7.0/24"]'
eventually 5 on A nft get element inet onlink inside_v4 '{ 10.10.7.0/24 }'
eventually 20 unchanged
same "passes for one change" "$(($(passes) - before))" 1
before=$(passes)
for number in 1 2 3; do on A nft "add table inet others$number"; sleep 0.2; done
eventually 20 unchanged
same "passes for what others do to tables of theirs" "$(($(passes) - before))" 0
seed_cluster "$rules"
eventually 5 on A nft get element inet onlink inside_v4 '{ 10.10.1.0/24 }'

# Others drop what is forwarded (docker does): told, with the commands that help.
on A nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
cut_off netns01 10.10.1.2
kill -HUP "${service[A]}"
eventually 2 grep -q 'chain FORWARD of table ip filter drops' "$work/A/log"
mending=$(sed -n 's/.*lets them through: //p' "$work/A/log" | tail -1)
case $mending in *iptables*) command -v iptables >/dev/null || mending="nft 'insert rule ip filter FORWARD iifname \"onl*\" accept; insert rule ip filter FORWARD oifname \"onl*\" accept'" ;; esac
on A sh -c "$mending" || fail "the command that is to mend it fails: $mending"
reaches netns01 10.10.1.2
node A status --json
kill -HUP "${service[A]}"
eventually 2 eval 'node A status --json; jq -e ".service.pid" <<<"$out"'
node A plan
case $errors in *"FORWARD"*) fail "still reported: $errors" ;; esac
stop_node A

# The same with iptables-legacy, whose rules nftables does not list; ip6tables-legacy likewise, where there are IPv6 pods.
for program in iptables-legacy ip6tables-legacy; do
  if ! on A "$program" -P FORWARD DROP 2>/dev/null; then
    echo "no $program here, or this kernel has no table for it: its policy is not tried"
    continue
  fi
  node A plan
  if [ $program = ip6tables-legacy ]; then
    case $errors in *"$program"*) fail "reported without IPv6 pods: $errors" ;; esac
    seed_cluster "$rules" '.nodes[0].podCIDRs += ["fd00:10::/64"] | .nodes[0].nodeIPv6 = "fd00:172::201"'
    node A plan
  fi
  case $errors in *"chain FORWARD of $program drops"*) ;; *) fail "not reported: $errors" ;; esac
  mending=$(sed -n 's/.*lets them through: //p' <<<"$errors" | tail -1)
  on A sh -c "$mending" || fail "the command that is to mend it fails: $mending"
  node A plan
  case $errors in *"$program"*) fail "still reported: $errors" ;; esac
  reaches netns01 10.10.1.2
done

# Switched off: the table goes.
seed_cluster
node A apply
! on A nft list table inet onlink 2>/dev/null || fail "the table stays though nothing is asked for"
done_testing
