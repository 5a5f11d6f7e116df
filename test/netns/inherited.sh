#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A host and pods with settings that machines have: Docker forwards, distributions set rp_filter 2, guides refuse ARP for
# addresses of other interfaces and turn IPv6 off. ADD works there as elsewhere, the pods talk, and DEL leaves nothing.
. "$(dirname "$0")/lib.bash"

inherit() { # [NAMESPACE]
  local in=() all
  [ $# = 0 ] || in=(ip netns exec "$1")
  for all in all default; do
    "${in[@]}" sysctl -qw net.ipv4.conf.$all.{rp_filter=2,arp_ignore=1,arp_announce=2,log_martians=1,send_redirects=0} \
      net.ipv6.conf.$all.{disable_ipv6=1,accept_ra=0}
  done
  "${in[@]}" sysctl -qw net.ipv4.ip_forward=1
}
reaches() { # FROM-NAMESPACE ADDRESS ("" is the host)
  local in=(); [ -z "$1" ] || in=(ip netns exec "$1")
  checks=$((checks + 1))
  "${in[@]}" ping -q -c 1 -W 10 "$2" >/dev/null || fail "no ping from ${1:-the host} to $2"
}

inherit
sysctl -qw net.ipv6.conf.all.forwarding=1
ip link add uplink type veth peer name far && ip addr add 172.16.91.201/24 dev uplink && ip link set uplink up
for family in IPv4 IPv6 both; do
  case $family in IPv4) conf ;; IPv6) conf "$ipv6" ;; both) conf "$dual" ;; esac
  for name in p1 p2; do pod $name; inherit $name; done
  before="$(snapshot) $(snapshot p1) $(files)"
  cni ADD p2; ok "ADD p2, $family"; second=$out
  cni ADD p1; ok "ADD p1, $family"; first=$out
  for address in $(jq -r '.ips[].address | sub("/.*"; "")' <<<"$second"); do reaches p1 "$address"; done
  for address in $(jq -r '.ips[].address | sub("/.*"; "")' <<<"$first"); do
    reaches p2 "$address"
    # On this host lo has no IPv6: there is no address to speak from.
    case $address in *:*) ;; *) reaches "" "$address" ;; esac
  done
  with_prev "$first"; cni CHECK p1; ok "CHECK, $family"
  cni DEL p1; ok "DEL p1, $family"; cni DEL p2; ok "DEL p2, $family"
  same "after DEL all is as before ADD ($family)" "$(snapshot) $(snapshot p1) $(files)" "$before"
  ip netns del p1; ip netns del p2
done
done_testing
