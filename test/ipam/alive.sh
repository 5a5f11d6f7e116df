#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What lives keeps its address, however its namespace was named, is hidden, or is kept; under onlink, who dies gives it
# back, and under any other main plugin, DEL, GC, a person and a reboot do.
. "$(dirname "$0")/lib.bash"
[ -x "$python" ] || fail "needs python3"
[ -x "$reference/bridge" ] || fail "needs $reference/bridge"

# Pods that live on, each in another way, without the name that they were attached by: nobody takes from them, until
# they die. attached: how it is attached; loses: how it loses its name, or seems to; dies: how it ends.
inside() { # PROGRAM NAMESPACE: python with a function that enters it; ready when it says so
  "$python" -c '
import ctypes, os, socket, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def enter(path):
    with open(path) as file:
        if libc.setns(file.fileno(), 0x40000000) != 0: raise OSError(ctypes.get_errno(), path)
def ready():
    open(sys.argv[2], "w").close()
exec(sys.argv[1])' "$1" "$disk/ready" "/run/netns/$2" & holder=$!
  for _ in $(seq 500); do [ -e "$disk/ready" ] && break; sleep 0.02; done
  rm "$disk/ready" || fail "the holder of $2 did not start"
}
named() { attach ADD "$1"; }
# Two more namespaces, by paths that nothing here takes away.
others() { pod other; pod again; exec {fd_other}</run/netns/other {fd_again}</run/netns/again; other=/proc/$$/fd/$fd_other again=/proc/$$/fd/$fd_again; }
no_others() { gone other again; exec {fd_other}<&- {fd_again}<&-; }
end_holder() { kill $holder; wait $holder 2>/dev/null || true; }
declare -A attached=(
  [relative]='cd /run/netns; netns=./$c named $c; cd "$OLDPWD"'
  [descriptor]='exec {fd}</run/netns/$c; netns=/proc/self/fd/$fd named $c; exec {fd}<&-'
  [symlink]='ln -s /run/netns/$c $work/link; netns=$work/link named $c'
  [process_path]='inside "enter(sys.argv[3]); ready(); time.sleep(600)" $c; netns=/proc/$holder/ns/net named $c'
  [thread_path]='inside "enter(sys.argv[3]); ready(); time.sleep(600)" $c; netns=/proc/$holder/task/$holder/ns/net named $c'
  [hostproc]='mkdir $work/hostproc; mount --bind /proc $work/hostproc; exec {fd}</run/netns/$c; netns=$work/hostproc/$BASHPID/fd/$fd named $c')
declare -A loses=(
  [process]='ip netns exec $c sleep 600 & holder=$!; for _ in $(seq 500); do [ "$(cat /proc/$holder/comm)" = sleep ] && break; sleep 0.02; done; ip netns delete $c'
  [thread]='inside "
def other():
    enter(sys.argv[3]); ready(); time.sleep(600)
threading.Thread(target=other).start(); time.sleep(600)" $c; ip netns delete $c'
  [thread_of_ended_main]='inside "
def other():
    enter(sys.argv[3]); ready(); time.sleep(600)
threading.Thread(target=other).start(); libc.syscall(93 if os.uname().machine == \"aarch64\" else 60, 0)" $c; ip netns delete $c'
  [descriptor_only]='inside "file = open(sys.argv[3]); ready(); time.sleep(600)" $c; ip netns delete $c'
  [socket_only]='inside "
home = open(\"/proc/thread-self/ns/net\"); enter(sys.argv[3]); s = socket.socket(); libc.setns(home.fileno(), 0x40000000); ready(); time.sleep(600)" $c; ip netns delete $c'
  [pinned_elsewhere]='touch $work/pin; mount --bind /run/netns/$c $work/pin; ip netns delete $c'
  [covered]='mount -t tmpfs tmpfs /run/netns'
  [relative]='' [descriptor]='' [symlink]='rm $work/link'
  [process_path]='inside_of=$holder; inside "file = open(sys.argv[3]); ready(); time.sleep(600)" $c; ip netns delete $c; kill $inside_of; wait $inside_of 2>/dev/null || true'
  [thread_path]='inside_of=$holder; inside "file = open(sys.argv[3]); ready(); time.sleep(600)" $c; ip netns delete $c; kill $inside_of; wait $inside_of 2>/dev/null || true'
  [hostproc]='umount $work/hostproc; rmdir $work/hostproc'
  [rebound]='touch $work/pin; mount --bind /run/netns/$c $work/pin; umount /run/netns/$c; mount --bind $work/pin /run/netns/$c; umount $work/pin; rm $work/pin'
  [another_boot]='another_boot')
declare -A dies=(
  [pinned_elsewhere]='umount $work/pin; rm $work/pin'
  [covered]='umount /run/netns; gone $c'
  [relative]='gone $c' [descriptor]='gone $c' [symlink]='gone $c' [rebound]='gone $c'
  [hostproc]='exec {fd}<&-; gone $c'
  [another_boot]='this_boot; gone $c')
for way in "${!loses[@]}"; do
  new_folder
  pool '.ipam += {subnet: "10.1.2.0/29", rangeStart: "10.1.2.3", rangeEnd: "10.1.2.3"}'
  c=lives; pod $c; others
  eval "${attached[$way]:-named \$c}"; ok "ADD, $way"
  eval "${loses[$way]}"
  netns=$other attach ADD other; refused 102 "0 stale, 1 taken"
  same "no reclaim, $way" "$(told 'reclaim')" 0
  same "whose it is, $way" "$(cat "$folder/10.1.2.3")" $'lives\r\neth0'
  # The same container again, somewhere else: it is attached.
  netns=$again attach ADD lives; refused 100 "is attached already"
  checks=$((checks + 1)); ip -j route show 10.1.2.3 | jq -e 'length == 1' >/dev/null || fail "the host's route is gone, $way"
  eval "${dies[$way]:-end_holder}"
  netns=$other attach ADD other; ok "ADD once it is dead, $way"
  same "its address, $way" "$(addresses)" "10.1.2.3/32"
  attach DEL other; ok "DEL, $way"
  no_others
done

# Under bridge nothing tells who lives: whatever becomes of the names and of the namespaces, within this boot only DEL,
# GC and a person give back.
bridge() { ask "$reference/bridge" "$@"; }
one_address='.type = "bridge" | .bridge = "br0" | .ipam += {subnet: "10.30.0.0/29", rangeStart: "10.30.0.2", rangeEnd: "10.30.0.2"}'
loses+=([dead]='gone $c; holder=' [unnamed_process]="${loses[process]}")
attach() { bridge "$@"; }
turn=0
for way in "${!loses[@]}"; do
  new_folder
  pool "$one_address"
  c=lives; pod $c; others
  eval "${attached[$way]:-named \$c}"; ok "bridge ADD, $way"
  [ $way = another_boot ] && rm -rf "$records" # as where another container shares the folder
  [ $way = another_boot ] || eval "${loses[$way]}"
  netns=$other bridge ADD other; refused 102 "0 stale, 1 taken"; netns=$other bridge DEL other; ok "DEL of who got none, $way"
  same "whose it is, $way" "$(cat "$folder/10.30.0.2")" $'lives\r\neth0'
  case $way in
    dead) ;;
    another_boot) gone $c ;;
    *) eval "${dies[$way]:-end_holder}" ;;
  esac
  netns=$other bridge ADD other; refused 102 "0 stale, 1 taken"; netns=$other bridge DEL other; ok "DEL of who got none, $way"
  case $((turn++ % 4)) in
    0) netns='' bridge DEL lives; ok "DEL, $way" ;;
    1) sleep 0.02; pool "$one_address" '.cniVersion = "1.1.0"' '."cni.dev/valid-attachments" = []'; ipam GC ""; ok "GC, $way"; pool "$one_address" ;;
    2) person release 10.30.0.2 >/dev/null; ok "release, $way" ;;
    3) rm -rf "$records"; another_boot ;;
  esac
  netns=$other bridge ADD other; ok "ADD of another after it was given back, $way"
  bridge DEL other; ok "DEL of the other, $way"
  grep -q boot_id /proc/self/mountinfo && this_boot
  no_others
done
done_testing
