#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Whatever happened in the cluster file's folder, a draft of the next version too, made a pass, and confirmed a list that lacks
# most of the nodes: they were gone at once, and not after the second reading five seconds later.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
seed_hosts
many='.nodes += [range(1; 7) | {name: "N\(.)", nodeIP: "172.16.91.\(. + 10)", podCIDRs: ["10.10.\(. + 10).0/24"]}]'
seed_cluster "$many"
start_node A
routes() { ip -n A route show proto 169 | grep -c via; }
there() { [ "$(routes)" = 7 ]; }
eventually 10 there
eventually 10 test -s "$work/A/run/service.json"
passes() { jq .passes "$work/A/run/service.json"; }
unchanged() { local seen; seen=$(passes); sleep 1; [ "$(passes)" = "$seen" ]; }
somebody_beside() { for _ in 1 2 3 4 5; do echo draft >"$work/beside"; rm "$work/beside"; touch "$cluster"; sleep 0.1; done; }

eventually 20 unchanged
before=$(passes)
somebody_beside
eventually 20 unchanged
same "passes for what happens beside the file" "$(($(passes) - before))" 0
before=$(passes)
seed_cluster "$many" '.nodes[2].podCIDRs = ["10.10.30.0/24"]'
eventually 10 eval '[ -n "$(route_line A 10.10.30.0/24)" ]'
eventually 20 unchanged
same "passes for one change" "$(($(passes) - before))" 1

seed_cluster
eventually 10 grep -q 'the list no longer names 6 of 7 other nodes' "$work/A/log"
SECONDS=0
# What the service keeps is as it should be: `status` said that it should go.
node A status
[ "$status" = 3 ] || [ $SECONDS -ge 4 ] || fail "status while a second reading is awaited: $status $out"
somebody_beside
there || [ $SECONDS -ge 4 ] || fail "routes are gone before the second reading: $(ip -n A route show proto 169)"
eventually 10 eval '[ "$(routes)" = 1 ]'
# A file that is wrong, and says so once; the same good one again is news.
echo '{' >"$work/wrong" && mv "$work/wrong" "$cluster"
eventually 10 eval 'jq -re .sourceProblem "$work/A/run/service.json" | grep -q "is not JSON"'
seed_cluster
eventually 10 eval '[ "$(jq -r .sourceProblem "$work/A/run/service.json")" = "" ]'
stop_node A
done_testing
