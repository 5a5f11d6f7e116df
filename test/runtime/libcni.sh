#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# libcni, the library inside containerd, CRI-O, podman and cnitool, drives onlink + portmap in every version of the
# protocol: CHECK right after ADD (CRI-O's order), DEL with its cache and with the cache lost. Then the same requests
# are given to ptp, and the results compared.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/libcni.bash"
need $reference/ptp containernetworking-plugins
versions="0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0"
[ -z "$libcni_tags" ] || versions="$versions 1.1.0"
sysctl -qw net.ipv4.ip_forward=1

at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -1)" = "$1" ]; }

# Debian's portmap (1.1.1) does not know 1.1.0.
list_of() { if [ "$1" = 1.1.0 ]; then conflist "$1" 'del(.plugins[1])'; else conflist "$1"; fi; }

for version in $versions; do
  list_of "$version"
  drive VALIDATE p1; ok "VALIDATE $version"
  pod p1; before=$(snapshot p1)
  drive ADD p1; ok "ADD $version"; added=$out
  same "version of the result" "$(jq -r .cniVersion <<<"$added")" "$version"
  address=$(jq -r '.ip4.ip // .ips[0].address' <<<"$added")
  ping -q -c 1 -W 10 "${address%/*}" >/dev/null || fail "no ping to $address ($version)"
  drive CACHED p1; ok "cached result $version"
  # libcni itself adds "dns":{} when it writes the forms of its older releases.
  same "cached result $version" "$(jq -S 'del(.dns)' <<<"$out")" "$(jq -S 'del(.dns)' <<<"$added")"
  drive CHECK p1
  if at_least 0.4.0 "$version"; then
    ok "CHECK $version"
    ip -n p1 route del default; drive CHECK p1; refused "CHECK of a pod that lost its route" "default via 169.254.1.1"
  else
    refused "CHECK $version" "does not support the CHECK"
  fi
  drive DEL p1; ok "DEL $version"
  same "pod after DEL $version" "$(snapshot p1)" "$before"
  drive CACHED p1; refused "cached result after DEL" "no result"
  nothing_left "$version"

  # The runtime's cache is lost, with the namespace there and gone; then once more.
  for netns in there gone; do
    drive ADD p1; ok "ADD $version"
    rm -r $work/cache
    if at_least 0.4.0 "$version"; then drive CHECK p1; refused "CHECK without a cached result" "prevResult"; fi
    [ $netns = there ] || ip netns del p1
    for times in once twice; do
      drive DEL p1; ok "DEL $times without the cache, namespace $netns, $version"
    done
    nothing_left "without the cache, namespace $netns, $version"
  done
done

# The conflist's cniVersion changes while a pod runs.
conflist 0.4.0; pod p1; drive ADD p1; ok "ADD as 0.4.0"
conflist 1.0.0; drive CHECK p1; ok "CHECK as 1.0.0 of what was added as 0.4.0"
drive DEL p1; ok "DEL as 1.0.0 of what was added as 0.4.0"; nothing_left "changed version"

if [ -n "$libcni_tags" ]; then
  list_of 1.1.0
  drive STATUS -; ok STATUS
  pod p2; drive ADD p1; ok "ADD p1"; drive ADD p2; ok "ADD p2"; rm -r $work/cache
  drive GC p2; ok "GC"
  same "what GC leaves" "$(ip -j link show type veth | jq -r '.[].ifalias')" "onlink net1 p2 eth0"
  drive GC ""; ok "GC of all"; nothing_left GC
  ip netns del p2
fi
ip netns del p1

# The same requests to ptp, with addresses by the same program and from the same start. `program` leaves what must be
# equal; what differs by design is stated below.
equal='{cniVersion, addresses: [.ips[]? | .address | sub("/.*"; "")], versions: [.ips[]? | .version],
        ip4: (.ip4.ip // "" | sub("/.*"; "")),
        owner: [.ips[]? as $ip | .interfaces[$ip.interface] | {name, sandbox}], dns: (.dns // {}),
        interfaces: [.interfaces[]? | {container: (.sandbox != null), mac: (.mac | test("^([0-9a-f]{2}:){5}[0-9a-f]{2}$"))}],
        destinations: [(.ip4.routes // .routes // [])[] | .dst | select(. != "169.254.1.1/32")]}'
ipam='{type: "host-local", ranges: [[{subnet: "10.10.0.0/24"}]], routes: [{dst: "0.0.0.0/0"}, {dst: "10.96.0.0/12"}],
       resolvConf: "/run/work/resolv.conf"}'
printf 'nameserver 10.96.0.10\nsearch example.org\noptions ndots:5\n' >$work/resolv.conf
for version in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0; do
  declare -A results=()
  for type in ptp onlink; do
    conflist "$version" ".plugins = [{type: \"$type\", ipam: $ipam}]"
    rm -r /var/lib/cni/networks; pod p1; drive ADD p1; ok "ADD $type $version"; results[$type]=$out
    # ptp's own CHECK (1.1.1) does not find its routes that have no gateway.
    if [ $type = onlink ] && at_least 0.4.0 "$version"; then drive CHECK p1; ok "CHECK $type $version"; fi
    drive DEL p1; ok "DEL $type $version"
    ip netns del p1
  done
  same "onlink's result as ptp's, $version" "$(jq -S "$equal" <<<"${results[onlink]}")" "$(jq -S "$equal" <<<"${results[ptp]}")"
  # By design: an address of its own, not of a subnet; every pod's gateway is the same, and so is each host end.
  holds "a /32" 'all((.ip4.ip // .ips[].address); endswith("/32"))' "${results[onlink]}"
  holds "gateway" 'all((.ip4.gateway // .ips[].gateway); . == "169.254.1.1")' "${results[onlink]}"
  holds "host end" '(has("interfaces") | not) or .interfaces[0].mac == "ee:ee:ee:ee:ee:ee"' "${results[onlink]}"
  holds "routes" '(.ip4.routes // .routes) | map(select(.dst != "169.254.1.1/32")) | all(.gw == "169.254.1.1")' "${results[onlink]}"
done
done_testing
