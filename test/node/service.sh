#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# `run` and those it talks to: the service manager, by sd_notify(3), and a kernel that drops notifications.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
seed_cluster
"$python" - "$work/notify" >>"$work/told" <<'PY' &
import socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
while True:
    print(manager.recv(4096).decode().replace("\n", " "), flush=True)
PY
eventually 10 test -S "$work/notify"
NOTIFY_SOCKET=$work/notify start_node A
has_route() { [ "$(route_line A 10.10.1.0/24)" = "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169" ]; }
eventually 20 grep -qx 'READY=1' "$work/told"
has_route || fail "READY=1 before the first pass"
grep -qx 'STATUS=1 paths, 0 problems' "$work/told" || fail "no STATUS: $(cat "$work/told")"
: >"$work/told"
kill -HUP "${service[A]}"
eventually 20 grep -qx 'READY=1' "$work/told"
[[ $(head -1 "$work/told") =~ ^RELOADING=1\ MONOTONIC_USEC=[0-9]+$ ]] || fail "reload: $(cat "$work/told")"
checks=$((checks + 1))
seed_cluster '.ipipMode = "Always"' '.nodes[1].nodeIP = "192.0.2.9"' '.nodes[1].ipipMode = "Never"'
eventually 20 grep -qx 'STATUS=1 paths, 1 problems' "$work/told"
seed_cluster
eventually 20 grep -qx 'STATUS=1 paths, 0 problems' "$work/told"

# More notifications than fit while it does not read: the loss is counted, and everything is looked at again.
eventually 20 has_route
kill -STOP "${service[A]}"
for ((i = 0; i < 20000; i++)); do echo "route add 10.200.$((i / 250)).$((i % 250)) dev lo table 77"; done >"$work/flood"
ip -n A -batch "$work/flood"
ip -n A route del 10.10.1.0/24
ip -n A route add 10.10.7.0/24 via 172.16.91.202 proto 169
kill -CONT "${service[A]}"
eventually 20 grep -q 'the kernel dropped notifications' "$work/A/log"
eventually 20 has_route
eventually 20 eval '[ -z "$(route_line A 10.10.7.0/24)" ]'
overflows() { node A status --json; jq -e '.service.overflows >= 1 and .inOrder' <<<"$out"; }
eventually 20 overflows

: >"$work/told"
stop_node A
eventually 20 grep -qx 'STOPPING=1' "$work/told"
done_testing
