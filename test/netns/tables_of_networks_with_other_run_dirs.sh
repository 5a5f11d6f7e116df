#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The last DEL of one network took the tables away under the first pod of another that has another runDir: they share the tables,
# and had not the same lock.
. "$(dirname "$0")/lib.bash"
conf '.ipMasq = true'
first=$conf
conf '.ipMasq = true | .ipam.runDir = "/run/other"'
second=$conf
# The DEL waits at one of its messages, while the other's ADD runs.
for message in 4 5 6 7 8 9; do
  empty_host
  pod p1; conf=$first; cni ADD p1; ok "ADD p1"
  printf '#!/bin/sh\nexec strace -qq -o /dev/null -e trace=sendto -e inject=sendto:delay_enter=700000:when=%s "%s/onlink"\n' $message "$bin" >$work/onlink
  chmod +x $work/onlink
  (bin=$work cni DEL p1) &
  waiting=$!
  sleep 0.3
  pod p2; conf=$second; cni ADD p2; ok "ADD p2 during message $message"
  wait $waiting
  same "the tables, after message $message" "$(nft list tables | sort | paste -sd, -)" "table inet onlink-net1,table inet onlink_onl"
  with_prev "$out"; cni CHECK p2; ok "CHECK p2"
  conf=$second; cni DEL p2; ok "DEL p2"
done
done_testing
