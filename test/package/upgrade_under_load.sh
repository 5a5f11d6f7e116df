#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The programs are replaced, to and fro, beside running calls and traffic: as dpkg does it (a new file, renamed over the old one)
# and as the DaemonSet does it (`onlink-node install`). No call of ADD, CHECK and DEL fails, 16 at a time; "Text file busy" would be
# such a failure. No packet between two pods is lost; nothing is left over. The two versions differ in their bytes.
# Usage: upgrade_under_load.sh [SWAPS, default 10]
# shellcheck source=../netns/lib.bash
source "$(dirname "$0")/../netns/lib.bash"
swaps=${1:-10} workers=16
[[ $swaps =~ ^[1-9][0-9]*$ ]] || { echo "Usage: upgrade_under_load.sh [SWAPS]" >&2; exit 2; }
mkdir "$work/old" "$work/new" "$work/cni" "$work/log"
cp "$bin"/onlink{,-ipam,-node} "$work/old/"
cp "$bin"/onlink{,-ipam,-node} "$work/new/"
# What comes behind the end of an ELF file is read by nobody.
for program in onlink onlink-ipam onlink-node; do echo "a newer version" >>"$work/new/$program"; done
by_daemon_set() { "$work/$1/onlink-node" install --bin-dir "$work/cni" >"$work/installed" 2>&1 || fail "install: $(cat "$work/installed")"; }
by_package() {
  local program
  for program in onlink onlink-ipam; do
    cp "$work/$1/$program" "$work/cni/$program.dpkg-new"
    mv "$work/cni/$program.dpkg-new" "$work/cni/$program"
  done
}
by_daemon_set old

# The network of the workers; each of four has only addresses, from onlink-ipam itself. Without a prevResult here.
main='"cniVersion":"1.0.0","name":"net1","type":"onlink","mtu":1500,"ipam":{"type":"onlink-ipam","subnet":"10.10.0.0/24","cooldown":0}'
only_ipam='"cniVersion":"1.0.0","name":"net2","type":"bridge","ipam":{"type":"onlink-ipam","subnet":"10.20.0.0/24","cooldown":0}'
worker() { # NUMBER: until $work/stop is there
  local name=w$1 configuration=$main program=onlink prev='' command out
  if [ $(($1 % 4)) = 0 ]; then configuration=$only_ipam program=onlink-ipam; fi
  export CNI_CONTAINERID=$name CNI_NETNS=/run/netns/$name CNI_IFNAME=eth0 CNI_PATH=$work/cni
  while [ ! -e "$work/stop" ]; do
    prev=
    for command in ADD CHECK DEL; do
      out=$(CNI_COMMAND=$command "$work/cni/$program" <<<"{$configuration${prev:+,\"prevResult\":$prev}}" 2>"$work/log/$name.errors") ||
        { echo "$name: $command: $out $(cat "$work/log/$name.errors")" >>"$work/log/failed"; return; }
      [ $command != ADD ] || prev=$out
      echo >>"$work/log/$name"
    done
  done
}
calls() { cat "$work"/log/w? "$work"/log/w?? 2>/dev/null | wc -l; }
failed() { [ ! -s "$work/log/failed" ] || fail "calls failed: $(cat "$work/log/failed")"; }

# Two pods that talk all the time.
conf '.ipam.cooldown = 0'
for name in p1 p2; do pod $name; cni ADD $name; ok "ADD of $name"; declare "$name=$(address)"; done
echo 1 >/proc/sys/net/ipv4/ip_forward
nsenter --net=/run/netns/p1 ping -i 0.01 -W 10 "$p2" >"$work/stream" & stream=$!
before=$(snapshot)
for ((i = 1; i <= workers; i++)); do pod "w$i"; done
pids=()
for ((i = 1; i <= workers; i++)); do worker $i & pids+=($!); done
version=old
for ((i = 1; i <= swaps; i++)); do
  if [ $version = old ]; then version=new; else version=old; fi
  if [ $((i % 4)) -lt 2 ]; then by_package $version; else by_daemon_set $version; fi
  checks=$((checks + 1))
  # Each version has calls of its own: so many that some began before it came.
  enough=$(($(calls) + workers))
  until [ "$(calls)" -ge $enough ]; do failed; sleep 0.05; done
done
touch "$work/stop"
wait "${pids[@]}"
failed
total=$(calls)
kill -INT $stream; wait $stream || true
read -r sent received < <(sed -nE 's/^([0-9]+) packets transmitted, ([0-9]+) received.*/\1 \2/p' "$work/stream")
checks=$((checks + 1))
[ "$sent" -ge 50 ] && [ $((sent - received)) -le 1 ] || fail "$received of $sent packets arrived" # the last one may be on its way

# No mixed state: both programs are of one version, nothing else lies there, and only the two pods are left.
same "files" "$(cd "$work/cni" && printf "%s " * .[!.]*)" "onlink onlink-ipam .[!.]* "
for program in onlink onlink-ipam; do cmp "$work/$version/$program" "$work/cni/$program" || fail "$program is not the $version one"; done
none_left() { [ "$(ip -o link show type veth | grep -c .)" = 2 ]; }
for _ in $(seq 100); do ! none_left || break; sleep 0.1; done
for ((i = 1; i <= workers; i++)); do ip netns del "w$i"; done
same "the host" "$(snapshot)" "$before"
same "reservations" "$(files)" "$(printf './cni/networks/net1/%s\n' "$p1" "$p2" | sort)"
holds "what onlink-ipam finds" 'test("; 0 faults")' "$("$bin/onlink-ipam" check net1 | jq -Rs .)"
echo "  $swaps swaps beside $total calls and $sent packets"
done_testing
