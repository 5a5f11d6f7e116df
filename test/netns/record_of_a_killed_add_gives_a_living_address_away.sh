#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An ADD that was killed before its record was whole left one that was taken for the record of a later pod of the same name under
# another plugin: its address was given to another while it lived.
. "$(dirname "$0")/lib.bash"
small='.ipam.subnet = "10.10.0.0/29" | .ipam.cooldown = 0'
bridge='{"cniVersion":"1.0.0","name":"net1","type":"bridge","bridge":"cni0","isGateway":true,"ipam":{"type":"host-local","subnet":"10.10.0.0/29"}}'
for write in 1 2 3; do
  empty_host
  ip link del cni0 2>/dev/null || true
  conf "$small"
  pod c1
  printf '#!/bin/sh\nexec strace -qq -o /dev/null -e trace=write -e inject=write:signal=SIGKILL:when=%s "%s/onlink"\n' $write "$bin" >$work/onlink
  chmod +x $work/onlink
  bin=$work cni ADD c1
  [ "$status" != 0 ] || fail "the ADD was not killed"
  conf=$bridge
  bin=$reference plugin=bridge cni DEL c1; ok "DEL by the other plugin"
  bin=$reference plugin=bridge cni ADD c1; ok "ADD by the other plugin"
  address=$(jq -r '.ips[0].address | sub("/.*"; "")' <<<"$out")
  conf "$small"
  for each in x1 x2 x3 x4; do pod $each; cni ADD $each; ok "ADD $each"; done
  pod x5; cni ADD x5; refused 102 "no IP addresses"
  same "whose it is" "$(owner "$address")" c1
done
done_testing
