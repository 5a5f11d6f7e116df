#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Nodes that come, go and change: a third node joins; a node gets another address; a node is removed and its pod subnet
# given to another one. What did not change loses no packet.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/onlink.bash"
cluster
install_onlink
nodes_ready n1 n2
talking_pods 2 pod-1=n1 pod-2=n2
cidr1=$(pod_cidr n1) cidr2=$(pod_cidr n2)

# A third node joins: the others get its route, and lose nothing meanwhile.
stream_from pod-1 "${pod_ip[pod-2]}"
make_machine n3 172.16.91.203
start_containerd n3
import_image n3 $work/busybox.tar
bring_image n3
start_kubelet n3
start_proxy n3
nodes_ready n3
cidr3=$(pod_cidr n3)
for node in n1 n2; do wait_for 60 "$node has the route to n3" has_route $node "$cidr3" 172.16.91.203; done
stream_ends "a node joins" 0
talking_pods 3 pod-3=n3

# n3 gets another address, as after a reboot with another DHCP lease: its kubelet comes back with it.
stream_from pod-1 "${pod_ip[pod-2]}"
stop "${kubelet_of[n3]}"
ip -n n3 addr add 172.16.91.213/24 dev eth0
ip -n n3 addr del 172.16.91.203/24 dev eth0
ip -n n3 addr show dev eth0 | grep -q 172.16.91.213 || ip -n n3 addr add 172.16.91.213/24 dev eth0
ip -n n3 route replace default via $control
address_of[n3]=172.16.91.213
start_kubelet n3
for node in n1 n2; do wait_for 90 "$node has the route to n3's new address" has_route $node "$cidr3" 172.16.91.213; done
has_peers() { has_route n3 "$cidr1" 172.16.91.201 && has_route n3 "$cidr2" 172.16.91.202; }
wait_for 60 "n3 has its routes" has_peers
wait_for 60 "pod-1 reaches n3's pod" pings pod-1 "${pod_ip[pod-3]}"
stream_ends "another node is renumbered" 0

# n3 is removed: its routes go. Then n4 comes with n3's subnet.
stream_from pod-1 "${pod_ip[pod-2]}"
stop "${kubelet_of[n3]}"
kubectl delete node n3 >>$work/log/apply
for node in n1 n2; do wait_for 60 "$node has lost the route to n3" no_route $node "$cidr3"; done
agent=$(agent_of n3)
kill_hard "$agent"
kill "${holder_of[n3]}"
ip link del lan-n3
make_machine n4 172.16.91.204
kubectl create -f - >>$work/log/apply <<END
{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n4"}, "spec": {"podCIDR": "$cidr3", "podCIDRs": ["$cidr3"]},
 "status": {"capacity": {"cpu": "1"}, "allocatable": {"cpu": "1"}}}
END
start_containerd n4
import_image n4 $work/busybox.tar
bring_image n4
start_kubelet n4
start_proxy n4
nodes_ready n4
same "n4's pod subnet" "$(pod_cidr n4)" "$cidr3"
for node in n1 n2; do wait_for 60 "$node has n3's subnet by n4" has_route $node "$cidr3" 172.16.91.204; done
stream_ends "a node goes and another gets its subnet" 0
kubectl delete pod pod-3 --force --grace-period=0 >>$work/log/apply 2>&1
talking_pods 3 pod-4=n4
done_testing
