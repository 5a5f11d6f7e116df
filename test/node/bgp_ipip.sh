#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: guest 6.1
# Source "routes" with the tunnel: A and B in one network, C behind a router. BIRD's next hop is C itself, the packets
# go through tunl0; A and B go directly. BIRD and onlink-node die and come back, and no ping is lost.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=bgp.bash
source "$(dirname "$0")/bgp.bash"

bgp_through_tunnel '.ipipMode = "CrossSubnet"' tunl0 '10.10.2.0/24 via 172.16.92.203 dev tunl0 proto 169 src 10.10.0.1 onlink' 'ip proto 4'
echo "bgp_ipip.sh: $pinged pings, none lost"
done_testing
