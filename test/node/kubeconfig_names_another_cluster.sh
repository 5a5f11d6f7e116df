#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# The kubeconfig has another API server, of another cluster whose versions are higher: the watch went on there, and the nodes
# of the old cluster stayed.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=api.bash
source "$(dirname "$0")/api.bash"

api_lab 3600 A 172.16.91.201
first=$api
put A 172.16.91.201 10.10.0.0/24
put B 172.16.91.202 10.10.1.0/24
put C 172.16.91.203 10.10.2.0/24
api=$work/other
mkdir "$api"
cp "$first"/{cert.pem,key.pem} "$api"
start_api 6444
tell tokens token-1
put A 172.16.91.201 10.10.0.0/24
put C 172.16.91.213 10.10.2.0/24
tell heartbeat 20
put D 172.16.91.204 10.10.3.0/24

carried() { [ "$(ip -n A -j route show proto 169 | jq -r 'map(select(.gateway) | "\(.dst) \(.gateway)") | join(", ")')" = "$1" ]; }
start_node A
eventually 20 carried "10.10.1.0/24 172.16.91.202, 10.10.2.0/24 172.16.91.203"
sed 's/:6443/:6444/' "$first/kubeconfig" >"$first/kubeconfig.new" && mv "$first/kubeconfig.new" "$first/kubeconfig"
api=$first
tell drop
eventually 40 carried "10.10.2.0/24 172.16.91.213, 10.10.3.0/24 172.16.91.204"
stop_node A
done_testing
