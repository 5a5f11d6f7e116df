# SPDX-License-Identifier: Apache-2.0
# Sourced after lib.bash by the tests with BIRD: the rendered configuration, and a BIRD in each host's namespace whose
# files lie in the host's own folder.

# configure_bird HOST [SED-PROGRAM]: what bird-config renders, with BIRD's words in a file; BIRD must take it.
configure_bird() {
  node "$1" bird-config; ok "bird-config on $1: $errors"
  sed -e "s#^log syslog all;#log \"$work/$1/bird.log\" all;#; ${2:-}" <<<"$out" >"$work/$1/bird.conf"
  /usr/sbin/bird -p -c "$work/$1/bird.conf" >"$work/$1/bird.check" 2>&1 || fail "BIRD refuses $1's file: $(cat "$work/$1/bird.check")"
}
start_bird() { # HOST [ARGUMENT...]
  rm -f "$work/$1/bird.pid" "$work/$1/bird.ctl"
  on "$1" /usr/sbin/bird "${@:2}" -c "$work/$1/bird.conf" -s "$work/$1/bird.ctl" -P "$work/$1/bird.pid" ||
    give_up "BIRD on $1 does not start"
}
end_bird() { # HOST SIGNAL
  local pid
  pid=$(cat "$work/$1/bird.pid")
  kill "-$2" "$pid"
  eventually 10 sh -c "! kill -0 $pid"
}
# A BIRD that was started with -R has heard all its peers, and has cleared its kernel table of what nobody sent.
recovered() { local words; words=$(ask_bird "$1" show status) && ! grep -q 'recovery in progress' <<<"$words"; }
ask_bird() { /usr/sbin/birdc -s "$work/$1/bird.ctl" "${@:2}"; }
learned() { ip -n "$1" "${2:--4}" -o route show table 169 | sed 's/  */ /g; s/ $//'; } # HOST [-6]

# lossless FROM ADDRESS COMMAND...: pings 20 times a second while the command runs; every one up to the last that came
# back must have come back (one more may be on its way when it ends).
lossless() {
  local log=$work/ping.$1 pings missing
  (exec nsenter --net="/run/netns/$1" ping -n -i 0.05 -W1 "$2" >"$log" 2>&1) &
  pings=$!
  eventually 10 grep -q icmp_seq= "$log"
  "${@:3}"
  local last
  last=$(grep -c icmp_seq= "$log")
  eventually 10 eval "[ \$(grep -c icmp_seq= '$log') -gt $((last + 10)) ]" # it still answers afterwards
  kill -INT "$pings"
  wait "$pings" 2>/dev/null || true
  missing=$(sed -n 's/.*icmp_seq=\([0-9]*\) .*time=.*/\1/p' "$log" | sort -n | awk 'NR > 1 && $1 > last + 1 { lost += $1 - last - 1 } { last = $1 } END { print lost + 0 }')
  [ "$missing" = 0 ] || fail "$missing pings from $1 to $2 were lost during: ${*:3}"
  checks=$((checks + 1))
  pinged=$((${pinged:-0} + $(grep -c time= "$log")))
}
routes_source() { printf '.source = {"type":"routes","table":169,"holdSeconds":%s} | .bgp = {"asNumber":64512}' "$1"; }

# hosts_behind_router: the seed's hosts, and C behind router R; $third_node makes C a node of their cluster.
third_node='.nodes += [{"name":"C","nodeIP":"172.16.92.203","podCIDRs":["10.10.2.0/24"]}]'
hosts_behind_router() {
  seed_hosts
  wire far
  host R && plug R eth0 lan 172.16.91.1/24 && plug R eth1 far 172.16.92.1/24
  on R sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
  host C && plug C eth0 far 172.16.92.203/24
  ip -n A route add default via 172.16.91.1
  ip -n B route add default via 172.16.91.1
  ip -n C route add default via 172.16.92.1
}

# bgp_through_tunnel JQ-PROGRAM DEVICE ROUTE FILTER: A and B in one network, C behind a router, by the mode CrossSubnet that the
# program sets. A's route to C is ROUTE, and its packets are those that FILTER (pcap-filter(7)) knows; A and B go directly.
# BIRD and onlink-node die and come back, and no ping is lost.
bgp_through_tunnel() {
  local device=$2 route=$3 filter=$4 each
  hosts_behind_router
  pod_at A netns01 10.10.0.2
  pod_at B netns03 10.10.1.2
  pod_at C netns05 10.10.2.2
  seed_cluster "$(routes_source 60)" "$third_node" "$1 | .filter = true | .masquerade = true"
  for each in A B C; do start_node $each; configure_bird $each; start_bird $each -R; done
  through_tunnel() { [ "$(route_line A 10.10.2.0/24)" = "$route" ]; }
  directly() { [ "$(route_line A 10.10.1.0/24)" = "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169" ]; }
  back() { route_line C 10.10.0.0/24 | grep -q "$device" && route_line C 10.10.1.0/24 | grep -q "$device"; }
  eventually 60 through_tunnel
  eventually 60 directly
  eventually 60 back
  eventually 60 reaches netns01 10.10.2.2
  eventually 60 reaches netns01 10.10.1.2
  count_packets R eth1 "$filter" reaches netns01 10.10.2.2 -c5
  [ "$seen" -ge 10 ] || fail "only $seen packets of $filter"
  reaches netns05 10.10.1.2
  cut_off netns01 10.10.2.77

  established() { ask_bird "$1" show protocols | grep -q "onlink4_$2.*Established"; }
  bird_dies() { end_bird C KILL; through_tunnel; start_bird C -R; eventually 60 established C 172_16_91_201; eventually 60 recovered C; }
  lossless netns01 10.10.2.2 bird_dies
  has_passed() { node A status --json; [ "$(jq .service.passes <<<"$out")" -ge 1 ]; }
  node_dies() { kill -KILL "${service[A]}"; wait "${service[A]}" 2>/dev/null || true; start_node A; eventually 60 has_passed; }
  lossless netns01 10.10.2.2 node_dies
  through_tunnel || fail "the route is $(route_line A 10.10.2.0/24)"
}
