#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# `events`: what the service did, and who was the cause, as far as the kernel tells.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
ip -n A link set lo up
seed_cluster '.filter = true'
node A events
same "events where no service ever ran" "$status" 1
[[ $errors == *"$work/A/run/events.jsonl"* ]] || fail "it does not say where it looked: $errors"
start_node A
has_route() { [ "$(route_line A 10.10.1.0/24)" = "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169" ]; }
eventually 20 has_route
# told JQ-CONDITION: an event for which it holds.
told() { node A events; ok "events"; jq -e -n "[inputs | select($1)] | length > 0" <<<"$out"; }
eventually 20 told '.event == "start" and .pid == '"${service[A]}"
eventually 20 told '.event == "list" and .complete and .peers == 1'
eventually 20 told '.event == "change" and (.commands | index("ip route add 10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"))'

# The route goes, by a process that lives on: it is named.
on A "$python" - <<'PY' >"$work/thief" &
import socket, struct, time
thief = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
thief.bind((0, 0))
destination = socket.inet_aton("10.10.1.0")
body = struct.pack("BBBBBBBBI", socket.AF_INET, 24, 0, 0, 254, 0, 255, 0, 0) + struct.pack("HH", 8, 1) + destination
thief.send(struct.pack("IHHII", 16 + len(body), 25, 5, 1, 0) + body)
print(thief.getsockname()[0], struct.unpack("i", thief.recv(4096)[16:20])[0], flush=True)
time.sleep(300)
PY
thief=$!
answered() { grep -q ' 0$' "$work/thief"; }
eventually 20 answered
read -r port _ <"$work/thief"
eventually 20 told ".event == \"change\" and any(.causes[]; .port == $port and .process == \"$(cat "/proc/$port/comm")\" and (.what | contains(\"10.10.1.0/24\") and endswith(\"deleted\")))"
eventually 20 has_route
kill "$thief"; wait "$thief" 2>/dev/null || true

# Rules: the kernel names the process itself, also one that has ended.
on A nft delete table inet onlink
table_is_back() { on A nft list table inet onlink; }
eventually 20 table_is_back
eventually 20 told '.event == "change" and any(.causes[]; .process == "nft" and .what == "table inet onlink changed")'

# Problems come and go; --follow tells of what comes later.
node_command A
(exec nsenter --net=/run/netns/A "${command[@]}" events --follow) >"$work/followed" 2>&1 & follower=$!
eventually 20 grep -q '"event":"start"' "$work/followed"
ip -n A route replace 10.10.1.0/24 via 172.16.91.202 proto bird
eventually 20 told '.event == "problem" and any(.problems[]; .kind == "route-held" and .subject == "node")'
eventually 20 grep -q '"event":"problem"' "$work/followed"
ip -n A route del 10.10.1.0/24
eventually 20 told '.event == "solved" and any(.problems[]; .kind == "route-held")'
eventually 20 grep -q '"event":"solved"' "$work/followed"

# A pod whose route was taken away.
pod_at A web 10.10.0.2
eventually 20 eval '[ -n "$(route_line A 10.10.0.2)" ]'
ip -n A route del 10.10.0.2
eventually 20 told '.event == "pods" and any(.commands[]; contains("10.10.0.2"))'

# What is full becomes the older one; follower and reader see both, and no line twice.
head -c 1048577 /dev/zero | tr '\0' ' ' | sed 's/$/\n/' >>"$work/A/run/events.jsonl"
stop_node A
test -e "$work/A/run/events.jsonl.1" || fail "the journal grows without end"
told '.event == "start"' >/dev/null || fail "the older part is not shown"
told '.event == "end"' >/dev/null || fail "the newer part is not shown"
eventually 20 grep -q '"event":"end"' "$work/followed"
kill "$follower"; wait "$follower" 2>/dev/null || true
same "lines that --follow and events have" "$(grep -c '"event"' "$work/followed")" "$(node A events; grep -c '"event"' <<<"$out")"
node A clean; ok "clean"
same "files after clean" "$(find "$work/A/run" -name 'events*')" ""
done_testing
