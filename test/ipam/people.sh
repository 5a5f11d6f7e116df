#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The commands for people, and the waiting for the lock.
. "$(dirname "$0")/lib.bash"
try() { status=0; out=$("$@" 2>&1) || status=$?; }
says() { checks=$((checks + 1)); case $out in *"$1"*) ;; *) fail "expected \"$1\" in: $out" ;; esac; }
exits() { same "exit status ($out)" "$status" "$1"; }

for c in a b; do attach_pod $c; ok "ADD $c"; done
ipam ADD c && ok "ADD c"
end_of() { ip -j link show type veth | jq -r ".[] | select(.ifalias == \"onlink net1 $1 eth0\").ifname"; }
a=$(end_of a) b=$(end_of b)
gone b; until_ends 1
printf 'old' >"$folder/10.1.2.9"

try person list net1; exits 0
says "NETWORK  ADDRESS   CONTAINER  INTERFACE  SINCE"
says "net1     10.1.2.2  a          eth0       20"
says "alive    its interface is there"
says "stale    its interface $b is gone"
says "unknown  nothing shows whether its attachment is alive"
says "net1     10.1.2.9  old        -          20"
says "network net1: 4 reserved, 1 of them stale"
try person list --json; exits 0
holds "list --json" 'length == 4 and .[0].containerID == "a" and .[0].ifname == "eth0" and .[0].state == "alive"
  and (.[0].since | fromdate > 1000000000) and .[1].state == "stale" and .[1].network == "net1"' "$out"
# It lives under another name too, also where /sys is that of another network namespace, as under nsenter --net.
ip link set "$a" down; ip link set "$a" name other; ip link set other up
mount -t tmpfs tmpfs /sys/class
holds "list of a renamed interface" '.[0].state == "alive" and .[1].state == "stale"' "$(person list --json)"
umount /sys/class
ip link set other down; ip link set other name "$a"; ip link set "$a" up
before=$(ls -la --time-style=full-iso "$folder")
try person list; try person list --json
same "list changes nothing" "$(ls -la --time-style=full-iso "$folder")" "$before"

# What is in a file does not reach the terminal as it is.
printf 'evil\033[2J' >"$folder/10.1.2.9"
for verb in list check release; do
  [ $verb = release ] && try person release 10.1.2.9 || try person $verb
  checks=$((checks + 1)); [[ $out != *$'\033'* ]] || fail "$verb prints control characters: $(cat -v <<<"$out")"
done
printf 'old' >"$folder/10.1.2.9"

# --watch shows what has become of it, and ends when it is ended.
"$bin/onlink-ipam" list net1 --watch --data-dir "$data" --run-dir "$records" >"$work/watched" 2>&1 & watcher=$!
for ((i = 0; i < 200; i++)); do [ -s "$work/watched" ] && break; sleep 0.05; done
printf 'new' >"$folder/10.1.2.8"
for ((i = 0; i < 400; i++)); do grep -q '^net1 *10.1.2.8 ' "$work/watched" && break; sleep 0.05; done
kill "$watcher"; wait "$watcher" 2>/dev/null || true
same "a reservation that came while list --watch ran" "$(awk '/10.1.2.8/ { print $2; exit }' "$work/watched")" 10.1.2.8
same "how often it was listed before" "$(grep -n -m1 10.1.2.8 "$work/watched" | cut -d: -f1 | awk '{ print ($1 > 6) }')" 1
rm "$folder/10.1.2.8"
try person check --watch; exits 2; says "unknown option --watch"

try person list --help; exits 0; says "onlink-ipam list [NETWORK]"
try person check --json; exits 1
holds "check --json" '.[0].network == "net1" and .[0].reserved == 4 and .[0].stale == 1 and (.[0].faults | length == 1)' "$out"
try person check; exits 1
says "network net1: 4 reserved, 1 of them stale; 1 faults"
says "10.1.2.3: stale, its interface $b is gone; it is reclaimed when its address is needed"
try person release 10.1.2.3; exits 0
says "released 10.1.2.3 of network net1: it was held by container b, interface eth0 since 20"
try person check net1; exits 0
says "index: fits the folder"
try person release 10.1.2.3; exits 1; says "10.1.2.3 is not reserved in any network of $data"
mkdir "$data/net2" && cp "$folder/10.1.2.2" "$data/net2/"
try person release 10.1.2.2; exits 1; says "reserved in more than one network: name one of net1, net2 with --network"
try person release 10.1.2.2 --network net2; exits 0
try person release 10.1.2.2 --network net3; exits 1; says "10.1.2.2 is not reserved in network net3"
same "only that one" "$(reservations | xargs)" "10.1.2.2 10.1.2.4 10.1.2.9"

for wrong in "" "release" "release nonsense" "list --nonsense" "list a b" "nonsense" "list ../x" "list net1 --network net1"; do
  try person $wrong
  [ -z "$wrong" ] || exits 2
done
try "$bin/onlink-ipam" list --data-dir; exits 2; says "--data-dir needs a value"
try person list nonet; exits 1; says "there is no network nonet in $data"
try "$bin/onlink-ipam" --help; exits 0; says "onlink-ipam release ADDRESS"
try "$bin/onlink-ipam" --version; exits 0; says "CNI protocol versions supported: 0.1.0"
try script -qec "$bin/onlink-ipam" /dev/null; exits 2; says "See onlink-ipam --help"

# The pod's name, where the runtime tells it; only what can be one. host-local sees no difference.
attach_named() { cni_args="IgnoreUnknown=1;K8S_POD_NAMESPACE=$2;K8S_POD_NAME=$3" attach_pod "$1"; ok "ADD $1"; }
attach_named named default web-0
attach_named odd default $'a\x1b[2Jb'
try person list net1 --json; exits 0
holds "the pod's name" '[.[] | select(has("pod")) | .containerID + " " + .pod] == ["named default/web-0"]' "$out"
try person list net1; exits 0; says "POD"; says "default/web-0"
same "what is in its file" "$(cat "$folder/$(basename "$(grep -l ^named "$folder"/10.*)")" | tr '\r\n' '  ')" "named  eth0"
for c in named odd; do attach DEL $c; ok "DEL $c"; gone $c; done

# What only looks leaves nothing, whatever the folder: check made a lock file in each folder beside the network's.
mkdir -p "$disk/others/pictures" "$disk/others/net1"; printf 'a\r\neth0' >"$disk/others/net1/10.1.2.2"
before=$(ls -laR --time-style=full-iso "$disk/others" "$records")
for verb in list check "check net1" "release 10.1.2.3 --network pictures" "release 10.1.2.3"; do
  # shellcheck disable=SC2086  # words
  try "$bin/onlink-ipam" $verb --data-dir "$disk/others" --run-dir "$records"
done
same "a folder that is not ours" "$(ls -laR --time-style=full-iso "$disk/others" "$records")" "$before"
try "$bin/onlink-ipam" check --data-dir "$disk/others" --run-dir "$records"; says "network net1: 1 reserved"; says "network pictures: 0 reserved"
try "$bin/onlink-ipam" release 10.1.2.2 --data-dir "$disk/others" --run-dir "$records"; exits 0

# Waiting for the lock is bounded, and the error names who holds it.
flock -o "$folder/lock" sleep 30 &
holder=$!
for _ in $(seq 100); do flock -n "$folder/lock" true || break; sleep 0.02; done
begun=$SECONDS
ipam ADD d
refused 11 "$folder/lock: held by process $holder (flock) for more than 10000 ms"
[ $((SECONDS - begun)) -le 13 ] || fail "waited for $((SECONDS - begun)) s"
kill $holder
ipam ADD d && ok "when it is free"

# Requests for addresses that are taken.
pool '.args = {cni: {ips: ["10.1.2.2"]}}'
ipam ADD e
refused 100 "requested IP address 10.1.2.2 is not available in range set 10.1.2.1-10.1.2.254"
says "held by container a, interface eth0 since 20"
gone a; pod e
attach ADD e && ok "when the holder is dead"
same "the requested one" "$(addresses)" "10.1.2.2/32"
same "the reclaim is told" "$(told "reclaim 10.1.2.2 of container a, interface eth0: its interface $a is gone")" 1
done_testing
