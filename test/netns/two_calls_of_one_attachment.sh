#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two calls for one attachment at a time, as a runtime makes them that was restarted. A DEL that came between the lease and the pair
# of an ADD freed the address of a pod that lived from then on; so did the second of two ADDs, through another IPAM's DEL.
. "$(dirname "$0")/lib.bash"
call() { # COMMAND CONTAINER FILE [WORD...]: in the background, its document in FILE, its exit status in FILE.status
  ( CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=eth0 CNI_PATH=$bin:$reference "${@:4}" "$bin/onlink" <<<"$conf" >"$3" 2>/dev/null
    echo $? >"$3.status" ) &
}
held_up() { call ADD p1 $work/first strace -qq -o /dev/null -e "inject=$1"; }
leased() { local _; for _ in $(seq 500); do ! compgen -G '/var/lib/cni/networks/net1/10.*' >/dev/null || return 0; sleep 0.01; done; fail "nothing is leased"; }
attached() { ip -n p1 -4 -o addr show dev eth0 2>/dev/null | awk '{ sub("/.*", "", $4); print $4 }' || true; }
# agrees WHAT: the pod is attached and its address is its own, or neither.
agrees() {
  local address
  address=$(attached)
  if [ -n "$address" ]; then same "$1: whose $address is" "$(owner "$address")" p1; else same "$1: what is left" "$(ls /var/lib/cni/networks/net1 | grep -v '^l' || true)" ""; fi
}
own='.ipam.cooldown = 0'
other='.cniVersion = "1.0.0" | .ipam.type = "host-local"'
for kind in own other; do
  conf "${!kind}"
  pod p1
  # The question before the pair, or the end of the other IPAM's ADD, takes half a second.
  place=sendto:delay_enter=500000:when=4
  [ $kind = own ] || place=wait4:delay_exit=500000
  held_up "$place"; leased
  netns='' cni DEL p1; ok "$kind: DEL meanwhile"
  wait
  same "$kind: the ADD" "$(cat $work/first.status)" 0
  agrees "$kind: DEL during ADD"
  cni DEL p1
  held_up "$place"; leased
  cni ADD p1; refused 100 "exists already"
  wait
  same "$kind: the first ADD" "$(cat $work/first.status)" 0
  agrees "$kind: ADD during ADD"
  living "$kind: ADD during ADD" /run/netns/p1 "$(attached)"
  cni DEL p1
  for round in $(seq 15); do
    call ADD p1 $work/one; call DEL p1 $work/two; wait
    agrees "$kind: at the same time, round $round"
    cni DEL p1; ok "$kind: DEL, round $round"
    agrees "$kind: after DEL, round $round"
  done
  empty_host
done

# One that does not go on is named, and another attachment does not wait for it.
conf "$own"
pod p1; pod p2
held_up sendto:signal=STOP:when=4
leased
cni ADD p2; ok "another attachment"
cni DEL p1; refused 11 "another ADD or DEL of container p1, interface eth0 has been running for 10 s"
same "nothing was freed" "$(owner 10.10.0.2)" p1
kill -KILL "$(pgrep -x onlink)"
wait
cni DEL p1; ok "DEL when it has ended"
same "freed" "$(owner 10.10.0.2)" ""

# An ADD is killed while its IPAM plugin runs, which goes on, and reserved an address after the DEL. A program that the plugin
# leaves behind keeps nobody waiting.
empty_host
mkdir $work/slow
printf '#!/bin/sh\n[ "$CNI_COMMAND" != ADD ] || { sleep 0.5; [ ! -e %s/leave ] || sleep 60 & }\nexec %s/host-local\n' $work $reference >$work/slow/host-local
chmod +x $work/slow/host-local
conf "$other"
pod p1
CNI_COMMAND=ADD CNI_CONTAINERID=p1 CNI_NETNS=/run/netns/p1 CNI_IFNAME=eth0 CNI_PATH=$work/slow "$bin/onlink" <<<"$conf" &
for _ in $(seq 500); do pgrep -xf 'sleep 0.5' >/dev/null && break; sleep 0.01; done
kill -KILL $!; wait || true
cni_path=$work/slow cni DEL p1; ok "DEL beside the IPAM plugin of a killed ADD"
same "what it leaves" "$(files)" ""
touch $work/leave
cni_path=$work/slow cni ADD p1 2>/dev/null; ok "ADD with a plugin that leaves a program behind"
cni DEL p1; ok "DEL beside that"
same "what that leaves" "$(files)" ""

# Without a runDir nothing can be locked: that is no reason to fail.
cni DEL p2
touch $work/file
conf "$own" '.ipam.runDir = "'$work/file/run'"'
cni ADD p1 2>$work/errors; ok "ADD without a runDir"
grep -q "ignoring: two calls of one attachment may run at the same time" $work/errors || fail "not told: $(cat $work/errors)"
cni DEL p1 2>/dev/null; ok "DEL without a runDir"
done_testing
