#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Chaining: the plugin is called after another one that made prev0 in the same container.

load lib

setup() {
  rich_result
  for_main "is not called in a chain"
  fresh_world
  previous
}

previous() {
  ip -n pod link add prev0 address 02:00:00:00:00:10 type veth peer name prev1
  ip -n pod link set prev0 up
  ip -n pod addr add 203.0.113.7/24 dev prev0
  local form=''
  (($(version_number "$VERSION") >= 10000)) || form=', version: "4"'
  configure ".prevResult = {cniVersion: \"$VERSION\", interfaces: [{name: \"prev0\", mac: \"02:00:00:00:00:10\", sandbox: \"$netns\"}],
    ips: [{address: \"203.0.113.7/24\", interface: 0$form}], routes: [{dst: \"203.0.113.128/25\", gw: \"203.0.113.1\"}],
    dns: {nameservers: [\"203.0.113.53\"]}}"
}

keeps() { must_succeed ADD; judge "$1"; }

@test "CHN-01 prevResult's interfaces are in the result" { keeps 'select([.interfaces[]?.name] | index("prev0") == null) | "prev0 is missing: \(.interfaces)"'; }
@test "CHN-01b prevResult's addresses are, with the index of the same interface" {
  keeps '[.ips[]? | select(.address == "203.0.113.7/24")] as $ips | . as $r | if $ips == [] then "203.0.113.7/24 is missing: \(.ips)"
    else $ips[0].interface as $i | ($r.interfaces[$i].name? // "none") | select(. != "prev0") | "203.0.113.7/24 is on interface \($i), \(.)" end'
}
@test "CHN-01c prevResult's routes are" { keeps 'select([.routes[]?.dst] | index("203.0.113.128/25") == null) | "203.0.113.128/25 is missing: \(.routes)"'; }
@test "CHN-01d prevResult's DNS settings are" { keeps 'select(.dns.nameservers | index("203.0.113.53") | not) | "203.0.113.53 is missing: \(.dns)"'; }

@test "CHN-02 the plugin's own interface is in the result, next to prevResult's" {
  makes_interface
  keeps "[.interfaces[]?.name] | select(index(\"$ifname\") == null) | \"$ifname is missing: \(.)\""
}

@test "CHN-03 CHECK with the result of a longer chain" {
  since 0.4.0 CHECK
  conf=$BASE attach
  jq --slurpfile p "$WORK/conf.json" '.prevResult |= (.interfaces += $p[0].prevResult.interfaces | (.interfaces | length - 1) as $i
      | .ips += [$p[0].prevResult.ips[0] | .interface = $i])' "$attached" >"$WORK/longer.json"
  conf=$WORK/longer.json must_succeed CHECK
}

@test "CHN-03b DEL with the result of a longer chain leaves the other plugin's interface" {
  conf=$BASE attach
  jq --slurpfile p "$WORK/conf.json" '.prevResult |= (.interfaces += $p[0].prevResult.interfaces | (.interfaces | length - 1) as $i
      | .ips += [$p[0].prevResult.ips[0] | .interface = $i])' "$attached" >"$WORK/longer.json"
  conf=$WORK/longer.json must_succeed DEL
  link_exists pod prev0 || fail "prev0 is gone"
}
