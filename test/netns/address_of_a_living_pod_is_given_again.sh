#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A pool of one address, and a pod that has it: nobody else gets it, in whatever way the pod's namespace was named and is held.
# It was judged dead by its path, which had become another, or nothing, or meant something else.
. "$(dirname "$0")/lib.bash"
one='.ipam |= (.rangeStart = "10.10.0.2" | .rangeEnd = "10.10.0.2")'
mkdir /run/pins

# attached NETNS INSIDE: p1 is attached through the path; INSIDE leads to its namespace in any case.
attached() { conf "$one"; netns=$1 cni ADD p1; ok "$way: ADD"; inside=$2; living "$way" "$inside" 10.10.0.2; }
# start_threads MODE: $program, its second $thread, and $stdin, on which a byte ends the main thread.
start_threads() {
  coproc two { exec unshare --net bash -c "ip link set lo up; exec ${1:+nsenter --net=/proc/$$/ns/net} $python -c '$threads' ${1:-outside}"; }
  read -r thread <&"${two[0]}"
  program=$two_PID stdin=${two[1]}
}

main_thread_ends() {
  start_threads ""
  attached "/proc/$program/ns/net" "/proc/$program/task/$thread/ns/net"
  echo >&"$stdin"
  for _ in $(seq 100); do grep -q '^State:.Z' "/proc/$program/status" && return; sleep 0.02; done
  fail "the main thread has not ended"
}
only_a_thread_is_inside() {
  start_threads inside
  nsenter --net="/proc/$program/task/$thread/ns/net" ip link set lo up
  attached "/proc/$program/task/$thread/ns/net" "/proc/$program/task/$thread/ns/net"
}
relative_path() { pod p1; cd /run/netns && attached p1 /run/netns/p1 && cd /; }
descriptor_of_the_call() { pod p1; exec 7</run/netns/p1; attached /proc/self/fd/7 /run/netns/p1; exec 7<&-; }
pinned_elsewhere() {
  pod p1; touch /run/pins/p1; mount --bind /run/netns/p1 /run/pins/p1
  attached /run/netns/p1 /run/pins/p1
  ip netns del p1
}
only_a_descriptor_holds_it() {
  pod p1; exec 8</run/netns/p1
  attached /run/netns/p1 "/proc/$$/fd/8"
  ip netns del p1
}
name_is_given_to_another() {
  pod p1; exec 8</run/netns/p1
  attached /run/netns/p1 "/proc/$$/fd/8"
  ip netns del p1; pod p1
}
names_are_covered() {
  pod p1; pod p2
  exec 8</run/netns
  second=/proc/$$/fd/8/p2
  attached /run/netns/p1 "/proc/$$/fd/8/p1"
  mount -t tmpfs tmpfs /run/netns
}
boot_id_of_its_own() {
  pod p1; attached /run/netns/p1 /run/netns/p1
  cat /proc/sys/kernel/random/uuid >$work/boot-id
  mount --bind $work/boot-id /proc/sys/kernel/random/boot_id
}
name_is_in_a_mount_namespace_of_its_own() {
  coproc two { exec unshare --mount --propagation private bash -c "ip netns add p1; ip -n p1 link set lo up; echo; cat"; }
  read -r _ <&"${two[0]}"
  program=$two_PID
  attached "/proc/$program/root/run/netns/p1" "/proc/$program/root/run/netns/p1"
}
records_are_lost() { pod p1; attached /run/netns/p1 /run/netns/p1; rm -rf /run/onlink; }

for way in main_thread_ends only_a_thread_is_inside relative_path descriptor_of_the_call pinned_elsewhere only_a_descriptor_holds_it \
  name_is_given_to_another names_are_covered boot_id_of_its_own name_is_in_a_mount_namespace_of_its_own records_are_lost; do
  empty_host
  second=/run/netns/p2
  $way
  [ -e $second ] || pod p2
  netns=$second cni ADD p2
  refused 102 "no IP addresses available"
  same "$way: the reservation" "$(owner 10.10.0.2)" p1
  living "$way" "$inside" 10.10.0.2
  case $way in
    names_are_covered) umount /run/netns ;;
    boot_id_of_its_own) umount /proc/sys/kernel/random/boot_id ;;
  esac
  # GC with the runtime's list leaves it alone as well; DEL gives the address back.
  conf "$one" '.["cni.dev/valid-attachments"] = [{"containerID":"p1","ifname":"eth0"}]'
  cni GC -; ok "$way: GC"
  conf "$one"
  same "$way: the reservation after GC" "$(owner 10.10.0.2)" p1
  netns= cni DEL p1; ok "$way: DEL"
  cni ADD p2; ok "$way: ADD after DEL"
  [ -z "${program:-}" ] || kill "$program" 2>/dev/null || true
  program=
  exec 8<&-
  ! mountpoint -q /run/pins/p1 || umount /run/pins/p1
done

# The pod's end moves into another namespace while an ADD is asking who lives.
empty_host
conf "$one"
for name in p1 p2 inner; do pod $name; done
cni ADD p1; ok "ADD"
host=$(jq -r '.interfaces[0].name' <<<"$out")
# The fourth request is about the other end; those before it listed the host ends.
( CNI_COMMAND=ADD CNI_CONTAINERID=p2 CNI_NETNS=/run/netns/p2 CNI_IFNAME=eth0 CNI_PATH=$bin strace -qq -o /dev/null \
    -e inject=sendto:delay_enter=1000000:when=4 "$bin/onlink" <<<"$conf" >/dev/null 2>&1 && echo 0 >$work/second || echo $? >$work/second ) &
sleep 0.5
ip -n p1 link set eth0 netns inner
wait
same "the other ADD" "$(cat $work/second)" 1
same "the reservation of a pod whose end has moved" "$(owner 10.10.0.2)" p1
same "its interface" "$(ip -j link show "$host" | jq length)" 1

# Its reservation is lost, alone or with the folder, and so is the host's route to it.
for lost in file folder; do
  empty_host
  conf '.ipam.cooldown = 0'
  pod p1; pod p2
  cni ADD p1; ok "ADD"
  host=$(jq -r '.interfaces[0].name' <<<"$out")
  ip link set "$host" down; ip link set "$host" up
  case $lost in
    file) rm /var/lib/cni/networks/net1/10.10.0.2 /var/lib/cni/networks/net1/last* ;;
    folder) rm -r /var/lib/cni/networks/net1 ;;
  esac
  cni ADD p2; ok "ADD beside a pod without $lost and route"
  same "its address" "$(address)" 10.10.0.3
  same "the reservation is there again, after the loss of the $lost" "$(owner 10.10.0.2)" p1
done
done_testing
