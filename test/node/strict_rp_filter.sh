#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: guest 6.12
# CrossSubnet where one node has a /24 and the other a /32: on-link one way, through the tunnel the other. With rp_filter 1
# each drops what the other sends: the tunnel's device is ours and gets another setting; the interface is not, and it is told.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

ipip_here || fail "this kernel has no ipip"
wire lan
host A && plug A eth0 lan 172.16.91.201/24
host B && plug B eth0 lan 172.16.91.202/32
host R && plug R eth0 lan 172.16.91.1/24
on R sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/conf/all/send_redirects; echo 0 >/proc/sys/net/ipv4/conf/eth0/send_redirects'
ip -n B route add 172.16.91.1 dev eth0
ip -n B route add default via 172.16.91.1
on B sh -c 'echo 0 >/proc/sys/net/ipv4/conf/all/accept_redirects'
seed_pods
rp_filter() { on "$1" cat "/proc/sys/net/ipv4/conf/$2/rp_filter"; } # HOST INTERFACE
set_rp_filter() { on "$1" sh -c "echo $3 >/proc/sys/net/ipv4/conf/$2/rp_filter"; }
seed_cluster '.ipipMode = "CrossSubnet"'
for name in A B; do set_rp_filter $name all 0; set_rp_filter $name eth0 0; set_rp_filter $name tunl0 0; done
applied A; applied B
same "A's way" "$(route_line A 10.10.1.0/24)" "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169"
same "B's way" "$(route_line B 10.10.0.0/24)" "10.10.0.0/24 via 172.16.91.201 dev tunl0 proto 169 src 10.10.1.1 onlink"
reaches netns01 10.10.1.2
same "what is not strict stays" "$(rp_filter A tunl0)$(rp_filter B tunl0)" 00

# A drops what comes out of the tunnel. The device's own value, 2, counts above that of all.
set_rp_filter A all 1
cut_off netns01 10.10.1.2
node A plan
same "the plan" "$out" "sysctl -w net/ipv4/conf/tunl0/rp_filter=2"
applied A
same "the tunnel's and the others'" "$(rp_filter A tunl0)$(rp_filter A eth0)$(rp_filter A all)" 201
reaches netns01 10.10.1.2
node A plan
same "nothing is left to do" "$out$errors" ""
node A clean; ok "clean: $errors"
same "what it was" "$(rp_filter A tunl0)" 0
applied A

# B drops what comes without a tunnel.
set_rp_filter B eth0 1
cut_off netns01 10.10.1.2
node B apply
same "exit status" "$status" 1
case $errors in *"A (10.10.0.0/24): this node is on-link for it, but it is not for this node: what it sends arrives on eth0, the way back is tunl0, so rp_filter drops it; "*"sysctl -w net/ipv4/conf/eth0/rp_filter=2") checks=$((checks + 1)) ;; *) fail "B says: $errors" ;; esac
same "what is not ours stays" "$(rp_filter B eth0)" 1
set_rp_filter B eth0 2
applied B
reaches netns01 10.10.1.2
done_testing
