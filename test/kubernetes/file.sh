#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# onlink in a cluster without any right on its API: the plugins and a conflist put on each node by hand, onlink-node
# with a file that lists the nodes.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/onlink.bash"
cluster
for node in n1 n2; do
  jq -n --arg name $node --arg address "${address_of[$node]}" --arg cidr "$(pod_cidr $node)" \
    '{name: $name, nodeIP: $address, podCIDRs: [$cidr]}'
done | jq -s '{nodes: .}' >$work/cluster.json
for node in n1 n2; do
  start_on $node "$bin/onlink-node" run --config $work/cluster.json --node $node
  in_node $node "$bin/onlink-node" install >/dev/null
  jq --arg cidr "$(pod_cidr $node)" '.plugins[0].ipam.ranges = [[{subnet: $cidr}]]' "$repository/conf/10-onlink.conflist" >$work/conflist
  in_node $node install -D -m 644 $work/conflist /etc/cni/net.d/10-onlink.conflist
done
nodes_ready n1 n2
talking_pods 4 pod-1=n1 pod-2=n1 pod-3=n2 pod-4=n2
for name in "${!pod_ip[@]}"; do reaches "$name" 172.16.91.201; reaches "$name" 172.16.91.202; done
done_testing
