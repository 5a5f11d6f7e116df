#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What listens on the host's 127.0.0.1 is for the host's own programs. A setting lets others reach it, route_localnet, which
# portmap turns on for the host end of each pod with a host port, and kube-proxy for all interfaces: not for pods.
. "$(dirname "$0")/lib.bash"
mkdir -p $work
$python -c 'import socket
s = socket.create_server(("0.0.0.0", 9))
print("ready", flush=True)
while True: s.accept()[0].sendall(b"for the host\n")' >$work/ready & listening=$!
for _ in $(seq 100); do [ -s $work/ready ] && break; sleep 0.05; done
asked() { # NAMESPACE ADDRESS: the answer
  ip netns exec "$1" $python -c 'import socket, sys
try: print(socket.create_connection((sys.argv[1], 9), 1).recv(99).decode().strip())
except OSError as error: print(type(error).__name__)' "$2"
}
pod p1; cni ADD p1; ok ADD; host=$(jq -r '.interfaces[0].name' <<<"$out")
# The pod asks its gateway for what is its own elsewhere.
ip -n p1 addr del 127.0.0.1/8 dev lo
ip netns exec p1 sysctl -qw net.ipv4.conf.eth0.route_localnet=1
ip -n p1 route add 127.0.0.0/8 via 169.254.1.1 dev eth0 onlink
same "the host's own address" "$(asked p1 192.0.2.1)" "for the host"
for interface in "$host" all; do
  sysctl -qw "net.ipv4.conf.$interface.route_localnet=1"
  for address in 127.0.0.1 127.1.2.3; do same "$address, route_localnet of $interface" "$(asked p1 $address)" TimeoutError; done
  sysctl -qw "net.ipv4.conf.$interface.route_localnet=0"
done
kill $listening
done_testing
