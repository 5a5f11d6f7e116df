#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# DEL: the host is compared with what it was before ADD, state by the container ID, which nothing else contains.

load lib

gone() {  # nothing of the attachment is left
  ! link_exists pod "$ifname" 2>/dev/null || [[ $ifname == lo ]] || fail "$ifname is still in the container"
  snapshot host >"$WORK/host.after"
  same "$WORK/host.before" "$WORK/host.after" "the host after DEL"
}

@test "DEL-01 the interface is gone after DEL" {
  makes_interface
  attach
  detach
  ! link_exists pod "$ifname" || fail "$ifname is still in the container"
}

@test "DEL-02 the host is as before: links, addresses, routes, rules, neighbours, firewall" {
  warm_up
  attach
  detach
  gone
}

@test "DEL-02b no state names the container" {
  attach
  detach
  no_traces_of "$id"
}

@test "DEL-02c a pool of one address serves one container after the other" {
  pool_of 1
  attach
  detach
  attach
}

@test "DEL-02d the addresses of other attachments stay reserved" {
  pool_of 2
  attach
  new_netns other
  id=other-$id netns=/run/netns/other attach
  cp "$result" "$WORK/other.json"
  id=other-$id netns=/run/netns/other detach
  new_netns third
  id=third-$id netns=/run/netns/third attach
  jq -es 'map(.ips // .ip4) | .[0] == .[1] and (.[0] | length > 0)' "$WORK/other.json" "$result" >/dev/null || fail "the freed address was not the one that was used again"
}

@test "DEL-03 DEL without prevResult" {
  attach
  must_succeed DEL
  no_traces_of "$id"
}

@test "DEL-03b DEL with an empty prevResult" {
  attach
  configure '.prevResult = {}'
  must_succeed DEL
}

@test "DEL-04 the namespace is gone: DEL succeeds" {
  attach
  ip netns del pod
  detach
}

@test "DEL-04b the namespace is gone: DEL cleans up" {
  warm_up
  attach
  ip netns del pod
  conf=$attached cni DEL
  no_traces_of "$id"
  gone
}

@test "DEL-05 an IPAM plugin releases the address though the namespace is gone" {
  for_ipam
  pool_of 1
  attach
  ip netns del pod
  detach
  new_netns pod
  attach
}

@test "DEL-06 DEL a second time" {
  attach
  detach
  detach
}

@test "DEL-07 DEL when the interface is missing already" {
  makes_interface
  attach
  ip -n pod link del "$ifname"
  detach
}

@test "DEL-07b DEL of what was never added" { must_succeed DEL; }

@test "DEL-08 the namespace is gone: the IPAM plugin is called, and the main plugin's own things go" {
  record
  warm_up
  attach
  forget_calls
  ip netns del pod
  conf=$attached cni DEL
  delegate_saw DEL
  gone
  no_traces_of "$id"
}

@test "DEL-09 DEL of one attachment leaves another of the same container" {
  makes_interface
  attach
  ifname=net1 cni ADD
  ((rc == 0)) || skip "cannot add a second interface (ADD-04 judges that)"
  remember
  ifname=net1 detach
  link_exists pod "$ifname" || fail "$ifname went with net1"
  ! link_exists pod net1 || fail "net1 is still there"
}

@test "DEL-09b the reservation of the other attachment of the container stays" {
  for_ipam
  pool_of 2
  attach
  ifname=net1 must_succeed ADD
  ifname=net1 must_succeed DEL
  id=second-$id attach
  id=third-$id must_fail ADD
}
