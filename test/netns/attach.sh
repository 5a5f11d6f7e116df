#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ADD makes what the design says, for IPv4, IPv6 and both, the pods talk, and DEL leaves nothing.
. "$(dirname "$0")/lib.bash"

reaches() { # FROM-NAMESPACE ADDRESS ("" is the host)
  local in=(); [ -z "$1" ] || in=(ip netns exec "$1")
  checks=$((checks + 1))
  "${in[@]}" ping -q -c 1 -W 10 "$2" >/dev/null || fail "no ping from ${1:-the host} to $2"
}

check_host_end() { # HOST-INTERFACE POD
  local link; link=$(ip -j -d link show "$1" | jq -c '.[0]')
  holds "host end" '.address == "ee:ee:ee:ee:ee:ee" and .mtu == 1500 and .operstate == "UP" and
    .linkinfo.info_kind == "veth" and (.ifname | test("^onl[0-9a-f]{11}$"))' "$link"
  same "alias" "$(jq -r .ifalias <<<"$link")" "onlink net1 $2 eth0"
  same "MAC given at creation (NET_ADDR_SET)" "$(cat "/sys/class/net/$1/addr_assign_type")" 3
  local setting
  for setting in forwarding:1 proxy_arp:1 rp_filter:1 accept_redirects:0 send_redirects:0; do
    same "$setting" "$(cat "/proc/sys/net/ipv4/conf/$1/${setting%:*}")" "${setting#*:}"
  done
  same proxy_delay "$(cat "/proc/sys/net/ipv4/neigh/$1/proxy_delay")" 0
}

check_ipv4() { # POD HOST-INTERFACE ADDRESS
  same "pod address" "$(ip -n "$1" -j -4 addr show eth0 | jq -r '.[0].addr_info[] | "\(.local)/\(.prefixlen)"')" "$3/32"
  same "pod routes" "$(ip -n "$1" -4 route | sed 's/ *$//')" "default via 169.254.1.1 dev eth0 onlink
169.254.1.1 dev eth0 scope link"
  holds "neighbour" 'length == 1 and .[0].lladdr == "ee:ee:ee:ee:ee:ee" and .[0].state == ["PERMANENT"]' \
    "$(ip -n "$1" -j neigh show 169.254.1.1 dev eth0)"
  holds "host route" 'length == 1 and .[0].dev == "'"$2"'" and .[0].protocol == "169" and .[0].scope == "link"' \
    "$(ip -j route show "$3")"
}

check_ipv6() { # POD HOST-INTERFACE ADDRESS
  local gateway=fe80::ecee:eeff:feee:eeee
  holds "pod address, usable at once" '[.[0].addr_info[] | select(.local == "'"$3"'")] |
    length == 1 and .[0].prefixlen == 128 and (.[0] | has("tentative") | not)' "$(ip -n "$1" -j -6 addr show eth0)"
  holds "link route to the gateway" "length == 1" "$(ip -n "$1" -j -6 route show $gateway dev eth0)"
  holds "default route" '.[0].gateway == "'$gateway'" and .[0].dev == "eth0"' "$(ip -n "$1" -j -6 route show default)"
  holds "neighbour" '.[0].state == ["PERMANENT"]' "$(ip -n "$1" -j neigh show $gateway dev eth0)"
  holds "gateway on the host" 'any(.[0].addr_info[]; .local == "'$gateway'" and (has("tentative") | not))' \
    "$(ip -j -6 addr show "$2")"
  holds "host route" '.[0].dev == "'"$2"'" and .[0].protocol == "169"' "$(ip -j -6 route show "$3")"
  same accept_ra "$(ip netns exec "$1" cat /proc/sys/net/ipv6/conf/eth0/accept_ra)" 0
}

check_result() { # RESULT POD HOST-INTERFACE
  holds "result and kernel agree" '.cniVersion == "1.1.0" and (.interfaces | length) == 2 and
    .interfaces[0].name == "'"$3"'" and .interfaces[0].mac == "ee:ee:ee:ee:ee:ee" and
    .interfaces[1].name == "eth0" and .interfaces[1].sandbox == "/run/netns/'"$2"'" and
    .interfaces[1].mac == "'"$(ip -n "$2" -j link show eth0 | jq -r '.[0].address')"'" and
    all(.ips[]; .interface == 1)' "$1"
}

attach_two() { # FAMILIES
  local before after
  pod p1; pod p2
  before="$(snapshot) $(snapshot p1) $(files)"
  cni ADD p1; ok "ADD p1"; local first=$out
  cni ADD p2; ok "ADD p2"; local second=$out
  local host1 host2
  host1=$(jq -r '.interfaces[0].name' <<<"$first"); host2=$(jq -r '.interfaces[0].name' <<<"$second")
  check_result "$first" p1 "$host1"; check_result "$second" p2 "$host2"
  check_host_end "$host1" p1; check_host_end "$host2" p2
  local address
  for address in $(jq -r '.ips[].address' <<<"$first"); do
    case $address in
      *:*/128) check_ipv6 p1 "$host1" "${address%/*}" ;;
      */32) check_ipv4 p1 "$host1" "${address%/*}" ;;
      *) fail "address $address" ;;
    esac
    holds "the host knows the pod for good" \
      "length == 1 and .[0].state == [\"PERMANENT\"] and .[0].lladdr == \"$(ip -n p1 -j link show eth0 | jq -r '.[0].address')\"" \
      "$(ip -j neigh show nud all "${address%/*}" dev "$host1")"
    reaches "" "${address%/*}"; reaches p2 "${address%/*}"
  done
  for address in $(jq -r '.ips[].address' <<<"$second"); do reaches p1 "${address%/*}"; done
  with_prev "$first"; cni CHECK p1; ok "CHECK p1"
  with_prev "$second"; cni CHECK p2; ok "CHECK p2"
  cni DEL p2; ok "DEL p2"
  with_prev "$first"; cni DEL p1; ok "DEL p1"; cni DEL p1; ok "DEL p1 again"
  after="$(snapshot) $(snapshot p1) $(files)"
  same "after DEL all is as before ADD ($1)" "$after" "$before"
  ip netns del p1; ip netns del p2
}

# Forwarding is the host's: it stays on after DEL.
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -6 addr add 2001:db8::1/128 dev lo
conf; attach_two IPv4
conf "$ipv6"; attach_two IPv6
conf "$dual"; attach_two both
done_testing
