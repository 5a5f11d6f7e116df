#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Well-known keys of a configuration, and CONVENTIONS.md: capabilities, args, CNI_ARGS.

load lib

wanted=''  # an address that the configuration can give, but not the first that it would

a_wanted_address() {
  for_ipam
  if [[ $(jq -r .ipam.type "$conf") == static ]]; then wanted=203.0.113.14 prefix=24; return; fi  # it gives any address
  pool_of 5
  wanted=$(jq -r '.ipam.ranges[0][0].rangeEnd' "$conf")
  prefix=$(jq -r '.ipam.ranges[0][0].subnet | split("/")[1]' "$conf")
}
gives() { must_succeed ADD; judge "[.ips[]?.address, .ip4.ip?] | map(select(. == \"$1\")) | select(. == []) | \"not given: $1\""; }
ignores() { judge "[.ips[]?.address, .ip4.ip?] | map(select(. == \"$1\")) | select(. != []) | \"given all the same: $1\""; }

@test "CFG-04 dns of the configuration, where it is consumed, is in the result" {
  for_main
  configure '.dns = {nameservers: ["192.0.2.11"], domain: "own.test", search: ["own.test"], options: ["ndots:3"]}'
  must_succeed ADD
  jq -e '.dns.nameservers | index("192.0.2.11")' "$out" >/dev/null || skip "does not consume dns"
  judge 'select(.dns != {nameservers: ["192.0.2.11"], domain: "own.test", search: ["own.test"], options: ["ndots:3"]}) | "dns is \(.dns)"'
}

@test "CFG-04b runtimeConfig.dns with a Go program's keys (Servers, as containerd writes) is read like the convention's" {
  for_main
  local keys configuration=$conf
  makes_interface
  for keys in 'servers searches options' 'Servers Searches Options'; do
    conf=$configuration
    configure "(\"$keys\" | split(\" \")) as \$k | .runtimeConfig.dns = {(\$k[0]): [\"192.0.2.11\"], (\$k[1]): [\"own.test\"], (\$k[2]): [\"ndots:3\"]}"
    new_netns "${keys%% *}"
    id=${keys%% *} netns=/run/netns/${keys%% *} attach
    if ! jq -e '.dns.nameservers? | index("192.0.2.11")' "$result" >/dev/null; then
      [[ $keys == Servers* ]] || skip "does not consume runtimeConfig.dns"
      fail "Servers is not read, servers is: dns is $(jq -c .dns "$result")"
    fi
  done
}

@test "CFG-05b ipMasq masquerades every subnet of the network, also one that no earlier attachment had" {
  for_main
  jq -e '.ipam.ranges' "$conf" >/dev/null || skip "has no ranges in host-local's form"
  configure '.ipMasq = true | .ipam.ranges = [[{subnet: "10.10.0.0/30"}, {subnet: "10.20.0.0/30"}]] | .ipam.routes = [{dst: "0.0.0.0/0"}]'
  new_netns outside
  ip -n host link add outside0 type veth peer name eth0 netns outside
  ip -n host addr add 192.0.2.1/24 dev outside0; ip -n host link set outside0 up
  ip -n outside addr add 192.0.2.2/24 dev eth0; ip -n outside link set eth0 up
  attach
  ip netns exec pod ping -qc1 -W3 192.0.2.2 >/dev/null || skip "does not consume ipMasq"
  new_netns second
  id=second netns=/run/netns/second must_succeed ADD
  ip netns exec second ping -qc1 -W3 192.0.2.2 >/dev/null ||
    fail "$(jq -r '.ips[0].address' "$out") is not masqueraded, $(jq -r '.ips[0].address' "$result") is"
}

@test "CFG-05 ipMasq, where it is consumed, masquerades, and DEL leaves no rules of the attachment" {
  for_main
  configure '.ipMasq = true'
  warm_up  # what the network's attachments share may stay
  ruleset >"$WORK/rules.before" || skip "no nftables here"
  attach
  ruleset | grep -qi masquerade || skip "does not consume ipMasq"
  detach
  ruleset >"$WORK/rules"
  same "$WORK/rules.before" "$WORK/rules" "rules"
}

@test "CFG-06 an unknown key: ADD works, or fails with code 2 and names key and value" {
  configure '."conformance-unknown-key" = "its-value"'
  cni ADD
  ((rc == 0)) || judge 'select(.code != 2 or ("\(.msg) \(.details)" | (contains("conformance-unknown-key") and contains("its-value")) | not)) | "code \(.code): \(.msg)"'
}

@test "CFG-07 keys that start with cni.dev/ and are not known" {
  configure '."cni.dev/of-a-later-version" = {a: 1}'
  attach
  detach
}

@test "CNV-01 an IPAM plugin gives the address of the capability ips" {
  a_wanted_address
  configure ".runtimeConfig = {ips: [\"$wanted/$prefix\"]}"
  gives "$wanted/$prefix"
}

@test "CNV-02 an IPAM plugin gives the address of args.cni.ips" {
  a_wanted_address
  configure ".args = {cni: {ips: [\"$wanted/$prefix\"]}}"
  gives "$wanted/$prefix"
}

@test "CNV-03 an IPAM plugin gives the address of IP in CNI_ARGS" {
  a_wanted_address
  args=IP=$wanted/$prefix gives "$wanted/$prefix"
}

@test "CNV-04 args.cni.ips and IP in CNI_ARGS: the latter is ignored" {
  a_wanted_address
  configure ".args = {cni: {ips: [\"$wanted/$prefix\"]}}"
  args=IP=${wanted%.*}.12/$prefix gives "$wanted/$prefix"
  ignores "${wanted%.*}.12/$prefix"
}

@test "CNV-05 a malformed address in the capability ips: ADD fails" {
  for_ipam
  configure '.runtimeConfig = {ips: ["not-an-address"]}'
  must_fail ADD
}

@test "CNV-05b a malformed mac: ADD fails, where mac is consumed" {
  makes_interface
  configure '.runtimeConfig = {mac: "02:00:00:00:00:42"}'
  cni ADD
  [[ $(ip -n pod -j link show dev "$ifname" 2>/dev/null) == *02:00:00:00:00:42* ]] || skip "does not consume the capability mac"
  new_netns again
  configure '.runtimeConfig = {mac: "not-a-mac"}'
  id=again-$id netns=/run/netns/again must_fail ADD
}

@test "CNV-05c a malformed ipRanges: ADD fails" {
  for_ipam
  pool_of 5
  configure '.runtimeConfig = {ipRanges: [[{subnet: "not-a-subnet"}]]}'
  must_fail ADD
}

@test "CNV-06 an IPAM plugin takes the capability ipRanges" {
  for_ipam
  pool_of 5
  configure '.runtimeConfig = {ipRanges: [[{subnet: "198.51.100.0/24"}]]}'
  must_succeed ADD
  judge '[.ips[]?.address, .ip4.ip? // empty] | map(select(startswith("198.51.100."))) | select(. == []) | "no address of ipRanges"'
}

@test "CNV-07 args that the plugin does not understand are ignored" {
  configure '.args = {cni: {labels: [{key: "app", value: "web"}]}, vendor: {anything: [1, {a: null}]}}'
  attach
  detach
}

@test "CNV-08 CNI_ARGS that the plugin does not consume do no harm" {
  args='K8S_POD_NAMESPACE=default;K8S_POD_NAME=web'
  attach
  detach
}

@test "CNV-09 capabilities that the plugin does not consume do no harm" {
  configure '.runtimeConfig = {"conformance.test": {a: [1]}}'
  attach
  detach
}
