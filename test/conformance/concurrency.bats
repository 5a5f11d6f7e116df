#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Concurrency: eight containers at once, and four more while the first four leave.

load lib

at_once() {  # at_once VERB NUMBER...: the verb for these containers, in parallel; each with files of its own
  local verb=$1 n
  shift
  for n in "$@"; do
    ( out=$WORK/out.$n err=$WORK/err.$n id=parallel-$n-$id netns=/run/netns/many$n
      result=$WORK/result.$n attached=$WORK/attached.$n
      [[ $verb == ADD || ! -e $attached ]] || conf=$attached
      cni "$verb"
      if ((rc != 0)); then said >"$WORK/wrong.$verb.$n"; elif [[ $verb == ADD ]]; then remember; fi ) &
  done
  wait
}

none_failed() { local wrong=("$WORK"/wrong.*); [[ ! -e ${wrong[0]} ]] || fail "$(head -c 2000 "${wrong[@]}")"; }

setup() {
  fresh_world
  local n
  rm -f "$WORK"/wrong.* "$WORK"/out.* "$WORK"/attached.*
  for n in 1 2 3 4 5 6 7 8; do new_netns "many$n"; done
}

@test "LIF-01 eight ADDs at once succeed, and eight DELs" {
  at_once ADD 1 2 3 4 5 6 7 8
  none_failed
  at_once DEL 1 2 3 4 5 6 7 8
  none_failed
}

@test "LIF-01b ADDs and DELs at once" {
  at_once ADD 1 2 3 4
  at_once DEL 1 2 3 4 &
  at_once ADD 5 6 7 8
  wait
  none_failed
}

@test "LIF-02 eight ADDs at once get eight addresses" {
  pool_of 8
  at_once ADD 1 2 3 4 5 6 7 8
  none_failed
  local several=$(jq -rs '[.[] | (.ips[]?.address), .ip4.ip? // empty] | group_by(.)[] | select(length > 1) | .[0]' "$WORK"/out.*)
  [[ ! $several ]] || fail "given to several: $several"
}

@test "LIF-02b and eight DELs at once give all of them back" {
  pool_of 8
  at_once ADD 1 2 3 4 5 6 7 8
  at_once DEL 1 2 3 4 5 6 7 8
  local n
  for n in 1 2 3 4 5 6 7 8; do no_traces_of "parallel-$n-$id"; done
}
