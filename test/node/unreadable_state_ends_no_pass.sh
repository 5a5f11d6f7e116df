#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# What onlink-node keeps in its folders is best effort: a folder in a file's place, a file in the folder's, a read-only disk or an
# emptied folder ended the pass before its routes, or left `clean` without what it has to give back.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
seed_hosts
seed_cluster '.resyncSeconds = 1'
run=$work/A/run state=$work/A/state
routed() { same "$1: the route" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"; }
# both WHAT: `apply` and `run` make the route, and go on; what cannot be kept is told, with the path.
both() {
  ip -n A route flush proto 169
  node A apply; told=$errors
  routed "apply, $1"
  same "apply, $1: what it did" "$(grep -c '^ip route add 10.10.1.0/24' <<<"$out")" 1
  case $told in *"$work/A/"*) checks=$((checks + 1)) ;; *) fail "apply, $1: nothing is told" ;; esac
  ip -n A route flush proto 169
  start_node A
  eventually 5 routed "run, $1"
  node A status
  case $out in *"1 ok"*) checks=$((checks + 1)) ;; *) fail "status, $1: $out $errors" ;; esac
  stop_node A
}
mkdir -p "$state"
for file in node.json paths; do
  rm -rf "${run:?}/$file" && mkdir -p "$run/$file/x"
  both "$file is a folder"
  rm -r "${run:?}/$file"
done
mkdir "$run/service.json"
start_node A
eventually 5 test -s "$run/node.json"
node A status
case $out in *"1 ok"*) checks=$((checks + 1)) ;; *) fail "service.json is a folder: $out $errors" ;; esac
stop_node A
rm -r "$run" && touch "$run"
both "the folder is a file"
rm "$run" && mkdir "$run"
mount -t tmpfs -o ro tmpfs "$run" && mount -t tmpfs -o ro tmpfs "$state"
both "read-only"
case $told in *"after a reboot this list will not be known"*) checks=$((checks + 1)) ;; *) fail "the list: $told" ;; esac
umount "$run" "$state"

# What an earlier process has written is not lost because it cannot be read for a while.
on A sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
applied A
cp "$run/node.json" "$work/node.json"
ln -s . "$run/folder" && mv -T "$run/folder" "$run/node.json"
: >"$work/A/log"
start_node A
eventually 5 grep -q 'node.json: Is a directory' "$work/A/log"
node A clean
same "clean beside a service" "$status" 1
stop_node A
node A clean
same "clean names what it cannot read" "$status $(grep -c 'node.json: Is a directory' <<<"$errors")" "1 1"
start_node A
mv -T "$work/node.json" "$run/node.json"
eventually 5 eval 'node A status; [ "$status" = 0 ]'
stop_node A
node A clean; ok "clean: $errors"
same "ip_forward as before" "$(on A cat /proc/sys/net/ipv4/ip_forward)" 0

# Emptied beside a running service: at the next pass everything is there again, also what was before.
node A clean
on A sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
start_node A
eventually 5 test -s "$run/service.json"
mv "$run" "$work/gone"
eventually 5 test -s "$run/node.json"
eventually 5 test -s "$run/service.json"
node A status; ok "status"
same "the first line" "$(head -1 <<<"$out")" "node A: in order, onlink-node run is active; 1 pod subnet of others: 1 ok; 0 problem(s)"
stop_node A
node A clean; ok "clean"
same "ip_forward as before" "$(on A cat /proc/sys/net/ipv4/ip_forward)" 0
done_testing
