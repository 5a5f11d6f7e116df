#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# IPv4 and IPv6 (the feature gate IPv6DualStack of 1.20): nodes with two InternalIPs and two podCIDRs, pods with two addresses
# that reach each other by both, IPv6 that leaves masqueraded. onlink-node has a client certificate instead of a token.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/onlink.bash"
api_options=(--feature-gates=IPv6DualStack=true)
manager_options=(--feature-gates=IPv6DualStack=true --cluster-cidr=10.10.0.0/16,fd00:10::/56 --node-cidr-mask-size-ipv6=64)
kubelet_options=(--feature-gates=IPv6DualStack=true)
make_image
control_plane n1 n2
ip -6 addr add fd00:172::1/64 dev lan nodad
start_managers

# A user of this name, by certificate, instead of the service account.
certificate agent /CN=onlink-agent DNS:agent
account
kubectl create clusterrolebinding onlink-agent --clusterrole=onlink-node --user=onlink-agent >>$work/log/apply
jq --arg certificate "$(base64 -w0 $work/pki/agent.crt)" --arg key "$(base64 -w0 $work/pki/agent.key)" \
  '.users[0].user = {"client-certificate-data": $certificate, "client-key-data": $key}' $work/agent.conf >$work/agent.new
mv $work/agent.new $work/agent.conf
for node in n1 n2; do
  make_machine $node 172.16.91.20${node#n}
  address6_of[$node]=fd00:172::20${node#n}
  nsenter --net=/run/netns/$node sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
  ip -n $node -6 addr add ${address6_of[$node]}/64 dev eth0 nodad
  start_containerd $node
  import_image $node $work/busybox.tar
  start_kubelet $node
  start_agent $node
done
nodes_ready n1 n2
cidrs() { kubectl get node "$1" -o json | jq -c '.spec.podCIDRs'; }
for node in n1 n2; do
  same "podCIDRs of $node" "$(cidrs $node | jq length)" 2
  same "conflist of $node" "$(in_node $node jq -c '[.plugins[0].ipam.ranges[][].subnet]' /etc/cni/net.d/10-onlink.conflist)" "$(cidrs $node)"
  wait_for 30 "NetworkUnavailable is False on $node" node_is $node NetworkUnavailable False
done
has_route6() { ip -n "$1" -6 -j route show "$2" proto 169 | jq -e --arg gateway "$3" 'any(.gateway == $gateway)' >/dev/null; }
for pair in "n1 n2" "n2 n1"; do
  read -r node peer <<<"$pair"
  wait_for 30 "the IPv4 route of $node" has_route $node "$(cidrs $peer | jq -r '.[0]')" "${address_of[$peer]}"
  wait_for 30 "the IPv6 route of $node" has_route6 $node "$(cidrs $peer | jq -r '.[1]')" "${address6_of[$peer]}"
done

# Pods by both families.
talking_pods 4 pod-1=n1 pod-2=n1 pod-3=n2 pod-4=n2
ip6_of() { kubectl get pod "$1" -o json | jq -r '.status.podIPs[1].ip'; }
for to in "${!pod_ip[@]}"; do
  address=$(ip6_of "$to")
  case $address in fd00:10:*) ;; *) fail "$to has no second address: $address" ;; esac
  for from in "${!pod_ip[@]}"; do [ "$from" = "$to" ] || reaches "$from" "$address"; done
  nsenter --net="/run/netns/${pod_node[$to]}" ping -q -c 1 -W 3 "$address" >/dev/null || fail "the node of $to does not reach it"
done
# The control plane's network has no route to pods: it answers to the node.
for name in pod-1 pod-3; do reaches $name fd00:172::1; reaches $name $control; done
same "refusals" "$(grep -c -E 'Unauthorized|forbidden' $work/log/onlink-node-n1 $work/log/onlink-node-n2 | awk -F: '{ sum += $2 } END { print sum }')" 0
done_testing
