#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Running what --explain prints builds the same as ADD: addresses, routes, neighbours, links and sysctls of both sides.
. "$(dirname "$0")/lib.bash"

explain() { # POD
  CNI_COMMAND=ADD CNI_CONTAINERID=$1 CNI_NETNS=/run/netns/$1 CNI_IFNAME=eth0 CNI_PATH=$bin "$bin/onlink" --explain <<<"$conf"
}

sysctls() { # [NAMESPACE]: those of the interfaces of an attachment, whatever their names
  local in=(); [ $# = 0 ] || in=(ip netns exec "$1")
  # Of procps 4.0.7, it fails where a single setting cannot be read, and some never can.
  { "${in[@]}" sysctl -a 2>/dev/null || true; } | grep -E '^net\.ipv[46]\.(conf|neigh)\.(onl|eth0)|^net\.ipv4\.ip_forward|^net\.ipv6\.conf\.all\.forwarding' |
    grep -v -E 'stable_secret|base_reachable|mtu_expires|mc_forwarding'
}
state() { settled; snapshot; snapshot p1; sysctls; sysctls p1; }

compare() { # NAME
  pod p1
  local script added explained before
  before=$(state)
  script=$(explain p1) || fail "--explain"
  same "--explain touches nothing ($1)" "$(state)" "$before"
  cni ADD p1; ok "ADD ($1)"
  added=$(state)
  cni DEL p1; ok "DEL"
  ip netns del p1; pod p1
  bash -euo pipefail -c "$script" || fail "the printed commands do not run ($1):
$script"
  explained=$(state)
  same "state by ADD and by the printed commands ($1)" "$explained" "$added"
  ip netns del p1
  # The kernel dismantles a deleted namespace in its own time; the pair goes with it.
  for _ in $(seq 100); do [ -z "$(ip -o link show type veth)" ] && break; sleep 0.05; done
}

conf '.ipam.cooldown = 0'; compare IPv4
conf "$ipv6" '.ipam.cooldown = 0'; compare IPv6
conf "$dual" '.ipam.cooldown = 0 | .mtu = 1400'; compare both
conf '.ipam.cooldown = 0 | .ipam.routes = [{"dst":"10.0.0.0/8"},{"dst":"192.168.7.0/24","mtu":1300,"priority":50}] |
  .gateway4 = "169.254.7.7" | .hostMAC = "0a:00:00:00:00:01" | .hostInterfacePrefix = "cali" | .runtimeConfig.mac = "0a:00:00:00:00:02"'
compare "many keys"

# No right is needed: an ordinary user may ask.
pod p1
checks=$((checks + 1))
printf '%s' "$conf" >"$work/conf"; chmod 755 /run/work; chmod 644 "$work/conf"
CNI_COMMAND=ADD CNI_CONTAINERID=p1 CNI_NETNS=/run/netns/p1 CNI_IFNAME=eth0 CNI_PATH=$bin \
  setpriv --reuid 65534 --regid 65534 --clear-groups "$bin/onlink" --explain <"$work/conf" >/dev/null || fail "--explain needs root"
done_testing
