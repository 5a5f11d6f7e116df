#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SIGKILL at every system call of ADD and DEL, and at random among many processes: an address is never given twice and
# never lost. CYCLES=20000 for the long run.
. "$(dirname "$0")/lib.bash"
command -v strace >/dev/null || fail "needs strace"

# trace COMMAND CONTAINER: its system calls in order, each with the number of its occurrence: "openat 3".
trace() {
  CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=$disk/ns/$2 CNI_IFNAME=eth0 CNI_PATH=$bin \
    strace -o "$disk/trace" "$bin/onlink-ipam" <<<"$conf" >/dev/null 2>&1 || fail "trace $1"
  sed -nE 's/^([a-z0-9_]+)\(.*/\1/p' "$disk/trace" | awk '$1 != "execve" { print $1, ++n[$1] }'
}
# killed NAME OCCURRENCE COMMAND CONTAINER: a call that is killed as it enters that system call.
killed() {
  code=0
  CNI_COMMAND=$3 CNI_CONTAINERID=$4 CNI_NETNS=$disk/ns/$4 CNI_IFNAME=eth0 CNI_PATH=$bin \
    strace -o /dev/null -e trace="$1" -e inject="$1":signal=SIGKILL:when="$2" "$bin/onlink-ipam" <<<"$conf" >"$disk/out" 2>&1 || code=$?
} 2>/dev/null
prepare() { # COMMAND
  rm -rf "$data" "$records"
  live a b c
  ipam ADD a && ok "ADD a"
  [ "$1" = ADD ] || { ipam ADD b && ok "ADD b"; }
}
# No faults, but for what a killed process may leave: reservations that are stale, records without reservation.
consistent() {
  local faults
  faults=$(person check net1 | grep 'fault:' | grep -v -e 'stale, its namespace' -e 'a record without its reservation' || true)
  same "$1: check" "$faults" ""
}

pool '.ipam.subnet = "10.1.2.0/29"' '.ipam.cooldown = 0'
for verb in ADD DEL; do
  prepare $verb
  trace $verb b >"$disk/calls"
  number=0
  while read -r name occurrence; do
    number=$((number + 1))
    what="$verb killed at $number, $name"
    prepare $verb
    killed "$name" "$occurrence" $verb b
    same "$what: the exit status" $code 137
    for file in $(reservations); do
      case $(cat "$folder/$file") in a$'\r\n'eth0 | b$'\r\n'eth0) ;; *) fail "$what: $file is not whole" ;; esac
    done
    consistent "$what"
    if [ $((number % 2)) = 0 ]; then
      ipam DEL b && ok "$what: DEL"
      same "$what: DEL finds it" "$(reservations)" "10.1.2.2"
      ipam ADD c && ok "$what: ADD"
    else
      dead b
      for c in d e f g; do
        live $c
        ipam ADD $c && ok "$what: all addresses can be had"
      done
      same "$what: one holder each" "$(head -qc1 "$folder"/10.* | fold -w1 | sort | tr -d '\n')" "adefg"
    fi
    consistent "$what, then used"
  done <"$disk/calls"
  [ "$number" -gt 40 ] || fail "$verb made only $number system calls"
  echo "$verb: killed at each of $number system calls"
done

mkdir "$disk/hammer"
data=$disk/H records=$disk/hammer/run pool '.ipam.subnet = "10.1.2.0/26"'
"$bin/ipam_hammer" "$disk/hammer" "$bin/onlink-ipam" 32 "${CYCLES:-1600}" 30 15 "${SEED:=$(od -An -N2 -tu2 /dev/urandom | tr -d " ")}" <<<"$conf" ||
  fail "addresses held twice or lost (seed $SEED)"
data=$disk/H records=$disk/hammer/run
same "whatever is left is stale" "$(person list net1 --json | jq -r '.[] | select(.state != "stale") | .address')" ""
pool '.ipam.subnet = "10.1.2.0/26"' '."cni.dev/valid-attachments" = []' '.cniVersion = "1.1.0"'
ipam GC nobody && ok "GC"
same "nothing is left" "$(find "$data/net1" -name '10.*')" ""
done_testing
