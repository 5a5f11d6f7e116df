# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of this folder. It starts the script again in network, mount and process namespaces of its
# own: there, the script's own network namespace is the host, /run and /var/lib are empty, and when the script ends,
# however it ends, the kernel takes away every namespace, interface, file and process that it made.

set -euo pipefail
if [ -z "${ONLINK_TEST_INSIDE:-}" ]; then
  ONLINK_TEST_INSIDE=1 exec "$(dirname "${BASH_SOURCE[0]}")/enter" bash "$0" "$@"
fi

# shellcheck source=../checks.bash
source "$(dirname "${BASH_SOURCE[0]}")/../checks.bash"
bin=${ONLINK_BIN:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../../build/bin" && pwd)}
reference=/usr/lib/cni
# The newest ones that Debian has, where test/runtime/fetch has brought them.
newest=${ONLINK_NEWEST:-$(cd "$bin/../cni-sid" 2>/dev/null && pwd || true)}
python=/usr/bin/python3  # the system's, whatever comes first in PATH
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
mkdir -p /run/netns /run/work
mount -t sysfs sysfs /sys
work=/run/work
make_namespace=$(dirname "${BASH_SOURCE[0]}")/namespace
"$make_namespace"
ip link set lo up
ip addr add 192.0.2.1/32 dev lo  # a host has an address to speak from

# conf [JQ-PROGRAM...]: the configuration of the next calls, changed by each program.
conf() {
  conf='{"cniVersion":"1.1.0","name":"net1","type":"onlink","mtu":1500,
         "ipam":{"type":"onlink-ipam","subnet":"10.10.0.0/24"}}'
  local program
  for program in "$@"; do conf=$(jq -c "$program" <<<"$conf"); done
}
ipv6='.ipam |= (del(.subnet) | .ranges = [[{"subnet":"fd00:10::/64"}]])'
dual='.ipam |= (del(.subnet) | .ranges = [[{"subnet":"10.10.0.0/24"}],[{"subnet":"fd00:10::/64"}]])'
conf

# pod NAME: an empty network namespace, lo up.
pod() { "$make_namespace" "$1"; }

# cni COMMAND CONTAINER [IFNAME]: calls the plugin with $conf. The container's namespace is of the same name, or
# $netns. Its document is in $out, its exit status in $status; it does not end the script.
plugin=onlink
cni() {
  status=0
  out=$(CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=${netns-/run/netns/$2} CNI_IFNAME=${3:-eth0} \
    CNI_PATH=${cni_path:-$bin:$reference} CNI_ARGS=${cni_args:-} "$bin/$plugin" <<<"$conf") || status=$?
}
# with_prev RESULT: puts prevResult into $conf.
with_prev() { conf=$(jq -c --argjson prev "$1" '.prevResult = $prev' <<<"$conf"); }

ok() { checks=$((checks + 1)); [ "$status" = 0 ] || fail "$1: exit status $status: $out"; }
# refused CODE TEXT: the last call failed with this code, its message holds the text, and it is one JSON document.
refused() {
  checks=$((checks + 1))
  [ "$status" != 0 ] || fail "expected error $1, but it succeeded: $out"
  jq -es 'length == 1' <<<"$out" >/dev/null || fail "not one JSON document: $out"
  [ "$(jq .code <<<"$out")" = "$1" ] || fail "expected error code $1: $out"
  case $out in *"$2"*) ;; *) fail "expected \"$2\" in: $out" ;; esac
}
# rejected WHAT: the last call failed, for whatever reason it told.
rejected() {
  checks=$((checks + 1))
  [ "$status" != 0 ] || fail "$1: it succeeded: $out"
  jq -es 'length == 1 and (.[0] | .code and .msg)' <<<"$out" >/dev/null || fail "$1: not one error document: $out"
}
# living WHAT NETNS ADDRESS: the pod in the namespace at this path has the address, and what the host answers to it arrives.
living() {
  checks=$((checks + 1))
  [[ $(nsenter --net="$2" ip -o addr show dev eth0) == *" $3/"* ]] || fail "$1: eth0 has not $3"
  nsenter --net="$2" ping -qc1 -W3 -I "$3" 192.0.2.1 >/dev/null || fail "$1: no answer reaches $3: $(ip route show "$3")"
}
address() { jq -r '.ips[0].address | sub("/.*"; "")' <<<"$out"; }  # of the last result
# owner ADDRESS [NETWORK]: the container that holds it, as its file says.
owner() { head -n1 "${data_dir:-/var/lib/cni/networks}/${2:-net1}/$1" 2>/dev/null | tr -d '\r' || true; }
# empty_host: no pod, no lease, no record.
empty_host() {
  local name
  for name in $(ip -o link show type veth | awk -F'[:@ ]+' '{ print $2 }'); do ip link del "$name" 2>/dev/null || true; done
  for name in /run/netns/*; do [ ! -e "$name" ] || ip netns del "${name##*/}"; done
  rm -rf /var/lib/* /run/onlink
  conf
}
# main_thread_ends, other_thread_inside: programs with two threads; the main one ends, or stays on the host.
threads='import ctypes, platform, sys, threading
c = ctypes.CDLL(None)
def second():
  if sys.argv[1] == "inside": c.unshare(0x40000000)
  print(threading.get_native_id(), flush=True)
  threading.Event().wait()
threading.Thread(target=second).start()
sys.stdin.read(1)
c.syscall({"x86_64": 60}.get(platform.machine(), 93), 0)'

# What the kernel has in a namespace, by iproute2, without counters, timers and indexes.
snapshot() { # [NAMESPACE]
  local in=(); [ $# = 0 ] || in=(-n "$1")
  {
    ip "${in[@]}" -j -d link; ip "${in[@]}" -j addr; ip "${in[@]}" -j -4 route show table all
    ip "${in[@]}" -j -6 route show table all; ip "${in[@]}" -j neigh show nud permanent; ip "${in[@]}" -j rule
    ip "${in[@]}" -j neigh show nud all | jq 'map(select(has("extern_learn")) | {dst, dev})'
  } | jq -cS 'walk(if type == "object" then del(.ifindex, .link_index, .link_netnsid, .valid_life_time,
        .preferred_life_time, .tentative, .stats, .stats64, .parentdev) else . end) | if type == "array" then sort_by(tostring) else . end'
}
# The kernel finishes the link-local addresses that it makes itself in its own time, with their routes; which of them a
# snapshot finds would be chance. Done: each veth but the host ends has one, none is tentative, and each address has its local route.
finished() { # [NAMESPACE]
  local in=(); [ $# = 0 ] || in=(-n "$1")
  ip "${in[@]}" -j addr | jq -e --argjson routes "$(ip "${in[@]}" -j -6 route show table local type local)" '
    all(.[]; .link_type != "ether" or (.ifname | test("^[a-z]{3,4}[0-9a-f]{11}$")) or any(.addr_info[]; .family == "inet6" and .scope == "link"))
    and ([.[].addr_info[] | select(.family == "inet6")] |
      all(.[]; has("tentative") | not) and ([.[].local] | unique) - [$routes[].dst] == [])' >/dev/null
}
settled() { # the host and p1
  local _
  for _ in $(seq 60); do finished && finished p1 && return; sleep 0.4; done
  fail "the link-local addresses are not finished: $(ip -6 addr; ip -n p1 -6 addr)"
}
files() { (cd /var/lib && find . -type f ! -name lock ! -name 'last_reserved_ip.*' ! -path '*/.*' | sort); }
