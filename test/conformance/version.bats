#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# VERSION.

load lib

setup() {
  fresh_world
  asks "$VERSION"
}

asks() {  # asks VERSION: only the one variable that VERSION requires
  echo "{\"cniVersion\":\"$1\"}" >"$WORK/conf.json"
  conf=$WORK/conf.json must_succeed VERSION -CNI_CONTAINERID -CNI_NETNS -CNI_IFNAME -CNI_PATH
}

@test "VER-01 VERSION prints one JSON object on standard out" {
  jq -es 'length == 1 and (.[0] | type) == "object"' "$out" >/dev/null || fail "not exactly one JSON object: $(said)"
}

@test "VER-02 cniVersion is the value specified on input" {
  local version
  for version in $SUPPORTED; do
    asks "$version"
    judge "select(.cniVersion != \"$version\") | \"asked with $version, answered \(.cniVersion)\""
  done
}

@test "VER-03 supportedVersions is a list of versions" {
  judge '.supportedVersions | if type != "array" or length == 0 then "supportedVersions is \(.)"
    else .[] | select(type != "string" or (test("^[0-9]+[.][0-9]+[.][0-9]+$") | not)) | "not a version: \(.)" end'
}
