#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# All that the kernel lets root watch is watched by others (many containers have the same root): onlink-node did not start.
# It says so, and reads the list at each resync. In a user namespace of its own, which has limits of its own.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
unshare --user --map-root-user true 2>/dev/null || { echo "no user namespaces here"; exit 77; }

folder=$work/A
mkdir -p "$folder"
seed_cluster '.resyncSeconds = 1'
mkfifo "$work/go"
# eth0 is one end of a pair, so that it has neighbours.
unshare --user --map-root-user --net bash -c '
  ip link add eth0 type veth peer name wire
  ip link set wire up
  ip addr add 172.16.91.201/24 dev eth0
  ip link set eth0 up
  echo 0 >/proc/sys/user/max_inotify_instances
  (read -r _ <"$1/go"; echo 16 >/proc/sys/user/max_inotify_instances) &
  exec "$2" -c "$1/cluster.json" -n A --run-dir "$1/A/run" --state-dir "$1/A/state" run' \
  bash "$work" "$bin/onlink-node" >"$folder/log" 2>&1 &
node=$!
has() { [ "$(nsenter --user --preserve-credentials --net -t $node ip -j route show proto 169 "$1" | jq length)" = 1 ]; }
eventually 10 has 10.10.1.0/24
eventually 10 grep -q "a change of .*/cluster.json is not noticed before the next resync: fs.inotify.max_user_instances is used up; to raise it: sysctl -w fs.inotify.max_user_instances=" "$folder/log"
problems() { jq -e "(.problems | length) == $1" "$folder/run/service.json"; }
eventually 10 problems 1
kill -0 "$node" || fail "onlink-node ended: $(cat "$folder/log")"
seed_cluster '.resyncSeconds = 1' '.nodes[1].podCIDRs = ["10.10.7.0/24"]'
eventually 20 has 10.10.7.0/24
echo >"$work/go"
eventually 20 problems 0
eventually 10 grep -q "everything is in order" "$folder/log"
# Noticed at once again: no resync comes to its help.
seed_cluster '.nodes[1].podCIDRs = ["10.10.8.0/24"]'
eventually 20 has 10.10.8.0/24
seed_cluster '.nodes[1].podCIDRs = ["10.10.9.0/24"]'
eventually 20 has 10.10.9.0/24
kill -TERM "$node"
wait "$node" || fail "onlink-node ended with $?: $(tail -3 "$folder/log")"
done_testing
