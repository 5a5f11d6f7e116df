#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# STATUS.

load lib

setup() {
  since 1.1.0 STATUS
  fresh_world
}

status() { "$1" STATUS -CNI_CONTAINERID -CNI_NETNS -CNI_IFNAME; }

@test "STA-01 a plugin that can serve ADD exits 0" { status must_succeed; }

@test "STA-02 no address is left: STATUS fails" {
  pool_of 1
  attach
  status must_fail
}

@test "STA-03 the error of STATUS is on standard out, code 50 or 51" {
  if [[ $DELEGATES ]]; then
    record
    delegate_fails STATUS 50
    status must_fail
  else
    pool_of 1
    attach
    status cni
    ((rc)) || skip "STATUS does not fail with a full pool (STA-02), and nothing else is known to make it fail"
  fi
  code_is 50 51
}

@test "STA-04 other operations work though STATUS fails" {
  pool_of 1
  attach
  status cni
  detach
  attach
}

@test "STA-05 STATUS is passed on to the delegated plugin" {
  record
  status must_succeed
  delegate_saw STATUS
}

@test "STA-06 the error of the delegated plugin is returned" {
  record
  delegate_fails STATUS 50
  status must_fail
}

@test "STA-07 STATUS without CNI_PATH" {
  [[ ! $DELEGATES ]] || skip "delegates, and needs CNI_PATH for it"
  must_succeed STATUS -CNI_CONTAINERID -CNI_NETNS -CNI_IFNAME -CNI_PATH
}
