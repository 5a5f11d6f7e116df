#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Every file of conf/node is loaded by the program that it is for.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
conf=$root/conf/node

# The example, and the schema: it knows the keys that the program knows, no more, no fewer.
seed_hosts
cluster_of[A]=$conf/cluster.json
node A plan; ok "the example: $errors"
case $out in *"10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"*"table inet onlink"*) ;; *) fail "plan of the example: $out" ;; esac
cluster_of[A]=$conf/cluster-vxlan.json
ip -n A route add default via 172.16.91.202
node A plan; ok "the example with VXLAN: $errors"
for line in "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169" "10.10.2.0/24 via 10.10.2.1 dev vxlan.onlink" "fd00:10:1::/64 via fe80::6f:acff:fe10:5bca dev vxlan.onlink" \
  "type vxlan id 4096 local 172.16.91.201 dstport 4789"; do
  case $out in *"$line"*) checks=$((checks + 1)) ;; *) fail "$line is not in the plan of the example with VXLAN: $out" ;; esac
done
unset 'cluster_of[A]'
everything='{"ipipMode":"Always","ipipModeIPv6":"Never","vxlanMode":"Never","vxlanPort":4789,"vxlanVNI":4096,"masquerade":true,"masqueradeExclude":["192.0.2.0/24"],"filter":true,
  "ipipSources":["192.0.2.7/32"],"podInterfacePrefix":"onl","resyncSeconds":60,"maxWithdrawPercent":50,"source":{"type":"file"},
  "bgp":{"asNumber":64512,"routeReflectors":["A"],"clusterId":"192.0.2.9","password":"x","passwordFile":"/x","gracefulRestartSeconds":120,
    "prefixes":["10.10.0.0/16"]},
  "nodes":[{"name":"A","nodeIP":"172.16.91.201","nodeIPv6":"fd00::1","podCIDRs":["10.10.0.0/24"],"ipipMode":"Never","vxlanMode":"Never","tunnelAddress":"10.10.0.1"}]}'
for where in . .nodes[0] .bgp; do
  case $where in .) schema=.properties ;; .bgp) schema=.properties.bgp.properties ;; *) schema=.properties.nodes.items.properties ;; esac
  same "keys of the schema at $where" "$(jq -c "$schema | keys" "$conf/cluster.schema.json")" "$(jq -c "$where | keys" <<<"$everything")"
  for key in $(jq -r "$schema | keys[]" "$conf/cluster.schema.json"); do
    jq "$where |= with_entries(if .key == \"$key\" then .key = \"${key}x\" else . end)" <<<"$everything" >"$cluster"
    node A plan
    case $errors in *"${key}x: unknown key"*) checks=$((checks + 1)) ;; *) fail "the program knows ${key}x: $errors" ;; esac
  done
done
same "keys of the source routes" "$(jq -c '.properties.source.oneOf[] | select(.properties.type.const == "routes") | .properties | keys' \
  "$conf/cluster.schema.json")" '["holdSeconds","table","type"]'
jq 'del(.bgp.passwordFile)' <<<"$everything" >"$cluster" # one of the two
node A plan; ok "every key: $errors"

# ip(8) takes the protocol's name from the drop-in.
if [ -d /etc/iproute2/rt_protos.d ]; then
  mkdir "$work/protos" && cp "$conf/rt_protos.d-onlink.conf" "$work/protos/onlink.conf"
  mount --bind "$work/protos" /etc/iproute2/rt_protos.d # in the test's own mount namespace
  ip -n A route add 10.10.1.0/24 via 172.16.91.202 proto onlink
  same "by name" "$(ip -n A -j route show 10.10.1.0/24 | jq -r '.[0].protocol')" onlink
fi

# systemd reads the unit.
if command -v systemd-analyze >/dev/null; then
  sed "s#/usr/local/sbin/onlink-node#$bin/onlink-node#" "$conf/onlink-node.service" >"$work/onlink-node.service"
  systemd-analyze verify --man=no "$work/onlink-node.service" >"$work/verify" 2>&1 || true
  ! grep onlink-node.service "$work/verify" || fail "the unit"
  checks=$((checks + 1))
fi
# networkd and NetworkManager read theirs without a complaint, as far as they are installed.
networkd=/usr/lib/systemd/systemd-networkd
if [ -x $networkd ]; then
  mkdir -p /run/systemd/network /run/systemd/networkd.conf.d /run/systemd/netif
  cp "$conf/networkd-onlink.network" /run/systemd/network/05-onlink.network
  cp "$conf/networkd.conf.d-onlink.conf" /run/systemd/networkd.conf.d/onlink.conf
  SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console timeout 3 $networkd >"$work/networkd" 2>&1 || true
  ! grep -E 'onlink.*(Unknown|Failed to parse|ignoring)' "$work/networkd" || fail "networkd does not take its drop-ins"
  grep -q . "$work/networkd" || fail "networkd did not start at all"
  checks=$((checks + 1))
fi
"$python" - "$conf/networkmanager-onlink.conf" <<'PY' || fail "NetworkManager's drop-in"
import configparser, sys
parsed = configparser.ConfigParser(delimiters=("=",))
parsed.read(sys.argv[1])
sys.exit(parsed["keyfile"]["unmanaged-devices"].split(";") != ["interface-name:onl*", "interface-name:tunl0",
                                                              "interface-name:ipip.onlink", "interface-name:vxlan.onlink"])
PY
# Both are shown at work by test/runtime/network_managers.sh.
done_testing
