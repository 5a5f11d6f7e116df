#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Something odd in place of the cluster file: it is named, nothing changes, routes are still repaired, and the next good file is
# followed. `run` waited for ever for the writer of a FIFO.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
seed_hosts; seed_cluster
start_node A
has() { [ -n "$(route_line A "$1")" ]; }
eventually 10 has 10.10.1.0/24
instead() { # WORDS COMMAND...: makes the odd one
  rm -rf "$cluster"
  "${@:2}"
  eventually 10 eval 'node A status; [[ $out == *"'"$1"'"* ]]'
  ip -n A route del 10.10.1.0/24
  eventually 10 has 10.10.1.0/24
  rm -rf "$cluster"
  seed_cluster '.nodes += [{"name": "C", "nodeIP": "172.16.91.203", "podCIDRs": ["10.10.2.0/24"]}]'
  eventually 10 has 10.10.2.0/24
  seed_cluster
  eventually 10 eval '! has 10.10.2.0/24'
}
instead "nothing comes from this pipe in 5 s" mkfifo "$cluster"
# A writer that never ends, a byte at a time: each one was waited for.
dripping() { mkfifo "$cluster"; (exec 3<>"$cluster"; for _ in {1..60}; do printf ' ' >&3; sleep 1; done) & }
instead "no end comes from this pipe in 5 s" dripping
kill $!
instead "it is not a regular file" ln -s /dev/zero "$cluster"
instead "it is not a regular file" mkdir "$cluster"
instead "No such file or directory" true
instead "cluster.json" touch "$cluster"
seed_cluster '.nodes[1].name = "B\n[ok] C\u001b[31m"'
node A plan
same "a name that a terminal would obey" "$status $errors" "1 onlink-node: $cluster: nodes[1].name: must be printable, not \"B?[ok] C?[31m\""
# Whatever begins so: for the rules they would be pods.
ip -n A link add ppp0 type bridge
instead "ppp0" seed_cluster '.podInterfacePrefix = "ppp"'
for prefix in ppp p; do
  seed_cluster ".podInterfacePrefix = \"$prefix\""
  node A plan
  same "the prefix $prefix beside ppp0" "$status $errors" "1 onlink-node: $cluster: podInterfacePrefix: \"$prefix\" begins the name of ppp0 too, which is not a pod's interface"
done
seed_cluster '.podInterfacePrefix = "lxc"' # another plugin's host ends are pods'
ip -n A link add lxc1 type veth peer name lxc2
node A plan; ok "the prefix lxc"
ip -n A link del lxc1
seed_cluster
# What a shell makes of <(command) is read to its end.
document=$(cat "$cluster")
checks=$((checks + 1))
out=$(on A "$bin/onlink-node" -c <(sleep 0.3; echo "$document") -n A --run-dir "$work/A/run" --state-dir "$work/A/state" plan 2>&1) || fail "a pipe: $out"
stop_node A
done_testing
