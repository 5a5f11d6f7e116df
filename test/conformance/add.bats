#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# ADD, as far as the interface goes; result.bats judges what ADD prints.

load lib

@test "ADD-01 the interface CNI_IFNAME is in the container after ADD" {
  for_main
  attach
  link_exists pod "$ifname" || fail "no $ifname in the container"
}

@test "ADD-02 ADD prints one JSON document, and it is a result" {
  must_succeed ADD
  judge 'select(type != "object" or has("code")) | "not a result: \(.)"'
  jq -es 'length == 1' "$out" >/dev/null || fail "not exactly one JSON document: $(said)"
}

@test "ADD-03 an interface of the requested name exists: ADD fails" {
  makes_interface
  ip -n pod link add "$ifname" type veth peer name other
  ip -n pod -j link show >"$WORK/pod.before"
  must_fail ADD
}

@test "ADD-03b and leaves that interface alone" {
  makes_interface
  ip -n pod link add "$ifname" address 02:00:00:00:00:01 type veth peer name other
  cni ADD
  ip -n pod -j link show dev "$ifname" | jq -e '.[0].address == "02:00:00:00:00:01"' >/dev/null || fail "$ifname was replaced"
}

@test "ADD-04 a second interface of another name for the same container" {
  makes_interface
  attach
  ifname=net1 must_succeed ADD
  link_exists pod "$ifname" || fail "$ifname is gone"
  link_exists pod net1 || fail "no net1 in the container"
}
