#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Under bridge nothing in the kernel tells whose an address is, so within one boot only DEL, GC and `release` give it back. It was
# taken from living pods whose namespace had another path, or none, or one that the caller saw in another way; and where another
# boot ID, or none, was told while the records of this boot were there, in memory as by default.
. "$(dirname "$0")/lib.bash"
records=/run/records

# bridge COMMAND CONTAINER NETNS: a pool of one address.
bridge() {
  status=0
  out=$(CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=$3 CNI_IFNAME=eth0 CNI_PATH=$bin:$reference "$reference/bridge" 2>>"$disk/stderr" <<<"$conf") ||
    status=$?
}
pool '.ipam += {rangeStart: "10.1.2.2", rangeEnd: "10.1.2.2", cooldown: 0}' '. + {type: "bridge", bridge: "br0", isGateway: true, isDefaultGateway: true}'
data_dir=$data
mkdir -p /run/pins /run/other

# inhabited [COMMAND...]: a process in a network namespace of its own: $pid.
inhabited() {
  coproc inhabitant { exec unshare --net "$@" bash -c 'ip link set lo up; echo; exec cat'; }
  read -r _ <&"${inhabitant[0]}"
  pid=$inhabitant_PID
}
pin() { touch "$1"; mount --bind "/proc/$pid/ns/net" "$1"; }

path_is_a_link() { ln -sfn "/proc/$pid/ns/net" /run/netns/p1; bridge ADD p1 /run/netns/p1; }
path_is_in_another_proc() { mount --bind /proc /run/other; bridge ADD p1 "/run/other/$pid/ns/net"; umount /run/other; }
name_is_gone() { pin /run/pins/p1; bridge ADD p1 /run/pins/p1; umount /run/pins/p1; rm /run/pins/p1; }
named_process_is_gone() {
  nsenter --net="/proc/$pid/ns/net" sleep 600 &
  local named=$!
  while [ "$(cat "/proc/$named/comm")" != sleep ]; do sleep 0.02; done
  bridge ADD p1 "/proc/$named/ns/net"
  kill $named
  wait $named 2>/dev/null || true
}
name_is_bound_again() { pin /run/pins/p1; bridge ADD p1 /run/pins/p1; umount /run/pins/p1; pin /run/pins/p1; }
name_is_another_pods() { pin /run/pins/p1; bridge ADD p1 /run/pins/p1; umount /run/pins/p1; pod p3; mount --bind /run/netns/p3 /run/pins/p1; }
records_are_lost() { bridge ADD p1 "/proc/$pid/ns/net"; rm -rf "$records"; }
boot_has_another_id() { bridge ADD p1 "/proc/$pid/ns/net"; another_boot; }
boot_has_no_id() { bridge ADD p1 "/proc/$pid/ns/net"; mount --bind /dev/null /proc/sys/kernel/random/boot_id; }
boot_has_no_id_and_records_are_lost() { records_are_lost; mount --bind /dev/null /proc/sys/kernel/random/boot_id; }
# The path of the container exists only for a runtime that is restarted: the next one has a mount namespace of the same number.
runtime_is_restarted() {
  export -f bridge pin
  runtime="status=0 disk=$disk bin=$bin reference=$reference pid=$pid conf='$conf'; mount -t tmpfs tmpfs /run/pins; "
  unshare --mount --propagation private bash -c "$runtime
    pin /run/pins/p1; bridge ADD p1 /run/pins/p1; echo \"\$out\" >$disk/out; exit \$status" && status=0 || status=$?
  out=$(cat "$disk/out")
}
asks_after_a_restart() { # WHAT COMMAND CONTAINER: as bridge, by the next life of the runtime
  unshare --mount --propagation private bash -c "$runtime bridge ADD p2 /run/netns/p2; echo \"\$out\" >$disk/out; exit \$status" && status=0 || status=$?
  out=$(cat "$disk/out")
}

for way in path_is_a_link path_is_in_another_proc name_is_gone named_process_is_gone name_is_bound_again name_is_another_pods \
  records_are_lost boot_has_another_id boot_has_no_id boot_has_no_id_and_records_are_lost runtime_is_restarted; do
  inhabited
  $way
  ok "$way: ADD"
  inside=/proc/$pid/ns/net
  [[ $(nsenter --net="$inside" ip -o addr show dev eth0) == *" 10.1.2.2/"* ]] || fail "$way: eth0 has not its address"
  pod p2
  if [ $way = runtime_is_restarted ]; then
    for _ in 1 2 3 4 5 6 7 8; do asks_after_a_restart; [ "$status" != 0 ] || break; done
  else
    bridge ADD p2 /run/netns/p2
  fi
  rejected "$way: ADD of another"
  same "$way: whose it is" "$(owner 10.1.2.2)" p1
  nsenter --net="$inside" ping -qc1 -W3 10.1.2.1 >/dev/null || fail "$way: the pod is cut off"
  bridge DEL p1 "$inside"; ok "$way: DEL"
  bridge DEL p2 /run/netns/p2
  bridge ADD p2 /run/netns/p2; ok "$way: ADD after DEL"
  same "$way: whose it is then" "$(owner 10.1.2.2)" p2
  bridge DEL p2 /run/netns/p2; ok "$way: DEL of the other"
  kill "$pid"
  ip netns del p2
  ! grep -q boot_id /proc/self/mountinfo || this_boot
  [ ! -e /run/netns/p3 ] || ip netns del p3
  ! mountpoint -q /run/pins/p1 || umount /run/pins/p1
  rm -f /run/netns/p1
done
done_testing
