#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# GC: two attachments, one of them no longer valid.

load lib

setup() {
  since 1.1.0 GC
  fresh_world
}

# gc CALL [ATTACHMENT...]: GC with these attachments, each ID/IFNAME, as the valid ones.
gc() {
  local call=$1 attachment list=()
  shift
  for attachment in "$@"; do list+=("{\"containerID\":\"${attachment%/*}\",\"ifname\":\"${attachment#*/}\"}"); done
  configure ".\"cni.dev/valid-attachments\" = [$(IFS=,; echo "${list[*]}")]"
  "$call" GC -CNI_CONTAINERID -CNI_NETNS -CNI_IFNAME
}

two_attachments() {  # $id is valid, stale-$id is not: its namespace is gone
  attach
  new_netns stale
  id=stale-$id netns=/run/netns/stale must_succeed ADD
  ip netns del stale
}

@test "GC-01 reservations of attachments that are not listed are removed" {
  pool_of 2
  two_attachments
  gc must_succeed "$id/$ifname"
  new_netns next
  id=next-$id netns=/run/netns/next must_succeed ADD
}

@test "GC-01b no state names a stale container" {
  two_attachments
  gc must_succeed "$id/$ifname"
  no_traces_of "stale-$id"
}

@test "GC-01c an attachment is the pair of container and interface: the same container's stale one is removed" {
  pool_of 2
  attach
  new_netns stale
  ifname=net1 netns=/run/netns/stale must_succeed ADD
  ip netns del stale
  gc must_succeed "$id/$ifname"
  new_netns next
  id=next-$id netns=/run/netns/next must_succeed ADD
}

@test "GC-02 valid attachments keep their reservation" {
  pool_of 2
  two_attachments
  gc cni "$id/$ifname"
  new_netns next; new_netns last
  id=next-$id netns=/run/netns/next cni ADD
  id=last-$id netns=/run/netns/last must_fail ADD
}

@test "GC-02b valid attachments keep their interface" {
  makes_interface
  two_attachments
  gc cni "$id/$ifname"
  link_exists pod "$ifname" || fail "$ifname of a valid attachment is gone"
}

@test "GC-03 GC with nothing to remove" { gc must_succeed; }

@test "GC-03b GC a second time" {
  two_attachments
  gc must_succeed "$id/$ifname"
  gc must_succeed "$id/$ifname"
}

@test "GC-04 the error of a delegated plugin is reported" {
  record
  delegate_fails GC
  gc must_fail
}

@test "GC-04b and own resources of stale attachments are removed all the same" {
  record
  attach
  ip netns del pod
  delegate_fails GC
  gc cni other/eth0
  no_traces_of "$id"
}

@test "GC-05 GC is forwarded to the delegated plugin, with the list" {
  record
  gc must_succeed "$id/$ifname"
  delegate_saw GC
  judge '."cni.dev/valid-attachments" | select(length != 1) | "the list became \(.)"' "$recorder/log/GC.stdin"
}

@test "GC-06 no output on success" {
  gc must_succeed
  [[ ! -s $out ]] || fail "output: $(<"$out")"
}
