#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The versions of the protocol, each as the plugin says it supports it.

load lib

each_version() {  # each_version FUNCTION: calls it with each supported version, conf set
  local version
  for version in $SUPPORTED; do
    fresh_world
    jq --arg v "$version" '.cniVersion = $v' "$BASE" >"$WORK/versioned.json"
    conf=$WORK/versioned.json
    "$1" "$version" || return
  done
}

added_and_deleted() { attach && detach; }
echoes() { must_succeed ADD && judge "select(.cniVersion != \"$1\") | \"asked in $1, answered in \(.cniVersion)\""; }
has_shape() { must_succeed ADD && judge "has_shape_of(\"$1\")"; }

@test "VSN-01 ADD and DEL work in every version that VERSION lists" { each_version added_and_deleted; }
@test "VSN-02 the result's cniVersion is that of the input, in every version" { each_version echoes; }
@test "VSN-03 the result has the form of its version, in every version" { each_version has_shape; }

@test "VSN-04 a version that the plugin does not support: ADD fails with code 1" {
  configure '.cniVersion = "9.9.9"'
  must_fail ADD
  code_is 1
}

@test "VSN-04b a version older than any" {
  configure '.cniVersion = "0.0.1"'
  must_fail ADD
  code_is 1
}

@test "VSN-04c a version that is none" {
  configure '.cniVersion = "one"'
  must_fail ADD
  code_is 1 6 7
}
