#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# CHECK, and what it must notice. Each case breaks one thing after ADD.

load lib

setup() {
  since 0.4.0 CHECK
  fresh_world
}

check_ok() { conf=$attached must_succeed CHECK; }
check_fails() { conf=$attached must_fail CHECK; }
lists() { jq -e "$1" "$result" >/dev/null || skip "$2"; }

@test "CHK-01 an address in prevResult that the interface does not have: CHECK fails" {
  attach
  lists '.ips | length > 0' "the result lists no address"
  configure '.prevResult.ips[0].address = "233.252.0.9/32"' "$attached"
  must_fail CHECK
}

@test "CHK-01b an interface in prevResult that does not exist: CHECK fails" {
  makes_interface
  attach
  jq --arg n "$ifname" '.prevResult.interfaces |= map(if .name == $n then .name = "absent0" else . end)' "$attached" >"$WORK/conf.json"
  conf=$WORK/conf.json must_fail CHECK
}

@test "CHK-02 a later plugin added a route: CHECK succeeds" {
  for_main
  attach
  ip -n pod route add 233.252.0.0/24 dev "$ifname" scope link
  check_ok
}

@test "CHK-02b a later plugin changed the MAC and said so: CHECK succeeds" {
  makes_interface
  attach
  ip -n pod link set "$ifname" address 02:00:00:00:00:77
  jq --arg n "$ifname" '.prevResult.interfaces |= map(if .name == $n then .mac = "02:00:00:00:00:77" else . end)' "$attached" >"$WORK/conf.json"
  conf=$WORK/conf.json must_succeed CHECK
}

@test "CHK-02c a later plugin changed the MTU, and the result still has the old one: CHECK succeeds" {
  makes_interface
  attach
  ip -n pod link set "$ifname" mtu 1300
  check_ok
}

@test "CHK-02d udev or an administrator made source checking of the host's interfaces loose: CHECK succeeds" {
  makes_interface
  attach
  ip netns exec host sh -c 'for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 2 >"$file"; done'
  check_ok
}

@test "CHK-03 the interface is missing: CHECK fails" {
  makes_interface
  attach
  ip -n pod link del "$ifname"
  check_fails
}

@test "CHK-03b an address is missing: CHECK fails" {
  makes_interface
  attach
  lists '.ips | length > 0' "the result lists no address"
  ip -n pod addr flush dev "$ifname" scope global
  check_fails
}

@test "CHK-03c a route is missing: CHECK fails" {
  makes_interface
  attach
  lists '.routes | length > 0' "the result lists no route"
  local dst=$(jq -r '.routes[0].dst' "$result")
  ip -n pod route del "$dst" || fail "the route $dst of the result does not exist"
  check_fails
}

@test "CHK-03d the interface is down: CHECK fails" {
  for_main
  attach
  ip -n pod link set "$ifname" down
  check_fails
}

@test "CHK-04 the IP reservation is missing: CHECK fails" {
  attach
  local files=$(grep -rlF -- "$id" "$STATE" /var/lib/cni 2>/dev/null || true)
  [[ $files ]] || skip "keeps no reservation in files"
  xargs rm -f <<<"$files"
  check_fails
}

@test "CHK-04b the firewall rules are missing: CHECK fails" {
  for_main
  ruleset >"$WORK/rules.before" || skip "no nftables here"
  configure '.ipMasq = true'
  attach
  ruleset >"$WORK/rules.after"
  ! cmp -s "$WORK/rules.before" "$WORK/rules.after" || skip "makes no firewall rules, with ipMasq either"
  ip netns exec host nft flush ruleset
  check_fails
}

@test "CHK-05 CHECK right after ADD" {
  attach
  check_ok
}

@test "CHK-06 CHECK is passed on to the delegated plugin" {
  record
  attach
  check_ok
  delegate_saw CHECK
}

@test "CHK-06b the error of the delegated plugin is passed on to the caller" {
  record
  attach
  delegate_fails CHECK
  check_fails
}
