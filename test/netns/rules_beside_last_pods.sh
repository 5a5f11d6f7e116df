#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The tables that pods share are there as long as a pod is, and no longer, however ADDs and DELs of the first and the last pods
# fall together: a DEL takes the tables away before its interface, and must see those that come and go beside it.
# Usage: rules_beside_last_pods.sh [ROUNDS, default 60]; ONLINK_SEED repeats a run.
. "$(dirname "$0")/lib.bash"
rounds=${1:-60}
seed=${ONLINK_SEED:-$RANDOM}
RANDOM=$seed
echo "seed $seed"
conf '.ipMasq = true'
declare -A attached=()
pods=(p1 p2 p3)
for pod in "${pods[@]}"; do pod "$pod"; attached[$pod]=no; done
call() { cni "$1" "$2"; [ "$status" = 0 ] || echo "$1 $2: $out" >>$work/refused; } # COMMAND POD
rules() { nft list ruleset | grep -cE 'fib saddr|@inside_v[46] masquerade' || true; }
for ((round = 1; round <= rounds; round++)); do
  left=0
  for pod in "${pods[@]}"; do
    if [ $((RANDOM % 3)) != 0 ]; then
      if [ "${attached[$pod]}" = yes ]; then call DEL "$pod" & attached[$pod]=no; else call ADD "$pod" & attached[$pod]=yes; fi
    fi
    [ "${attached[$pod]}" = no ] || left=$((left + 1))
  done
  wait
  if [ "$left" = 0 ]; then
    same "round $round: tables without a pod" "$(nft list tables)" ""
  else
    same "round $round: tables of $left pods" "$(nft list tables | sort | xargs)" "table inet onlink-net1 table inet onlink_onl"
    same "round $round: their rules" "$(rules)" 3
  fi
done
same "calls that were refused" "$(cat $work/refused 2>/dev/null || true)" ""
done_testing
