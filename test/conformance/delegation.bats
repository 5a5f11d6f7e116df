#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Delegation: the configuration's ipam.type becomes a plugin that records how it is called.

load lib

setup() {
  fresh_world
  record
}

sees_same_environment() {  # sees_same_environment VERB: the recorded environment is that of the caller
  local name
  for name in CNI_COMMAND="$1" CNI_CONTAINERID="$id" CNI_NETNS="$netns" CNI_IFNAME="$ifname" CNI_PATH="$cni_path" \
    CNI_ARGS="$args" CONFORMANCE_EXTRA=passed-on; do
    grep -qxF -- "$name" "$recorder/log/$1.env" || fail "$1: the delegated plugin was called without $name" || return
  done
}

@test "DLG-02 the delegated plugin gets all environment variables" {
  args='IgnoreUnknown=1;K8S_POD_NAME=web'
  attach CONFORMANCE_EXTRA=passed-on
  sees_same_environment ADD
  detach CONFORMANCE_EXTRA=passed-on
  sees_same_environment DEL
}

@test "DLG-03 the delegated plugin gets the complete configuration" {
  configure '.args = {cni: {labels: [{key: "app", value: "web"}]}}'
  must_succeed ADD
  diff <(jq -S . "$conf") <(jq -S . "$recorder/log/ADD.stdin") >"$WORK/diff" || fail "changed: $(<"$WORK/diff")"
}

@test "DLG-04 the delegated plugin is looked up in each directory of CNI_PATH" {
  must_succeed ADD CNI_PATH="$recorder/empty:$CNI_DIRS:$recorder/bin"
  delegate_saw ADD
}

@test "DLG-04b and nowhere else: it is not in CNI_PATH, ADD fails" { must_fail ADD CNI_PATH="$recorder/empty"; }

@test "DLG-05 what the delegated plugin writes on stderr comes out on stderr" {
  must_succeed ADD
  grep -q 'conformance-ipam says hello on stderr for ADD' "$err" || fail "stderr: $(<"$err")"
}

@test "DLG-06 DEL executes the delegated plugin" {
  attach
  detach
  delegate_saw DEL
}

@test "DLG-06b CHECK executes the delegated plugin" {
  since 0.4.0 CHECK
  attach
  conf=$attached cni CHECK
  delegate_saw CHECK
}

@test "DLG-06c GC executes the delegated plugin" {
  since 1.1.0 GC
  configure '."cni.dev/valid-attachments" = []'
  cni GC -CNI_CONTAINERID -CNI_NETNS -CNI_IFNAME
  delegate_saw GC
}

@test "DLG-07 the delegated plugin fails ADD: ADD fails" {
  delegate_fails ADD
  must_fail ADD
}

@test "DLG-07b the delegated plugin fails DEL: DEL fails" {
  attach
  delegate_fails DEL
  conf=$attached must_fail DEL
}

@test "DLG-07c the delegated plugin fails CHECK: CHECK fails" {
  since 0.4.0 CHECK
  attach
  delegate_fails CHECK
  conf=$attached must_fail CHECK
}

@test "DLG-07d the delegated plugin fails GC: GC fails" {
  since 1.1.0 GC
  delegate_fails GC
  configure '."cni.dev/valid-attachments" = []'
  must_fail GC -CNI_CONTAINERID -CNI_NETNS -CNI_IFNAME
}

@test "DLG-08 the delegated plugin fails ADD: it is executed again with DEL" {
  delegate_fails ADD
  cni ADD
  delegate_saw DEL
}

@test "DLG-08b the delegated plugin fails ADD: DEL succeeds afterwards, and no interface is left" {
  delegate_fails ADD
  cni ADD
  must_succeed DEL
  [[ $ifname == lo ]] || ! link_exists pod "$ifname" || fail "$ifname is in the container"
}

@test "DLG-09 the addresses of the IPAM plugin are applied" {
  must_succeed ADD
  ip -n pod -j addr show dev "$ifname" >"$WORK/addr"
  local address
  for address in $(jq -r '((.ips[]?.address), .ip4.ip?, .ip6.ip?) // empty | split("/")[0]' "$recorder/bin/result.json"); do
    grep -qF "\"$address\"" "$WORK/addr" || fail "$address is not on $ifname"
  done
}

@test "DLG-09b the routes of the IPAM plugin are applied" {
  must_succeed ADD
  ip -n pod -j route show table all >"$WORK/routes"
  jq -n --slurpfile k "$WORK/routes" --slurpfile r "$recorder/bin/result.json" '{routes: $k[0], result: $r[0]}' >"$WORK/both"
  judge '[.routes[] | select((.type // "unicast") == "unicast") | route_dst] as $there
    | (.result.routes // .result.ip4.routes)[].dst | select(IN($there[]) | not) | "no route to \(.)"' "$WORK/both"
}

@test "DLG-10 the DNS settings of the IPAM plugin are in the result" {
  configure 'del(.dns)'
  must_succeed ADD
  jq -n --slurpfile k "$out" --slurpfile r "$recorder/bin/result.json" '[$k[0].dns, $r[0].dns]' >"$WORK/both"
  judge 'select(.[0] != .[1]) | "dns is \(.[0]), the IPAM plugin said \(.[1])"' "$WORK/both"
}
