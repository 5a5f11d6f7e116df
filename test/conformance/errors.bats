#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Errors: requests that no plugin can serve, and the form in which it says so.

load lib

setup_file() {
  fresh_world
  rm -rf "$WORK/errors"; mkdir "$WORK/errors"
  refused_request version ADD '.cniVersion = "9.9.9"'
  refused_request no-name ADD 'del(.name)'
  refused_request no-container ADD . -CNI_CONTAINERID
  refused_request unknown-command FETCH .
  [[ $KIND == ipam ]] || refused_request no-namespace ADD . CNI_NETNS=/run/netns/absent
  echo 'this is not JSON' >"$WORK/conf.json"
  conf=$WORK/conf.json refused_request not-json ADD ''
}

setup() { :; }

refused_request() {  # refused_request NAME VERB FILTER [VARIABLES...]
  local name=$1 verb=$2
  [[ ! $3 ]] || configure "$3" "$BASE"
  cni "$verb" "${@:4}"
  cp "$out" "$WORK/errors/$name"
  echo "$rc" >"$WORK/errors/$name.rc"
}

each_error() {  # each_error FILTER: judges the errors that are JSON objects
  local file seen=''
  for file in "$WORK"/errors/*.rc; do
    (($(<"$file") != 0)) || continue
    jq -es 'length == 1 and (.[0] | type) == "object"' "${file%.rc}" >/dev/null 2>&1 || continue
    seen=1
    judge "$1 | \"$(basename "$file" .rc): \(.)\"" "${file%.rc}" || return
  done
  [[ $seen ]] || fail "no error was a JSON object"
}

@test "ERR-01 requests that cannot be served: exit status is not 0" {
  local file
  for file in "$WORK"/errors/*.rc; do (($(<"$file") != 0)) || fail "$(basename "$file" .rc): exit 0, $(<"${file%.rc}")"; done
}

@test "ERR-01b nor is it by a signal or a timeout" {
  local file
  for file in "$WORK"/errors/*.rc; do (($(<"$file") < 124)) || fail "$(basename "$file" .rc): exit $(<"$file")"; done
}

@test "ERR-02 each error is one JSON object on standard out" {
  local file
  for file in "$WORK"/errors/*.rc; do
    jq -es 'length == 1 and (.[0] | type) == "object"' "${file%.rc}" >/dev/null 2>&1 || fail "$(basename "$file" .rc): $(<"${file%.rc}")"
  done
}

@test "ERR-03 an error has cniVersion" { each_error 'select(.cniVersion | type != "string") | "cniVersion is \(.cniVersion)"'; }
@test "ERR-04 an error has a numeric code" { each_error 'select(.code | type != "number") | "code is \(.code)"'; }
@test "ERR-05 an error has a msg" { each_error 'select((.msg | type) != "string" or .msg == "") | "msg is \(.msg)"'; }
@test "ERR-06 an error has details" { each_error 'select(.details | type != "string") | "details is \(.details)"'; }
@test "ERR-07 codes below 100 are the well-known ones" {
  each_error '.code | select(type == "number" and . < 100 and (IN(1, 2, 3, 4, 5, 6, 7, 11, 50, 51) | not)) | "code \(.) is reserved"'
}

@test "ERR-08 standard input cannot be read: code 5" {
  fresh_world
  conf=/proc/$$/mem must_fail ADD  # read(2) at address 0 of this shell is EIO
  code_is 5
}

@test "ERR-09 standard input is not JSON: code 6" {
  judge 'select(.code != 6) | "code is \(.code): \(.msg)"' "$WORK/errors/not-json"
}

@test "ERR-09b standard input is empty: code 6" {
  fresh_world
  : >"$WORK/empty"
  conf=$WORK/empty must_fail ADD
  code_is 6
}

@test "ERR-10 the network has no name: code 7" {
  judge 'select(.code != 7) | "code is \(.code): \(.msg)"' "$WORK/errors/no-name"
}
