#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel, with --all also guests
# `clean` takes away what onlink-node made and nothing else: the host is what it was before `apply`.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
ipip_here && mode=Always || mode=Never
# Somebody else lives here too: routes, an address and settings on tunl0, a table.
ip -n A route add 10.99.0.0/24 via 172.16.91.99 proto static
ip -n A route add 10.98.0.0/24 via 172.16.91.99 proto bird metric 32
on A nft add table inet others 2>/dev/null || true
if [ $mode = Always ]; then
  ip -n A addr add 192.0.2.7/32 dev tunl0
  ip -n A link set tunl0 mtu 1400
  # The kernel gives a device its first queue when it is first up, and never takes it back.
  ip -n A link set tunl0 up && ip -n A link set tunl0 down
fi
before=$(everything A)

seed_cluster ".ipipMode = \"$mode\" | .masquerade = true | .filter = true" '.nodes[0].podCIDRs += ["fd00:10::/64"] |
  .nodes[0].nodeIPv6 = "fd00:172::201" | .nodes[1].podCIDRs += ["fd00:11::/64"] | .nodes[1].nodeIPv6 = "fd00:172::202" | .ipipModeIPv6 = "Never"'
ip -n A -6 addr add fd00:172::201/64 dev eth0 nodad
before=$(everything A)
for round in 1 2; do
  node A apply
  [ "$mode" = Never ] && ok "apply"
  holds "the routes of round $round" 'length == 2' "$(ip -n A -j route show proto 169)"
  holds "the IPv6 routes of round $round" 'length == 2' "$(ip -n A -6 -j route show proto 169)"
  [ "$(everything A)" != "$before" ] || fail "apply changed nothing"
  node A clean; ok "clean: $errors"
  same "the host after clean, round $round" "$(everything A)" "$before"
done
node A clean; ok "clean once more: $errors"
same "there is nothing to clean" "$out" ""

# A host that has its IPv6 default route from a router's advertisement keeps it while IPv6 forwarding is on.
host router && plug router eth0 lan fd00:172::1/64
on A sh -c 'echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra'
accept_ra() { on A cat /proc/sys/net/ipv6/conf/eth0/accept_ra; }
advertise() {
  on router "$python" - <<'PY'
import socket, struct
raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("eth0"))
raw.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0))
PY
}
advertised() { ip -n A -6 route show default | grep -q 'proto ra'; }
eventually 20 eval 'advertise; advertised'
node A plan
case $out in *"sysctl -w net/ipv6/conf/eth0/accept_ra=2"*"net.ipv6.conf.all.forwarding=1"*) ;; *) fail "plan beside a router: $out" ;; esac
node A apply
same "accept_ra with forwarding" "$(accept_ra)" 2
advertised || fail "forwarding cost the host its default route"
node A clean; ok "clean beside a router: $errors"
same "accept_ra after clean" "$(accept_ra)" 1
advertised || fail "clean cost the host its default route"

# With pods attached, forwarding stays on, and it is said; their routes stay.
pod_at A netns01 10.10.0.2
on A sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
node A apply
node A clean; ok "clean beside pods: $errors"
case $out in *"net/ipv4/ip_forward stays 1: pods are attached"*) ;; *) fail "clean beside pods says: $out" ;; esac
holds "the pod's route" 'length == 1' "$(ip -n A -j route show 10.10.0.2)"
same "no route of ours is left" "$(ip -n A route show proto 169 | grep -v '^10.10.0.2 ' || true)" ""

# Beside another network, whose interfaces have no address but routes (Calico's), or a second one on the same interface, its
# packets went no further.
on A ip link del "$(ip -n A -j route show 10.10.0.2 | jq -r '.[0].dev')"
stays() { # WHAT
  on A sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
  node A apply
  node A clean; ok "clean beside $1: $errors"
  same "ip_forward beside $1" "$(on A cat /proc/sys/net/ipv4/ip_forward) $(grep -c '^# net/ipv4/ip_forward stays 1: this host has more than one network' <<<"$out")" "1 1"
}
ip -n A link add cali1 type veth peer name other
ip -n A link set cali1 up; ip -n A link set other up
ip -n A route add 10.22.0.10 dev cali1
stays "routes to containers"
ip -n A link del cali1
ip -n A addr add 192.168.9.1/24 dev eth0
stays "a second network on eth0"
ip -n A addr del 192.168.9.1/24 dev eth0
ip -n A addr add 172.16.91.211/24 dev eth0; ip -n A addr add 192.168.9.9/32 dev eth0
on A sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
node A apply
node A clean; ok "clean beside addresses: $errors"
same "ip_forward beside other addresses" "$(on A cat /proc/sys/net/ipv4/ip_forward)" 0

# /run is lost, and no route names the tunnel's address: it goes all the same.
if [ $mode = Always ]; then
  seed_cluster '.ipipMode = "CrossSubnet"'
  node A apply
  holds "the tunnel's address" 'any(.[0].addr_info[]; .local == "10.10.0.1")' "$(ip -n A -j addr show tunl0)"
  rm -rf "$work/A/run"
  node A clean; ok "clean without /run: $errors"
  holds "the tunnel's address is gone, another's stays" '[.[0].addr_info[].local] | (index("10.10.0.1") | not) and index("192.0.2.7") != null' "$(ip -n A -j addr show tunl0)"
fi

# --wait, as the first process of a container, which other signals pass by: it cleans, and ends when it is told to.
node A apply
node_command A
(exec nsenter --net=/run/netns/A unshare --pid --fork --kill-child "${command[@]}" clean --wait) >"$work/cleaned" 2>&1 & outer=$!
eventually 10 grep -q 'ip route del' "$work/cleaned"
inner=$(pgrep -P $outer)
kill -0 "$inner" || fail "clean --wait did not wait"
ended() { kill -TERM "$inner"; ! kill -0 "$inner"; } # told so before it waits, it does not hear it
eventually 10 ended
status=0; wait $outer || status=$?
same "exit status of clean --wait" $status 0

# What a service left that was killed goes too.
start_node A
eventually 10 test -e "$work/A/run/service.json"
cp "$work/A/run/service.json" "$work/service.json"
stop_node A
mv "$work/service.json" "$work/A/run/service.json"
node A clean; ok "clean after a service: $errors"
same "files after clean" "$(find "$work/A/run" "$work/A/state" -type f)" ""

# The name of the node from the environment.
status=0; out=$(on A env ONLINK_NODE=A "$bin/onlink-node" -c "$cluster" --run-dir "$work/A/run" --state-dir "$work/A/state" plan 2>&1) || status=$?
ok "ONLINK_NODE"
done_testing
