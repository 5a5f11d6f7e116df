#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CHECK finds each difference by its name, all of them in one message, and tolerates what chained plugins add.
. "$(dirname "$0")/lib.bash"
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1

fresh() { # [JQ-PROGRAM...]
  ip netns del p1 2>/dev/null || true
  ip link del "${host:-none}" 2>/dev/null || true # with another's alias DEL leaves it to the kernel, which takes its time
  conf "$dual" '.ipam.cooldown = 0' "$@"; cni DEL p1; ok DEL
  pod p1; cni ADD p1; ok ADD; result=$out
  host=$(jq -r '.interfaces[0].name' <<<"$result")
  with_prev "$result"; cni CHECK p1; ok "CHECK right after ADD"
}
broken() { # EXPECTED-TEXT COMMAND...
  local expected=$1; shift
  fresh
  "$@" || fail "cannot break it: $*"
  cni CHECK p1; refused 101 "$expected"
}

gateway6=fe80::ecee:eeff:feee:eeee
address=10.10.0.2
broken "interface eth0 is missing" ip -n p1 link del eth0
broken "state of eth0 is down" ip -n p1 link set eth0 down
broken "MAC of eth0" ip -n p1 link set eth0 address 0a:00:00:00:00:99
fresh; address=$(jq -r '.ips[0].address' <<<"$result")
ip -n p1 addr flush dev eth0 scope global; cni CHECK p1; refused 101 "address $address is not on eth0"
broken "route default via 169.254.1.1 dev eth0 onlink is missing" ip -n p1 route del default
broken "route 169.254.1.1/32 dev eth0 scope link is missing" ip -n p1 route replace 169.254.1.1 dev eth0 scope host
broken "route default via $gateway6" ip -n p1 -6 route del default
broken "neighbour 169.254.1.1 is missing" ip -n p1 neigh del 169.254.1.1 dev eth0
broken "neighbour 169.254.1.1 is not permanent" ip -n p1 neigh change 169.254.1.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee nud reachable
broken "neighbour 169.254.1.1 has MAC" ip -n p1 neigh change 169.254.1.1 dev eth0 lladdr 0a:00:00:00:00:99 nud permanent
broken "neighbour $gateway6 is missing" ip -n p1 neigh del $gateway6 dev eth0

on_host() { # COMMAND with HOST for the host's interface
  local arguments=("$@"); arguments=("${arguments[@]//HOST/$host}"); "${arguments[@]}"
}
broken "MAC of onl" on_host ip link set HOST address 0a:00:00:00:00:99
broken "alias of onl" on_host ip link set HOST alias other
broken "address $gateway6/64 is not on" on_host ip -6 addr del $gateway6/64 dev HOST
ip link add br9 type bridge
broken "belongs to br9" on_host ip link set HOST master br9
ip link del br9
broken "forwarding of onl" on_host sysctl -qw net.ipv4.conf.HOST.forwarding=0
broken "net/ipv6/conf/all/forwarding is 0" on_host sysctl -qw net.ipv6.conf.all.forwarding=0
sysctl -qw net.ipv6.conf.all.forwarding=1
accept_ra() { sysctl -qw net.ipv6.conf.$host.accept_ra=1; }
broken "accept_ra is 1, not 0" accept_ra

# What hardens or tunes an attachment, others may set in their own way (udev, a chained "tuning"): it is said in the log, and
# CHECK, after which a runtime would take the pod away, is content.
remarked() { # EXPECTED-TEXT COMMAND...
  local expected=$1; shift
  : >/run/work/log
  fresh '.log = {"file": "/run/work/log"}'
  "$@" || fail "cannot change it: $*"
  cni CHECK p1; ok "CHECK after: $*"; checks=$((checks + 1))
  grep -qF "info CHECK p1:eth0 $expected" /run/work/log || fail "expected \"$expected\" in the log: $(cat /run/work/log)"
}
remarked "container: MTU of eth0 is 1300, not 1500" ip -n p1 link set eth0 mtu 1300
remarked "host: MTU of onl" on_host ip link set HOST mtu 1300
remarked "host: rp_filter of onl" on_host sysctl -qw net.ipv4.conf.HOST.rp_filter=2
remarked "host: proxy_arp of onl" on_host sysctl -qw net.ipv4.conf.HOST.proxy_arp=0
remarked "host: accept_redirects of onl" on_host sysctl -qw net.ipv4.conf.HOST.accept_redirects=1
remarked "host: net/ipv4/neigh/onl" on_host sysctl -qw net.ipv4.neigh.HOST.proxy_delay=50
remarked "host: nftables table inet onlink_onl is missing" nft flush table inet onlink_onl
remarked "container: net/ipv6/conf/eth0/accept_ra is 1, not 0" ip netns exec p1 sysctl -qw net.ipv6.conf.eth0.accept_ra=1

fresh; address=$(jq -r '.ips[0].address' <<<"$result")
ip route del "$address"; cni CHECK p1; refused 101 "route $address dev $host is missing"
fresh; address=$(jq -r '.ips[0].address' <<<"$result")
ip route replace "$address" dev lo proto bird; cni CHECK p1; refused 101 "packets to $address take $address dev lo proto bird"
ip route del "$address"
fresh; address=$(jq -r '.ips[0].address' <<<"$result")
ip neigh del "${address%/*}" dev "$host"; cni CHECK p1; refused 101 "host: neighbour ${address%/*} is missing on $host"
fresh; rm -r /var/lib/cni/networks/net1; mkdir /var/lib/cni/networks/net1; cni CHECK p1; refused 101 ""

# A kernel without nftables (its socket is refused) is no fault of the attachment.
: >/run/work/log; fresh '.log = {"file": "/run/work/log"}'
for number in $(seq 12); do # whichever of its sockets that is
  CNI_COMMAND=CHECK CNI_CONTAINERID=p1 CNI_NETNS=/run/netns/p1 CNI_IFNAME=eth0 CNI_PATH=$bin \
    strace -qqf -e trace=socket -e inject=socket:error=EPROTONOSUPPORT:when="$number" -o $work/sockets "$bin/onlink" <<<"$conf" >/dev/null && status=0 || status=$?
  ! grep -q 'NETLINK_NETFILTER.*INJECTED' $work/sockets || break
done
grep -q 'NETLINK_NETFILTER.*INJECTED' $work/sockets || fail "CHECK asks nftables nothing: $(cat $work/sockets)"
ok "CHECK on a kernel without nftables"; checks=$((checks + 1))
grep -q "nftables table inet onlink_onl is missing" /run/work/log || fail "the log does not say so: $(cat /run/work/log)"

# Every difference in one message.
fresh; ip -n p1 route del default; ip -n p1 neigh del 169.254.1.1 dev eth0; ip link set "$host" alias other
cni CHECK p1; for text in "route default" "neighbour 169.254.1.1" "alias of $host"; do refused 101 "$text"; done

# A gateway that is another one in the configuration by now hides nothing of its family.
fresh; ip -n p1 -6 addr flush dev eth0 scope global; conf=$(jq -c '.gateway6 = "fe80::77"' <<<"$conf"); cni CHECK p1; refused 101 "is not on eth0"

# What others add is not ours to judge: addresses, routes, interfaces, a MAC that a chained plugin gave and told.
fresh
ip -n p1 addr add 192.168.9.9/24 dev eth0; ip -n p1 addr add 192.168.9.10/24 dev eth0; ip -n p1 route add 192.168.10.0/24 via 169.254.1.1 dev eth0
ip -n p1 link add net9 type veth peer name net9p
ip -n p1 link set eth0 mtu 1300; ip link add ifb0 type bridge
conf=$(jq -c '.prevResult.interfaces[1].mtu = 1300 | .prevResult.interfaces += [{"name":"ifb0"}]' <<<"$conf")
conf=$(jq -c '.prevResult.ips += [{"address":"192.168.9.9/24","interface":1},{"address":"192.168.9.10/24","gateway":"192.168.9.1","interface":1}]' <<<"$conf")
cni CHECK p1; ok "CHECK beside what chained plugins made"
ip link del ifb0; cni CHECK p1; refused 101 "interface ifb0 of prevResult is missing"; ip link add ifb0 type bridge
mac=0a:00:00:00:00:77
ip -n p1 link set eth0 down; ip -n p1 link set eth0 address $mac; ip -n p1 link set eth0 up
cni CHECK p1; refused 101 "route default"

# As a later plugin of a chain: what came before stays in the result.
fresh; before=$(jq -c '.interfaces = [{"name":"before0"}] | .ips = [{"address":"203.0.113.7/24","interface":0}] | .routes = [{"dst":"203.0.113.128/25"}] | .dns = {"nameservers":["203.0.113.53"]}' <<<"$result")
cni DEL p1; ok DEL; with_prev "$before"; cni ADD p1; ok "ADD after another plugin"
holds "prevResult is in the result" '(.interfaces | length) == 3 and .ips[0].address == "203.0.113.7/24" and .ips[1].interface == 2 and
  .interfaces[2].name == "eth0" and any(.routes[]; .dst == "203.0.113.128/25") and .dns.nameservers == ["203.0.113.53"]' "$out"
ip link add before0 type bridge; with_prev "$out"; cni CHECK p1; ok "CHECK after another plugin"

# So does what a plugin ahead has named badly: an address without an interface, an interface of that name elsewhere.
for before in '{"cniVersion":"1.1.0","ips":[{"address":"127.0.0.1/8"}]}' \
  '{"cniVersion":"1.1.0","interfaces":[{"name":"eth0","sandbox":"/run/netns/other"}],"ips":[{"address":"192.168.9.9/24","interface":0}]}'; do
  cni DEL p1; ok DEL; conf; with_prev "$before"; cni ADD p1; ok "ADD after $before"
  with_prev "$out"; cni CHECK p1; ok "CHECK after $before"
done

# Routes are compared as the kernel keeps them: table 0 is the main one, an MTU has a limit.
for route in '"table":0' '"table":254' '"mtu":70000' '"advmss":70000'; do
  for destination in 198.51.100.0/24 0.0.0.0/0; do
    cni DEL p1; ok DEL; conf ".ipam.routes = [{\"dst\":\"$destination\",$route}]"; cni ADD p1; ok "ADD with a route of $route"
    with_prev "$out"; cni CHECK p1; ok "CHECK of a route of $route"
  done
done

# CHECK blamed a living pod for a configuration that has changed since: prevResult says how its host end was made. Of the rest
# the details say so.
fresh
for change in '.hostInterfacePrefix = "abc"' '.hostMAC = "0a:00:00:00:00:01"' '.mtu = 1300'; do
  conf "$dual" "$change"; with_prev "$result"; cni CHECK p1; ok "CHECK after $change"
done
conf "$dual" '.ipMasq = true'; with_prev "$result"; cni CHECK p1; refused 101 "onlink-net1"
holds "the details name the configuration" '.details | contains("before ipMasq, hostNeighbour or a gateway changed")' "$out"
conf "$dual" '.hostMAC = "0a:00:00:00:00:01"'; with_prev "$result"
ip link set "$host" address 0a:00:00:00:00:99; cni CHECK p1; refused 101 "MAC of $host is 0a:00:00:00:00:99, not ee:ee:ee:ee:ee:ee"
ip link set "$host" alias other; cni CHECK p1; refused 101 "alias of onl"
done_testing
