#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Containers that share a sandbox and were attached at the same time had their IPv6 default routes merged into one with several next
# hops, and CHECK blamed them.
. "$(dirname "$0")/lib.bash"
conf "$ipv6"
netns=/run/netns/shared
pod shared
for round in $(seq 10); do
  for each in 0 1 2; do (cni ADD c$each eth$each; echo "$out" >$work/result$each) & done
  wait
  same "default routes, round $round" "$(ip -n shared -6 -j route show default | jq -c 'map(select(.nexthops)) | length')" 0
  same "their number" "$(ip -n shared -6 route show default | wc -l)" 3
  for each in 0 1 2; do
    conf "$ipv6"; with_prev "$(cat $work/result$each)"
    cni CHECK c$each eth$each; ok "CHECK c$each"
  done
  conf "$ipv6"
  for each in 0 1 2; do cni DEL c$each eth$each; ok "DEL c$each"; done
done
done_testing
