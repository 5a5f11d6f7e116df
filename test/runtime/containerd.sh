#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# containerd attaches containers with conf/10-onlink.conflist: what a container sees and reaches; then what goes wrong in
# the life of a node. Whatever happened, nothing is left.
needs_cgroups=1
. "$(dirname "$0")/lib.bash"
need containerd containerd; need runc runc; need busybox busybox-static; need $reference/portmap containernetworking-plugins
own_cni_folders
cp "$repository/conf/10-onlink.conflist" /etc/cni/net.d/
root_of_busybox $work/root
run_options=(--cni --env PATH=/bin --rootfs $work/root)
run() { # CONTAINER COMMAND...: in the foreground
  local container=$1; shift
  ctr run --rm "${run_options[@]}" "$container" "$@"
}
start() { # CONTAINER COMMAND...: in the background, as systemd or a script would
  local container=$1; shift
  ctr run --rm "${run_options[@]}" "$container" "$@" </dev/null >"$work/$container.out" 2>&1 &
  eval "pid_of_$container=$!"
}
inside() { ctr tasks exec --exec-id "x$RANDOM$RANDOM" "$@"; }
ended() { local pid="pid_of_$1"; wait "${!pid}" || true; }
is_running() { ctr tasks list | awk -v c="$1" '$1 == c && $3 == "RUNNING" {found = 1} END {exit !found}'; }
address_of() { inside "$1" ip -4 -o addr show eth0 | awk '{sub("/.*", "", $4); print $4}'; }
no_interface() { [ -z "$(ip -o link show type veth)" ]; }
nothing_left() { # WHAT
  until_true 10 no_interface || true
  same "interfaces: $1" "$(ip -o link show type veth)" ""
  same "routes: $1" "$(ip route show proto 169)" ""
  same "leases: $1" "$(files)" ""
  same "containers: $1" "$(ctr containers list -q)" ""
}

start_containerd

# One container: what it has.
run one sh -c 'ip -4 -o addr show eth0; echo; ip route; echo; ip neigh' >$work/seen 2>$work/errors || fail "ctr run: $(cat $work/errors)"
holds "address" 'test("inet 10\\.10\\.0\\.[0-9]+/32 ")' "$(jq -Rs . $work/seen)"
holds "routes" 'contains("\ndefault via 169.254.1.1 dev eth0 onlink \n169.254.1.1 dev eth0 scope link \n")' "$(jq -Rs . $work/seen)"
holds "neighbour" 'contains("\n169.254.1.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee") and contains("PERMANENT")' "$(jq -Rs . $work/seen)"
nothing_left "one container"

# Two containers and the host reach each other; the exit status is the command's.
start server nc -ll -p 80 -e /bin/echo onlink
until_true 20 is_running server || fail "server: $(cat $work/server.out)"
server=$(address_of server)
checks=$((checks + 3))
until_true 5 busybox nc -w 1 "$server" 80 >$work/seen || fail "host to container"
[ "$(run client nc -w 5 "$server" 80)" = onlink ] || fail "container to container"
run client ping -q -c 1 -W 10 192.0.2.1 >/dev/null || fail "container to host"
status=0; run client sh -c 'exit 7' || status=$?
same "exit status" $status 7

# The container's process is killed.
ctr tasks kill --signal 9 server; ended server
nothing_left "killed"

# 30 containers at once.
for i in $(seq 30); do start "c$i" sh -c 'ip -4 -o addr show eth0; ping -q -c 1 -W 10 192.0.2.1'; done
for i in $(seq 30); do ended "c$i"; done
same "containers that reached the host" "$(grep -l ' 0% packet loss' $work/c*.out | wc -l)" 30
same "distinct addresses" "$(grep -ho 'inet 10.10.0.[0-9]*' $work/c*.out | sort -u | wc -l)" 30
nothing_left "30 containers"

# What nobody was told: the interface is taken out of the container; its process is killed; its process and its shim
# are, so that the namespace is gone and containerd has to find out.
start_sleeping() { # CONTAINER: process ID in $init
  start "$1" sleep 600
  until_true 20 is_running "$1" || fail "$1: $(cat "$work/$1.out")"
  init=$(ctr tasks list | awk -v c="$1" '$1 == c {print $2}')
}
start_sleeping unplugged
nsenter -t "$init" -n ip link del eth0
ctr tasks kill --signal 9 unplugged; ended unplugged; nothing_left "interface deleted in the container"
start_sleeping killed
kill -9 "$init"; ended killed; nothing_left "process killed"
start_sleeping orphan
kill -9 "$(ps -o ppid= -p "$init" | tr -d ' ')" "$init"; ended orphan
ctr containers delete orphan 2>/dev/null || true
nothing_left "process and shim killed"

# containerd itself ends and comes back under a running container: the container keeps its network.
ctr run --detach "${run_options[@]}" lasting sleep 600 || fail "ctr run --detach"
lasting=$(address_of lasting)
kill -9 $daemon; wait $daemon 2>/dev/null || true
rm -f $state/socket
checks=$((checks + 2))
ping -q -c 1 -W 10 "$lasting" >/dev/null || fail "no ping while containerd is down"
start_containerd
ping -q -c 1 -W 10 "$lasting" >/dev/null || fail "no ping after containerd's restart"
same "address after the restart" "$(address_of lasting)" "$lasting"

# ctr before 1.7 makes no DEL for a container that was started in the background. Its namespace is gone, so another
# container of its name gets on, and the DEL of that takes away what was left of both.
ctr tasks kill --signal 9 lasting
until_true 10 ctr tasks delete lasting 2>$work/errors || fail "ctr tasks delete: $(cat $work/errors)"
ctr containers delete lasting
run lasting ping -q -c 1 -W 10 192.0.2.1 >$work/seen 2>&1 || fail "another container of its name: $(cat $work/seen)"
nothing_left "started in the background"
done_testing
