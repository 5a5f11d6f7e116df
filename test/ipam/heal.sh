#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reservations whose attachments are gone: after a reboot, after their namespaces went, when they come back. And those
# that live, in whatever way, which nobody else gets.
. "$(dirname "$0")/lib.bash"

# fill PROGRAM FIRST LAST: an attachment of each pod, by onlink or by onlink-ipam alone.
fill() {
  local i
  for i in $(seq "$2" "$3"); do
    [ "$1" = ipam ] || pod p$i
    $1 ADD p$i && ok "$1 ADD p$i"
  done
}
pods() { [ "$1" = ipam ] || seq -f 'p%g' "$2" "$3"; }

# A reboot with a full pool; also where what was kept for this boot is there after it, as no tmpfs keeps it.
[ "$(stat -fc %T "$disk")" = tmpfs ] && all_kept=nothing || all_kept="nothing records"
for program in ipam attach; do
  for kept in $all_kept; do
    new_folder
    pool '.ipam.subnet = "10.1.2.0/28"'
    fill $program 1 13
    attach_pod more
    refused 102 "no IP addresses available in range set: 10.1.2.1-10.1.2.14"
    [ $kept = nothing ] || cp -a "$records" "$disk/kept"
    reboot more $(pods $program 1 13)
    [ $kept = nothing ] || mv "$disk/kept" "$records"
    pool '.ipam.subnet = "10.1.2.0/28"' '.cniVersion = "1.1.0"'
    ipam STATUS "" && ok "STATUS after a reboot"
    : >"$disk/stderr"
    fill ipam 101 113
    same "each reclaim is told ($program, kept: $kept)" "$(told 'reclaim 10.1.2.* of container p.*: it was made in an earlier boot')" 13
    same "all addresses are in use ($program, kept: $kept)" "$(reservations | wc -l)" 13
    ipam STATUS "" && ok "STATUS of a full pool: the kubelet would evict the living pods of the node"
    same "it is told" "$(told 'every address of range set 10.1.2.1-10.1.2.14 is taken')" 1
    this_boot
  done
done

# What host-local made is not touched, unless we saw it in an earlier boot.
new_folder
pool '.ipam.subnet = "10.1.2.0/29"'
for c in a b c d e; do ask "$hostlocal" ADD $c && ok "host-local ADD $c"; done
ipam ADD more
refused 102 "5 taken"
rm "$folder/10.1.2.2" && ask "$hostlocal" ADD f && ok "made after we looked"
reboot
ipam ADD g && ok "seen in an earlier boot"
same "of those seen, the first" "$(addresses)" "10.1.2.3/29"
for c in h i j; do ipam ADD $c && ok "the others that were seen"; done
ipam ADD k
refused 102 "5 taken"
same "not seen, not touched" "$(head -c1 "$folder/10.1.2.2")" f
this_boot

# A pool filled by pods that were killed, without DEL, is as good as a free one: at once, and again and again.
new_folder
fill attach 1 5
for round in 1 2 3; do
  attach_pod full
  refused 102 "0 stale, 5 taken"
  gone full $(ip netns list | awk '/^p/ {print $1}')
  : >"$disk/stderr"
  fill attach ${round}1 ${round}5
  same "each reclaim is told" "$(told 'reclaim 10.1.2.* of container p.*, interface eth0: its interface onl.* is gone')" 5
  same "holders" "$(for f in $(reservations); do head -1 "$folder/$f"; done | tr -d '\r' | sort | xargs)" "p${round}1 p${round}2 p${round}3 p${round}4 p${round}5"
done
# STATUS of a full pool is ready, and takes nothing.
pool '.ipam.subnet = "10.1.2.0/29"' '.cniVersion = "1.1.0"' '."cni.dev/valid-attachments" = []'
attach STATUS "" && ok "STATUS of a full pool"
gone p35
attach STATUS "" && ok "STATUS with a stale reservation"
same "it takes nothing" "$(reservations | wc -l)" 5
gone p31 p32 p33 p34; until_ends 0
attach GC "" && ok "GC"
same "GC takes all" "$(reservations)" ""
pool '.ipam.subnet = "10.1.2.0/29"'

# Records that were lost without a reboot prove nothing: the living and the dead keep their addresses until GC.
new_folder
fill attach 1 5
rm -rf "$records"
gone p1 p2; sleep 0.1
attach_pod more
refused 102 "5 taken"
pool '.ipam.subnet = "10.1.2.0/29"' '.cniVersion = "1.1.0"' '."cni.dev/valid-attachments" = [["p3", "p4", "p5"][] | {containerID: ., ifname: "eth0"}]'
sleep 0.02
attach GC "" && ok "GC"
same "the living" "$(for f in $(reservations); do head -1 "$folder/$f"; done | tr -d '\r' | xargs)" "p3 p4 p5"
gone more p3 p4 p5; until_ends 0
pool '.ipam.subnet = "10.1.2.0/29"'

# The same container and interface come back: where the former is dead, they get its address.
new_folder
pool '.ipam.subnet = "10.1.2.0/29"'
for c in a b c; do attach_pod $c; ok "ADD $c"; done
attach ADD a
refused 100 "interface eth0 exists already in /run/netns/a"
gone a && pod a
attach ADD a && ok "another namespace of that name"
same "the same address again" "$(addresses)" "10.1.2.2/32"
# From another host's namespace nothing is known of them: they stay.
gone b c; until_ends 1
for c in d e f; do pod $c; done
attach ADD d && ok "ADD d"; attach ADD e && ok "ADD e"
pod elsewhere
ip netns exec elsewhere env CNI_COMMAND=ADD CNI_CONTAINERID=x CNI_NETNS=/run/netns/f CNI_IFNAME=eth0 CNI_PATH=/ "$bin/onlink" <<<"$conf" >"$disk/out" && fail "taken from another host's namespace"
grep -q "0 stale, 5 taken" "$disk/out" || fail "$(cat "$disk/out")"
attach ADD f && ok "ADD f at home"

# GC: what the runtime lists stays, though b is dead; f lives and is not listed.
new_folder
gone a d e f elsewhere; until_ends 0
for c in a b c d f; do attach_pod $c; ok "ADD $c"; done
gone b c; until_ends 3
pool '.ipam.subnet = "10.1.2.0/29"' '.cniVersion = "1.1.0"' \
  '."cni.dev/valid-attachments" = [{containerID: "a", ifname: "eth0"}, {containerID: "b", ifname: "eth0"}, {containerID: "d", ifname: "eth0"}]'
sleep 0.05
: >"$disk/stderr"
ipam GC "" && ok "GC of the address manager alone"
same "what is valid stays" "$(for f in $(reservations); do head -1 "$folder/$f"; done | tr -d '\r' | xargs)" "a b d"
same "each is told" "$(told 'collect 10.1.2.* of container [cf], interface eth0: ')" 2
attach GC "" && ok GC
same "interfaces of what is valid" "$(ip -j link show type veth | jq -r '.[].ifalias' | sort | xargs)" "onlink net1 a eth0 onlink net1 d eth0"
same "what is valid stays" "$(for f in $(reservations); do head -1 "$folder/$f"; done | tr -d '\r' | xargs)" "a b d"
gone a d f; until_ends 0

# The data folder was moved: another network's ADD took the records for those of a folder that is gone, and who was killed
# kept their addresses.
new_folder
pool; attach_pod p1; ok "ADD p1"
mv "$data" "$disk/moved"; data=$disk/moved folder=$disk/moved/net1
pool; attach_pod p2; ok "ADD after the data folder was moved"
pool '.name = "net2" | .ipam.subnet = "10.1.3.0/24"'; attach_pod p3; ok "ADD in another network"
gone p1; until_ends 2
same "the killed and the living of a moved folder" "$(person list net1 --json | jq -r '[.[].state] | join(" ")')" "stale alive"
gone p2 p3

done_testing
