#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Names and environment: what may stand in the variables, and which of them may be left out.

load lib

refuses() {  # refuses VARIABLE VALUE [CODE...]
  must_fail ADD "$1=$2" || return
  (($# < 3)) || code_is "${@:3}"
}

@test "ENV-01 ADD without CNI_CONTAINERID: code 4" { must_fail ADD -CNI_CONTAINERID; code_is 4; }
@test "ENV-01b ADD without CNI_NETNS: code 4" { must_fail ADD -CNI_NETNS; code_is 4; }
@test "ENV-01c ADD without CNI_IFNAME: code 4" { must_fail ADD -CNI_IFNAME; code_is 4; }
@test "ENV-01d an unknown CNI_COMMAND: code 4" { must_fail FETCH; code_is 4; }
@test "ENV-01e DEL without CNI_CONTAINERID: code 4" { must_fail DEL -CNI_CONTAINERID; code_is 4; }

@test "ENV-02 an error of code 4 names the variables" {
  local variable seen=''
  for variable in CNI_CONTAINERID CNI_NETNS CNI_IFNAME; do
    cni ADD "-$variable"
    [[ -s $out ]] && jq -e '.code == 4' "$out" >/dev/null 2>&1 || continue
    seen=1
    judge "\"\(.msg) \(.details)\" | select(contains(\"$variable\") | not) | \"does not name $variable: \(.)\""
  done
  [[ $seen ]] || skip "no error of code 4 (ENV-01 judges that)"
}

@test "ENV-03 an interface name that cannot be used: ADD fails" {
  makes_interface
  local name
  for name in sixteen-letters0 a/b "a b" . .. a:b; do refuses CNI_IFNAME "$name"; done
}

@test "ENV-04 a container ID that must not be: code 4" {
  local name
  for name in ../evil a/b -dash .dot "a b"; do refuses CNI_CONTAINERID "$name" 4; done
}

@test "ENV-05 every container ID that may be works" {
  local valid
  for valid in 0 0_a.b-C "$(printf 'ab0%.0s' {1..21})f" a..b; do
    fresh_world
    id=$valid attach
    id=$valid detach
  done
}

@test "ENV-06 ADD and DEL without CNI_PATH" {
  [[ ! $DELEGATES ]] || skip "delegates, and needs CNI_PATH for it"
  must_succeed ADD -CNI_PATH
  must_succeed DEL -CNI_PATH
}

@test "ENV-07 DEL without CNI_NETNS" {
  attach
  detach -CNI_NETNS
  no_traces_of "$id"
}

@test "ENV-07b DEL with an empty CNI_NETNS" {
  attach
  detach CNI_NETNS=
}

@test "ENV-08 a CNI_NETNS that is no namespace: ADD fails" {
  for_main "need not open the namespace"
  echo hello >"$WORK/file"
  refuses CNI_NETNS /run/netns/absent
  refuses CNI_NETNS "$WORK/file"
}

@test "CFG-01 a network name that must not be: code 7" {
  local name
  for name in ../evil a/b -dash "a b"; do
    configure ".name = \"$name\"" "$BASE"
    must_fail ADD
    code_is 7
  done
}

@test "CFG-02 every network name that may be works" {
  configure '.name = "0_net.A-b"'
  attach
  detach
}

@test "CFG-03 an ipam.type with a path in it: ADD fails" {
  delegating
  configure '.ipam.type = "../bin/conformance-ipam"' "$recorder/conf.json"
  cni_path=$recorder/bin:$CNI_DIRS must_fail ADD
}
