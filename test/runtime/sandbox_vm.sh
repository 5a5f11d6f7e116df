#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sandboxes that are virtual machines copy a pod's interface into their guest: MAC, MTU, addresses, and the routes as
# they are dumped. They do not know the flag `onlink`, and most leave permanent neighbours behind. Here a second
# namespace plays the guest, wired to the pod's interface the way kata wires its tap device.
#   kata:   routes of the main table that are not the kernel's; in the order of the dump, those without a gateway first
#           (src/runtime/virtcontainers/network_linux.go; src/agent/src/netlink.rs, add_routes)
#   gVisor: every route of an interface; one default route for each family, with a gateway (runsc/sandbox/network.go)
. "$(dirname "$0")/lib.bash"
need tc iproute2
# The host has a way to 169.254.1.1 that is not the pod's interface: proxy_arp answers for no other address.
ip link add uplink type veth peer name peer; ip link set uplink addrgenmode none up; ip link set peer up
ip route add default dev uplink
ip -6 addr add 2001:db8::1/128 dev lo

# A tap device between guest and pod, and everything that comes in at one of them goes out at the other.
wire() { # POD GUEST
  local mac mtu; read -r mac mtu < <(ip -n "$1" -j link show eth0 | jq -r '.[0] | "\(.address) \(.mtu)"')
  pod "$2"
  ip -n "$1" link add tap0 type veth peer name eth0 address "$mac" mtu "$mtu" netns "$2"
  ip -n "$1" link set tap0 addrgenmode none mtu "$mtu" up
  local from to
  for from in eth0 tap0; do
    [ $from = eth0 ] && to=tap0 || to=eth0
    tc -n "$1" qdisc add dev $from ingress
    tc -n "$1" filter add dev $from parent ffff: protocol all u32 match u8 0 0 action mirred egress redirect dev $to
  done
  ip -n "$2" link set lo up
}
# What is copied of each route: destination, gateway, device, scope, source; nothing else, no flags.
commands() { # FAMILY
  jq -r --arg family "$1" '[.[] | select(.protocol != "kernel")] | (map(select(has("gateway") | not)) + map(select(has("gateway")))) | .[] |
    "-\($family) route add \(.dst)" + (if .gateway then " via \(.gateway)" else "" end) + " dev \(.dev)" +
    (if .scope then " scope \(.scope)" else "" end) + (if .prefsrc then " src \(.prefsrc)" else "" end)'
}
addresses() { ip -n "$1" -j addr show eth0 | jq -r '.[0].addr_info[] | select(.scope == "global") | "\(.local)/\(.prefixlen)"'; }
replay() { # POD GUEST
  local address line family
  for address in $(addresses "$1"); do
    family=(); [[ $address != *:* ]] || family=(nodad)
    ip -n "$2" addr add "$address" dev eth0 "${family[@]}"
  done
  ip -n "$2" link set eth0 up
  for family in 4 6; do
    while read -r line; do
      checks=$((checks + 1))
      ip -n "$2" $line || fail "replaying \"$line\""
    done < <(ip -n "$1" -j "-$family" route | commands $family)
  done
}
plain_routes() { # NAMESPACE: as they are replayed
  { ip -n "$1" -j -4 route | commands 4; ip -n "$1" -j -6 route | commands 6; } | sort
}
pings() { # WHAT NAMESPACE ADDRESS
  checks=$((checks + 1))
  until_true 4 ip netns exec "$2" ping -q -c 1 -W 1 "$3" >/dev/null || fail "$1: no ping from $2 to $3"
}

# Routes of the IPAM are in the dump, too.
conf "$dual" '.ipam.routes = [{dst: "0.0.0.0/0"}, {dst: "10.96.0.0/12"}, {dst: "::/0"}, {dst: "fd00:96::/112"}]'
results=()
for name in vm pod; do pod $name; cni ADD $name; ok "ADD $name"; results[${#results[@]}]=$out; done
targets="192.0.2.1 2001:db8::1 $(jq -r '.ips[].address | sub("/.*"; "")' <<<"${results[1]}")"

wire vm guest; replay vm guest
same "routes of the guest" "$(plain_routes guest)" "$(plain_routes vm)"
same "permanent neighbours of the guest" "$(ip -n guest neigh show nud permanent)" ""
for target in $targets; do pings "from the guest" guest "$target"; done
same "who answers for 169.254.1.1" "$(ip -n guest -j neigh show 169.254.1.1 | jq -r '.[0].lladdr')" ee:ee:ee:ee:ee:ee
for address in $(addresses vm); do pings "to the guest" pod "${address%/*}"; done

# gVisor refuses a default route without a gateway, and a second one of a family.
for family in 4 6; do
  holds "one default route, with a gateway (IPv$family)" '[.[] | select(.dst == "default")] | length == 1 and (.[0] | has("gateway"))' \
    "$(ip -n vm -j -$family route show dev eth0)"
done

# The same answer in the pod itself, when something has taken its permanent neighbours.
ip -n pod neigh flush dev eth0 nud permanent
same "neighbours" "$(ip -n pod neigh show nud permanent)" ""
ip -n pod neigh flush dev eth0
pings "without permanent neighbours" pod 192.0.2.1; pings "without permanent neighbours" pod 2001:db8::1

# With the guest still there, DEL.
for name in vm pod; do cni DEL $name; ok "DEL $name"; done
same "host after DEL" "$(ip -j link | jq -r '[.[].ifname | select(startswith("onl"))] | length') $(files)" "0 "
done_testing
