#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What onlink-node may do at the API: its token is rotated, refused and replaced; its rights are taken and given back. It
# says what is wrong, asks again without haste, and keeps what it has.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/onlink.bash"
control_plane n1
make_machine n1 172.16.91.201
fake_node n1 172.16.91.201 10.10.0.0/24
fake_node peer 172.16.91.202 10.10.1.0/24
account
write_token first
start_agent n1
wait_for 60 "the route to the peer" has_route n1 10.10.1.0/24 172.16.91.202
wait_for 30 "the conflist" in_node n1 test -s /etc/cni/net.d/10-onlink.conflist
wait_for 30 "the condition" node_is n1 NetworkUnavailable False

# It can do what it needs, and no more.
may() { kubectl auth can-i --as=system:serviceaccount:kube-system:onlink-node "$@" 2>/dev/null || true; }
for words in "list nodes" "watch nodes" "get nodes" "patch nodes/status"; do
  same "may $words" "$(may ${words/nodes\/status/nodes --subresource=status})" yes
done
for words in "patch nodes" "update nodes" "delete nodes" "create nodes" "get secrets" "list pods" "update nodes --subresource=status"; do
  same "may $words" "$(may $words)" no
done

# Rotated in time: the old token is not good any more when the connection is lost, and nobody notices.
write_token second
kubectl -n kube-system delete secret first >>$work/log/apply
restart_api() { kill_hard $api; start_api; wait_api; }
restart_api
fake_node peer3 172.16.91.203 10.10.3.0/24
wait_for 90 "a new node, with the new token" has_route n1 10.10.3.0/24 172.16.91.203
same "refusals" "$(grep -c 'Unauthorized' $work/log/onlink-node-n1)" 0

# Rotated late: refused until the file has another one.
kubectl -n kube-system delete secret second >>$work/log/apply
restart_api
wait_for 90 "it says that it is refused" said n1 'Unauthorized'
fake_node peer4 172.16.91.204 10.10.4.0/24
same "what it has" "$(has_route n1 10.10.1.0/24 172.16.91.202 && has_route n1 10.10.3.0/24 172.16.91.203 && echo kept)" kept
write_token third
wait_for 90 "a new node, with the third token" has_route n1 10.10.4.0/24 172.16.91.204

# Without rights: the API's own words, which say who may not do what; few questions; nothing withdrawn.
kubectl delete clusterrolebinding onlink-node >>$work/log/apply
kill_hard $api; start_api_with_audit; wait_api
wait_for 90 "it says what it may not" said n1 'nodes is forbidden: User "system:serviceaccount:kube-system:onlink-node" cannot (list|watch)'
kubectl delete node peer4 >>$work/log/apply
before=$(grep -c '"code":403' $work/audit.log) || true
sleep 30
asked=$(($(grep -c '"code":403' $work/audit.log) - before))
echo "  refused questions in 30 s: $asked"
checks=$((checks + 1))
[ $asked -le 15 ] || fail "$asked questions in 30 s"
same "what it has" "$(has_route n1 10.10.4.0/24 172.16.91.204 && echo kept)" kept
manifest_part ClusterRoleBinding | kubectl apply -f - >>$work/log/apply
wait_for 120 "with its rights again it knows that a node is gone" no_route n1 10.10.4.0/24
has_route n1 10.10.3.0/24 172.16.91.203 || fail "a node that stayed has lost its route"

# Only the condition is refused: the routes do not wait for it.
manifest_part ClusterRole | jq '.rules |= map(select(.resources != ["nodes/status"]))' | kubectl apply -f - >>$work/log/apply
in_node n1 sh -c ': >/etc/cni/net.d/10-onlink.conflist'
stop "${agent[n1]}"
ip -n n1 route flush proto 169
kubectl proxy --port=8099 >>$work/log/proxy 2>&1 & proxy=$!
wait_for 20 "kubectl proxy" curl -sf http://127.0.0.1:8099/readyz
curl -sf -X PATCH -H 'Content-Type: application/strategic-merge-patch+json' http://127.0.0.1:8099/api/v1/nodes/n1/status \
  -d '{"status": {"conditions": [{"type": "NetworkUnavailable", "status": "True", "reason": "Test"}]}}' >/dev/null || fail "set the condition"
stop $proxy
start_agent n1
wait_for 60 "routes without the right to set the condition" has_route n1 10.10.3.0/24 172.16.91.203
wait_for 60 "it says that it may not" said n1 'cannot patch resource "nodes/status"'
done_testing
