#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reservations whose attachments are gone: after a reboot, after their namespaces went, when they come back. And those
# that are not proved dead, which stay.
. "$(dirname "$0")/lib.bash"

fill() { # FIRST LAST
  for i in $(seq "$1" "$2"); do live p$i; ipam ADD p$i && ok "ADD p$i"; done
}
all() { reservations | wc -l; }

# A reboot with a full pool; also when the index has gone with it.
for loss in none index; do
  rm -rf "$data" "$records"
  pool '.ipam.subnet = "10.1.2.0/27"'
  fill 1 29
  ipam ADD more
  refused 102 "no IP addresses available in range set: 10.1.2.1-10.1.2.30"
  reboot
  [ $loss = none ] || rm "$folder/.onlink-index"
  pool '.ipam.subnet = "10.1.2.0/27"' '.cniVersion = "1.1.0"'
  ipam STATUS "" && ok "STATUS after a reboot"
  : >"$disk/stderr"
  fill 101 129
  same "each reclaim is told ($loss)" "$(grep -c 'reclaim 10.1.2.* of container p.*: it was made in an earlier boot' "$disk/stderr")" 29
  same "all addresses are in use ($loss)" "$(all)" 29
  ipam STATUS ""
  refused 50 "0 free, 0 stale, 29 taken"
  umount /proc/sys/kernel/random/boot_id
done

# What host-local made is not touched, unless we saw it in an earlier boot.
rm -rf "$data" "$records"
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
umount /proc/sys/kernel/random/boot_id

# Records that were lost without a reboot prove nothing.
rm -rf "$data" "$records"
fill 1 5
rm -rf "$records" "$disk"/ns/*
ipam ADD more
refused 102 "5 taken"

# Real namespaces: gone, made anew under the same name, moved, and one that lives on without a name.
rm -rf "$data" "$records"
real() { CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=eth0 CNI_PATH=$bin "$bin/onlink-ipam" <<<"$conf" 2>>"$disk/stderr"; }
again() { status=0; out=$(real "$@") || status=$?; }
for c in a b c; do pod $c; again ADD $c; ok "ADD $c"; done
again ADD a
refused 100 "the attachment is alive: its namespace /run/netns/a exists"
ip netns delete a && pod a
again ADD a && ok "another namespace of that name"
same "the same address again" "$(addresses)" "10.1.2.2/29"
ip netns delete b
again ADD b && ok "the namespace is gone"
same "the same address again" "$(addresses)" "10.1.2.3/29"
pod d; again ADD d; ok "ADD d"
pod e; again ADD e; ok "ADD e"
again ADD f
refused 102 "0 stale, 5 taken"
# A process keeps the namespace, and the host its route to it, though the name is gone.
ip link add v1 type veth peer name eth0 netns d
ip link set v1 up && ip -n d link set eth0 up
ip route add 10.1.2.5/32 dev v1
ip netns exec d sleep 60 & sleeper=$!
for _ in $(seq 100); do [ "$(cat /proc/$sleeper/comm)" = sleep ] && break; sleep 0.02; done
ip netns delete d
again ADD f
refused 102 "0 stale, 5 taken"
person list net1 | grep -q 'unknown *its namespace /run/netns/d has lost its name, but processes are in it and v1 leads to it' || fail "list: $(person list net1)"
kill $sleeper
wait $sleeper 2>/dev/null || true
pod f
again ADD f && ok "the namespace died"
same "its address" "$(addresses)" "10.1.2.5/29"
# In another mount namespace the path means nothing.
unshare --mount bash -c "umount /run/netns/e; CNI_COMMAND=ADD CNI_CONTAINERID=g CNI_NETNS=/x CNI_IFNAME=eth0 CNI_PATH=/ $bin/onlink-ipam <<<'$conf'" >"$disk/out" && fail "taken from another mount namespace"
grep -q "0 stale, 5 taken" "$disk/out" || fail "$(cat "$disk/out")"

# GC: of the valid ones, f is stale; b is not proved dead.
pool '.ipam.subnet = "10.1.2.0/29"' '.cniVersion = "1.1.0"' \
  '."cni.dev/valid-attachments" = [{containerID: "a", ifname: "eth0"}, {containerID: "b", ifname: "eth0"}, {containerID: "f", ifname: "eth0"}]'
ip netns delete f
sleep 0.05
: >"$disk/stderr"
again GC "" && ok GC
same "what is valid and not stale stays" "$(reservations | xargs)" "10.1.2.2 10.1.2.3"
same "each is told" "$(grep -c 'collect 10.1.2.* of container [cef], interface eth0: ' "$disk/stderr")" 3
done_testing
