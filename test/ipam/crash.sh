#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SIGKILL at every system call of ADD and DEL, of onlink-ipam alone and of onlink, and at random among many processes: an
# address is never given twice and never lost. By default at some of the calls, other ones each time; STEP=1: at each of them.
# CYCLES=20000 for the long run.
. "$(dirname "$0")/lib.bash"
command -v strace >/dev/null || fail "needs strace"
: "${SEED:=${ONLINK_SEED:-$(od -An -N2 -tu2 /dev/urandom | tr -d " ")}}" "${CYCLES:=800}" "${STEP:=15}"
echo "seed $SEED"

# trace PROGRAM COMMAND CONTAINER: its system calls in order, each with the number of its occurrence: "openat 3".
trace() {
  CNI_COMMAND=$2 CNI_CONTAINERID=$3 CNI_NETNS=/run/netns/$3 CNI_IFNAME=eth0 CNI_PATH=$bin \
    strace -o "$disk/trace" "$bin/$1" <<<"$conf" >/dev/null 2>&1 || fail "trace $1 $2"
  sed -nE 's/^([a-z0-9_]+)\(.*/\1/p' "$disk/trace" | awk '$1 != "execve" { print $1, ++n[$1] }'
}
# killed NAME OCCURRENCE PROGRAM COMMAND CONTAINER: a call that is killed as it enters that system call.
killed() {
  code=0
  CNI_COMMAND=$4 CNI_CONTAINERID=$5 CNI_NETNS=/run/netns/$5 CNI_IFNAME=eth0 CNI_PATH=$bin \
    strace -o /dev/null -e trace="$1" -e inject="$1":signal=SIGKILL:when="$2" "$bin/$3" <<<"$conf" >"$disk/out" 2>&1 || code=$?
} 2>/dev/null
# No faults, but for what a killed process may leave: reservations that are stale, records without a reservation.
consistent() {
  local faults
  faults=$(person check net1 | grep 'fault:' | grep -v -e 'stale, its interface' -e ': empty: the process that made it died' \
    -e 'a record without its reservation' || true)
  same "$1: check" "$faults" ""
}
holders() { for file in $(reservations); do head -c1 "$folder/$file"; done | fold -w1 | sort | tr -d '\n'; }
ask_of() { local program=$1; shift; ask "$bin/$program" "$@"; }
prepare() { # PROGRAM COMMAND
  rm -rf "$data" "$records"
  ask_of $1 ADD a && ok "ADD a"
  [ "$2" = ADD ] || { ask_of $1 ADD b && ok "ADD b"; }
}
# What was begun goes away, as the runtime would have it, or as the world does.
undo() { # HOW PROGRAM
  case $1 in
    DEL) ask_of $2 DEL b; ok "$what: DEL"; same "$what: DEL finds it" "$(reservations)" "10.1.2.2" ;;
    GC)
      pool '.ipam += {subnet: "10.1.2.0/29", cooldown: 0}' '.cniVersion = "1.1.0"' '."cni.dev/valid-attachments" = [{containerID: "a", ifname: "eth0"}]'
      sleep 0.02
      ask_of $2 GC ""; ok "$what: GC"; same "$what: GC finds it" "$(reservations)" "10.1.2.2"
      pool '.ipam += {subnet: "10.1.2.0/29", cooldown: 0}' ;;
    death) gone b; until_ends 1; pod b ;;
  esac
}
others=(c d e f)
pool '.ipam += {subnet: "10.1.2.0/29", cooldown: 0}'
for c in a b "${others[@]}"; do pod $c; done
for program in onlink-ipam onlink; do
  ways=(DEL GC) step=$(((STEP + 2) / 3)) # few calls, and cheap ones
  [ $program = onlink-ipam ] || { ways=(DEL GC death) step=$STEP; }
  for verb in ADD DEL; do
    prepare $program $verb
    trace $program $verb b >"$disk/calls"
    for c in a b; do ask_of $program DEL $c && ok "DEL $c"; done
    number=0 tried=0
    while read -r name occurrence; do
      number=$((number + 1))
      [ $(((number + SEED) % step)) = 0 ] || continue
      tried=$((tried + 1))
      what="$program $verb killed at $number, $name"
      prepare $program $verb
      killed "$name" "$occurrence" $program $verb b
      same "$what: the exit status" $code 137
      for file in $(reservations); do
        case $(cat "$folder/$file") in a$'\r\n'eth0 | b$'\r\n'eth0 | '') ;; *) fail "$what: $file is not whole" ;; esac
      done
      consistent "$what"
      how=${ways[(tried + SEED) % ${#ways[@]}]}
      undo $how $program
      for c in "${others[@]}"; do ask_of $program ADD $c && ok "$what, then $how: all addresses can be had"; done
      same "$what, then $how: one holder each" "$(holders)" acdef
      consistent "$what, then used"
      [ $program = onlink-ipam ] || for c in a "${others[@]}"; do attach DEL $c && ok "$what: DEL $c"; done
    done <"$disk/calls"
    [ "$number" -gt 40 ] || fail "$program $verb made only $number system calls"
    echo "$program $verb: killed at $tried of $number system calls"
  done
done

# Many at once. Who is lost without DEL has no namespace any more: of onlink, that is all that it takes.
nobody='."cni.dev/valid-attachments" = []'
hammer() { # PROGRAM SUBNET PROCESSES CYCLES KILL-PERCENT LOSE-PERCENT
  mkdir "$disk/hammer-$1"
  data=$disk/H-$1 records=$disk/hammer-$1/run folder=$disk/H-$1/net1
  pool ".ipam.subnet = \"$2\""
  "$bin/ipam_hammer" "$disk/hammer-$1" "$bin/$1" "${@:3}" "$SEED" <<<"$conf" || fail "$1: addresses held twice or lost (seed $SEED)"
  until_ends 0
  same "whatever is left is stale" "$(person list net1 --json | jq -r '.[] | select(.state != "stale") | .address')" ""
  pool ".ipam.subnet = \"$2\"" "$nobody" '.cniVersion = "1.1.0"'
  ask_of $1 GC nobody && ok "GC"
  same "nothing is left" "$(find "$folder" -name '10.*')" ""
}
hammer onlink-ipam 10.1.2.0/26 32 "$CYCLES" 30 0
hammer onlink 10.1.2.0/27 16 "$((CYCLES / 4))" 30 15
done_testing
