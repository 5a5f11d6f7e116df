#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The configuration's keys do what they say.
. "$(dirname "$0")/lib.bash"

attach() { pod p1; cni ADD p1; ok "ADD $*"; host=$(jq -r '.interfaces[0].name' <<<"$out"); }
detach() { cni DEL p1; ok DEL; ip netns del p1; }
mtu_is() { # WHAT MTU
  same "MTU of the pod: $1" "$(ip -n p1 -j link show eth0 | jq '.[0].mtu')" "$2"
  same "MTU of the host's end: $1" "$(ip -j link show "$host" | jq '.[0].mtu')" "$2"
  same "MTU in the result: $1" "$(jq -c '[.interfaces[].mtu]' <<<"$out")" "[$2,$2]"
}

# Forwarding is off in a new namespace: ADD turns on what it needs, and no more.
same "forwarding at first" "$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding | paste -sd' ')" "0 0"
conf; attach; detach
same "forwarding after an IPv4 ADD" "$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding | paste -sd' ')" "1 0"
sysctl -qw net.ipv4.ip_forward=0
conf '.ipForward = false'; attach; detach
same "ipForward: false" "$(cat /proc/sys/net/ipv4/ip_forward)" 0
sysctl -qw net.ipv4.ip_forward=1

# A host that has its default route from a router advertisement keeps it when IPv6 forwarding is turned on.
ip link add uplink type veth peer name router
ip link set uplink mtu 1460 up; ip link set router up
ip -6 route add default via fe80::1 dev uplink proto ra expires 600
conf "$ipv6"; attach; detach
same "IPv6 forwarding" "$(cat /proc/sys/net/ipv6/conf/all/forwarding)" 1
same "accept_ra of the uplink" "$(cat /proc/sys/net/ipv6/conf/uplink/accept_ra)" 2
holds "default route is still there" 'length == 1' "$(ip -j -6 route show default)"

# MTU: configured, of the default route's device, published, neither.
conf '.mtu = 1300'; attach; mtu_is "configured" 1300; detach
conf 'del(.mtu)' "$ipv6"; attach; mtu_is "of the IPv6 default route's device" 1460; detach
ip addr add 172.16.91.201/24 dev uplink; ip route add default via 172.16.91.2
conf '.mtu = 0'; attach; mtu_is "of the default route's device" 1460; detach
ip route replace default via 172.16.91.2 mtu 1420
conf '.mtu = 0'; attach; mtu_is "of the default route itself" 1420; detach
# The smallest of several ways out, however they are told.
ip link add uplink2 mtu 1440 type veth peer name router2 mtu 1440; ip link set uplink2 up; ip link set router2 up
ip addr add 172.16.92.201/24 dev uplink2
way=(via 172.16.91.2)
ways() { # WHAT MTU ROUTE...
  ip -4 route del default "${way[@]}"; way=("${@:3}"); ip -4 route add default "${way[@]}"
  conf 'del(.mtu)'; attach; mtu_is "$1" "$2"; detach
}
ways "of two next hops" 1440 nexthop via 172.16.91.2 dev uplink nexthop via 172.16.92.2 dev uplink2
ip nexthop add id 1 via 172.16.91.2 dev uplink; ip nexthop add id 2 via 172.16.92.2 dev uplink2; ip nexthop add id 3 group 1/2
ways "of a group of next hops" 1440 nhid 3
ways "of two IPv6 next hops of an IPv4 route" 1440 nexthop via inet6 fe80::1 dev uplink nexthop via inet6 fe80::2 dev uplink2
ip link set uplink mtu 9000; ip link set uplink2 mtu 9000
ways "of jumbo frames" 9000 nexthop via 172.16.91.2 dev uplink nexthop via 172.16.92.2 dev uplink2
ways "of a device with more than a veth can have" 65535 dev lo
ip link set uplink mtu 1460; ip -4 route del default "${way[@]}"; ip route add default via 172.16.91.2
ip nexthop flush >/dev/null; ip link del uplink2
mkdir -p /run/onlink; echo 1440 >/run/onlink/mtu
conf 'del(.mtu)'; attach; mtu_is "published" 1440; detach
mkdir -p $work/other; echo 1430 >$work/other/mtu
conf 'del(.mtu) | .ipam.runDir = "'$work'/other"'; attach; mtu_is "published in runDir" 1430; detach
conf 'del(.mtu)'
echo nonsense >/run/onlink/mtu
pod p1; cni ADD p1; refused 100 /run/onlink/mtu; ip netns del p1; same "lease given back" "$(files)" ""
rm /run/onlink/mtu; ip link del uplink
conf 'del(.mtu)'; attach; mtu_is "without a default route" 1500; detach

# Names and addresses of the host's end.
conf '.hostMAC = "0a:00:00:00:00:01" | .gateway4 = "169.254.7.7" | .gateway6 = "fe80::7" | .hostInterfacePrefix = "c-"' "$dual"
attach
holds "host end" '.[0].address == "0a:00:00:00:00:01" and (.[0].ifname | test("^c-[0-9a-f]{11}$"))' "$(ip -j link show "$host")"
holds "gateways" 'map(.dst) | contains(["169.254.7.7"])' "$(ip -n p1 -j route)"
holds "neighbours" '(map({key: .dst, value: .lladdr}) | from_entries) as $n |
  $n["169.254.7.7"] == "0a:00:00:00:00:01" and $n["fe80::7"] == "0a:00:00:00:00:01"' "$(ip -n p1 -j neigh show nud permanent)"
ip netns exec p1 ping -q -c 1 -W 10 192.0.2.1 >/dev/null || fail "no ping through another gateway"
detach

# A gateway that is not link-local: the host cannot ask for a pod to which it forwards, unless it also has an address that is.
conf "$dual" '.gateway6 = "fd00:10:ffff::1"'
sysctl -qw net.ipv6.conf.all.forwarding=1
pod p2; cni ADD p2; ok "ADD p2"; other=$(jq -r '.ips[1].address | sub("/.*"; "")' <<<"$out")
attach
checks=$((checks + 1))
ip netns exec p1 ping -q -c 1 -W 10 "$other" >/dev/null || fail "no ping from pod to pod through a gateway that is not link-local"
detach; cni DEL p2; ok "DEL p2"; ip netns del p2

# The container's MAC: derived, and asked for in each of the ways.
conf; attach; derived=$(ip -n p1 -j link show eth0 | jq -r '.[0].address'); detach
attach; same "the same MAC again" "$(ip -n p1 -j link show eth0 | jq -r '.[0].address')" "$derived"; detach
mac_is() { attach "$1"; same "MAC by $1" "$(ip -n p1 -j link show eth0 | jq -r '.[0].address')" "$2"; detach; }
conf '.runtimeConfig.mac = "0a:00:00:00:00:02"'; mac_is runtimeConfig 0a:00:00:00:00:02
conf '.args.cni.mac = "0a:00:00:00:00:03"'; mac_is args.cni 0a:00:00:00:00:03
conf; cni_args="MAC=0a:00:00:00:00:04;IgnoreUnknown=1;ANY=thing"; mac_is CNI_ARGS 0a:00:00:00:00:04
cni_args="K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=x;K8S_POD_UID=y"; mac_is "CNI_ARGS of Kubernetes" "$derived"
cni_args=

# Routes of the IPAM go through the gateway; the default route is there unless something else is said.
routes_are() { attach "$1"; same "routes: $1" "$(ip -n p1 route | sed 's/ *$//' | paste -sd, )" "$2"
  with_prev "$out"; cni CHECK p1; ok "CHECK: $1"; detach; }
link="169.254.1.1 dev eth0 scope link"
conf '.ipam.routes = [{"dst":"10.0.0.0/8"}]'; routes_are "IPAM's own" "10.0.0.0/8 via 169.254.1.1 dev eth0 onlink,$link"
conf '.ipam.routes = [{"dst":"10.0.0.0/8"}] | .isDefaultGateway = true'
routes_are "IPAM's own and the default" "default via 169.254.1.1 dev eth0 onlink,10.0.0.0/8 via 169.254.1.1 dev eth0 onlink,$link"
conf '.ipam.routes = [{"dst":"0.0.0.0/0","mtu":1400,"priority":7}]'
routes_are "IPAM's default" "default via 169.254.1.1 dev eth0 metric 7 onlink mtu 1400,$link"
conf '.isDefaultGateway = false'; routes_are "no default" "$link"

# DNS: the runtime's, else the network's, else the IPAM's.
dns_is() { attach "$1"; same "dns: $1" "$(jq -cS .dns <<<"$out")" "$2"; detach; }
echo "nameserver 9.9.9.9" >"$work/resolv.conf"
conf ".ipam.resolvConf = \"$work/resolv.conf\""; dns_is IPAM '{"nameservers":["9.9.9.9"]}'
conf ".ipam.resolvConf = \"$work/resolv.conf\" | .dns = {\"nameservers\":[\"1.1.1.1\"],\"domain\":\"x\"}"
dns_is network '{"domain":"x","nameservers":["1.1.1.1"]}'
conf '.dns = {"nameservers":["1.1.1.1"]} | .runtimeConfig.dns = {"servers":["10.0.0.10"],"searches":["svc"],"options":["ndots:5"]}'
dns_is runtime '{"nameservers":["10.0.0.10"],"options":["ndots:5"],"search":["svc"]}'

# The log: a line for each step with the container and the time it took; never on standard output.
conf ".log.file = \"$work/log\""; attach; detach
grep -qE '^[0-9T:.-]+Z info ADD p1:eth0 attach onl[0-9a-f]+: [0-9.]+ ms$' "$work/log" || fail "log: $(cat "$work/log")"
grep -qE 'info DEL p1:eth0 release: [0-9.]+ ms$' "$work/log" || fail "log: $(cat "$work/log")"
checks=$((checks + 2)); same "no debug lines" "$(grep -c debug "$work/log")" 0
conf ".log = {\"file\":\"$work/log2\",\"level\":\"error\"}"; attach; detach; same "level error: no lines" "$(cat "$work/log2")" ""
conf ".log = {\"file\":\"$work/log3\",\"level\":\"debug\"}"; attach; detach
grep -q "ip link add $host" "$work/log3" || fail "level debug tells the commands"
conf '.log.file = "/nowhere/at/all"'; attach; detach

# Every older form of the result.
for version in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
  conf ".cniVersion = \"$version\"" "$dual"; attach "$version"
  holds "form of $version" ".cniVersion == \"$version\" and (if \"$version\" < \"0.3\" then (.ip4.ip | endswith(\"/32\")) and (.ip6.ip | endswith(\"/128\"))
    else (.ips | length) == 2 and (if \"$version\" < \"1\" then .ips[0].version == \"4\" else (.ips[0] | has(\"version\") | not) end) end)" "$out"
  with_prev "$out"
  case $version in 0.[123]*) ;; *) cni CHECK p1; ok "CHECK $version" ;; esac
  detach
done
done_testing
