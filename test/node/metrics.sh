#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# `run --listen` and --metrics-file: what is measured is what is so, and a slow or silent client keeps nobody waiting.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
ip -n A link set lo up
seed_cluster '.filter = true'
mkdir "$work/A/cni"
cat >"$work/A/cni/10-pods.conflist" <<END
{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "onlink", "log": {"file": "$work/A/plugin.log"},
  "ipam": {"type": "onlink-ipam", "subnet": "10.10.0.0/29", "dataDir": "$work/A/ipam", "runDir": "$work/A/run"}}]}
END
echo '{"cniVersion": "1.0.0", "name": 7' >"$work/A/cni/20-broken.conflist"
echo '{"cniVersion": "1.0.0", "name": "other", "type": "bridge", "ipam": {"type": "dhcp"}}' >"$work/A/cni/30-other.conf"

# ask PATH [WHERE]: the answer's body in $out, its status in $status.
ask() {
  local answer
  answer=$(on A "$python" - "$1" "${2:-127.0.0.1:9469}" <<'PY'
import http.client, socket, sys
path, where = sys.argv[1:]
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(where)
connection = Unix("localhost") if where.startswith("/") else http.client.HTTPConnection(where, timeout=20)
connection.request("GET", path)
answer = connection.getresponse()
print(answer.status, answer.read().decode(), end="")
PY
) || fail "ask for $1"
  status=${answer%% *} out=${answer#* }
}
# value METRIC: of the line that begins with it.
value() { ask /metrics; awk -v name="$1" 'index($0, name " ") == 1 { print $NF }' <<<"$out"; }
is() { same "$1" "$(value "$1")" "$2"; }

listen=(--listen 127.0.0.1:9469 --metrics-file "$work/A/onlink.prom" --cni-conf-dir "$work/A/cni")
start_node A "${listen[@]}"
ready() { ask /readyz; [ "$status" = 200 ]; }
eventually 20 ready
ask /healthz
same "/healthz" "$status $out" "200 ok"
ask /nothing
same "a path that is not there" "$status" 404
is 'onlink_node_in_order' 1
is 'onlink_peer_subnets{path="direct",state="ok"}' 1
is 'onlink_source_in_sync{source="file '"$cluster"'"}' 1
is 'onlink_addresses_free{network="pods"}' 5
same "counters of drops" "$(ask /metrics; sed -n 's/^onlink_dropped_packets_total{reason="\(.*\)"} .*/\1/p' <<<"$out" | sort | xargs)" \
  "$(on A nft -j list counters table inet onlink | jq -r '.nftables[].counter.name // empty' | sort | xargs)"
[ "$(value onlink_list_timestamp_seconds)" -gt $(($(date +%s) - 600)) ] || fail "the time of the list: $(value onlink_list_timestamp_seconds)"

# A repair has a latency; what a thorough look finds has none.
ip -n A route del 10.10.1.0/24
repaired() { [ "$(value onlink_repairs_total)" = 1 ]; }
eventually 20 repaired
is onlink_repair_latency_seconds_count 1
is 'onlink_repair_latency_seconds_bucket{le="+Inf"}' 1

# Somebody else's route in place of ours: this node is not ready, and says why.
ip -n A route replace 10.10.1.0/24 via 172.16.91.202 proto bird
held() { ask /readyz; [ "$status" = 503 ] && [[ $out == *"10.10.1.0/24"*bird* ]]; }
eventually 20 held
is 'onlink_node_in_order' 0
is 'onlink_peer_subnets{path="direct",state="held by proto bird"}' 1
is 'onlink_problems{kind="route-held",subject="node"}' 1
eventually 20 grep -q '^onlink_node_in_order 0$' "$work/A/onlink.prom"
ip -n A route del 10.10.1.0/24
eventually 20 ready

# Pods, and calls that fail: what was in the log before does not count.
attach() { # CONTAINER
  pod "$1"
  on A env CNI_COMMAND=ADD CNI_CONTAINERID="$1" CNI_NETNS="/run/netns/$1" CNI_IFNAME=eth0 CNI_PATH="$bin" "$bin/onlink" \
    < <(jq -c '.plugins[0] + {name, cniVersion}' "$work/A/cni/10-pods.conflist") >"$work/result"
}
for name in p1 p2 p3 p4 p5; do attach $name || fail "attach $name: $(cat "$work/result")"; done
! attach p6 || fail "a sixth pod got one of five addresses"
failed() { [ "$(value 'onlink_cni_failures_total{network="pods",command="ADD",code="102"}')" = 1 ]; }
eventually 20 failed
is 'onlink_addresses_free{network="pods"}' 0
is 'onlink_addresses_reserved{network="pods",state="alive"}' 5
# A log that was rotated is read to its end, and so is the new one.
mv "$work/A/plugin.log" "$work/A/plugin.log.1"
echo '2026-11-22T09:33:01.123Z error ADD late:eth0 code 102: in the old file' >>"$work/A/plugin.log.1"
! attach p7 || fail "a seventh pod got one of five addresses"
failed_again() { [ "$(value 'onlink_cni_failures_total{network="pods",command="ADD",code="102"}')" = 3 ]; }
eventually 20 failed_again

# Clients that say nothing, or half of it, keep neither others nor the service waiting: not even as many as there are places,
# of which the oldest makes room at once, and no other.
on A "$python" - <<'PY' >"$work/slow" &
import http.client, socket, time
clients = [socket.create_connection(("127.0.0.1", 9469)) for _ in range(32)]
for client in clients[16:]:
    client.sendall(b"GET /metrics HTTP/1.1\r\nHost:")
probe = http.client.HTTPConnection("127.0.0.1:9469", timeout=20)
probe.request("GET", "/healthz")
print("probe", probe.getresponse().status, flush=True)
clients[-1].setblocking(False)
try:
    print("the youngest is closed", clients[-1].recv(1), flush=True)
except BlockingIOError:
    print("connected", flush=True)
time.sleep(300)
PY
slow=$!
eventually 20 grep -q connected "$work/slow"
ip -n A route del 10.10.1.0/24
eventually 20 ready
has_route() { [ "$(route_line A 10.10.1.0/24)" = "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169" ]; }
eventually 20 has_route
kill "$slow"; wait "$slow" 2>/dev/null || true

# As Prometheus reads it, with the alerts and each question of the dashboard.
conf=$root/conf/prometheus
ask /metrics
printf '%s\n' "$out" | promtool check metrics >"$work/checked" 2>&1 || fail "promtool: $(cat "$work/checked")"
promtool check metrics <"$work/A/onlink.prom" >"$work/checked" 2>&1 || fail "promtool, the file: $(cat "$work/checked")"
promtool check rules "$conf/alerts.yml" >"$work/checked" 2>&1 || fail "alerts: $(cat "$work/checked")"
cp "$conf/alerts.yml" "$root/test/node/alerts_test.yml" "$work/"
promtool test rules "$work/alerts_test.yml" >"$work/checked" 2>&1 || fail "alerts: $(cat "$work/checked")"
sed 's/^scrape_configs:/global: {scrape_interval: 1s, evaluation_interval: 1s}\n&/' "$conf/scrape.yml" >"$work/prometheus.yml"
(exec nsenter --net=/run/netns/A prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
  --web.listen-address=127.0.0.1:9090) >"$work/prometheus.log" 2>&1 & prometheus=$!
query() { # EXPRESSION: the number of its samples
  ask "/api/v1/query?query=$(jq -rn --arg expression "$1" '$expression | @uri')" 127.0.0.1:9090
  [ "$status" = 200 ] || fail "query $1: $out"
  jq '.data.result | length' <<<"$out"
}
scraped() { [ "$(query 'up{job="onlink"} == 1')" = 1 ] && [ "$(query 'rate(onlink_passes_total[5m])')" = 1 ]; }
eventually 60 scraped
while IFS= read -r expression; do
  # There are no problems by now.
  [ "$(query "$expression")" -gt 0 ] || [[ $expression == *onlink_problems* ]] || fail "a question of the dashboard has no answer: $expression"
  checks=$((checks + 1))
done < <(jq -r '.panels[].targets[].expr | gsub("\\$instance"; ".*")' "$conf/dashboard.json")
ask /api/v1/rules 127.0.0.1:9090
same "alerts that Prometheus has" "$(jq '[.data.groups[].rules[] | select(.health == "ok" or .health == "unknown")] | length' <<<"$out")" "$(grep -c 'alert:' "$conf/alerts.yml")"
kill "$prometheus"; wait "$prometheus" 2>/dev/null || true

# What is wrong with the place is said at the start.
refused() { # WORDS OPTION...
  local command
  node_command B
  status=0
  out=$(on "${where:-B}" timeout 20 "${command[@]}" run "${@:2}" 2>&1) || status=$?
  [ "$status" = 1 ] && [[ $out == *"$1"* ]] || fail "${*:2}: status $status: $out"
  checks=$((checks + 1))
}
refused 'listen on 9469: neither ADDRESS:PORT' --listen 9469
refused 'listen on ::1:9469: neither ADDRESS:PORT' --listen ::1:9469
refused 'listen on 127.0.0.1:0: neither' --listen 127.0.0.1:0
refused 'listen on 192.0.2.1:9469: ' --listen 192.0.2.1:9469
refused "$work/nowhere/" --metrics-file "$work/nowhere/onlink.prom"
echo 'of somebody' >"$work/B/file"
refused "listen on $work/B/file: bind: Address already in use (EADDRINUSE)" --listen "$work/B/file"
same "a file that was in the way" "$(cat "$work/B/file")" "of somebody"
stop_node A

# A unix socket; one that was left by a service that was killed is no obstacle.
start_node A --listen "$work/A/socket"
ready_there() { ask /readyz "$work/A/socket"; [ "$status" = 200 ]; }
eventually 20 ready_there
same "the socket's mode" "$(stat -c %a "$work/A/socket")" 660
kill -KILL "${service[A]}"; wait "${service[A]}" 2>/dev/null || true
start_node A --listen "$work/A/socket"
eventually 20 ready_there
stop_node A
[ ! -e "$work/A/socket" ] || fail "the socket stayed"
done_testing
