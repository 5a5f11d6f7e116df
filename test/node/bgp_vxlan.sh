#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Source "routes" with VXLAN: A and B in one network, C behind a router. BIRD's next hop is C itself, the packets go through
# the device; A and B go directly. BIRD and onlink-node die and come back, and no ping is lost.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=bgp.bash
source "$(dirname "$0")/bgp.bash"
needs_vxlan

bgp_through_tunnel 'del(.ipipMode) | .vxlanMode = "CrossSubnet"' vxlan.onlink '10.10.2.0/24 via 10.10.2.1 dev vxlan.onlink proto 169 src 10.10.0.1 onlink' 'udp port 4789'
same "who has which MAC" "$(on A bridge -j fdb show dev vxlan.onlink | jq -c 'map([.mac, .dst])')" '[["02:6f:ac:10:5c:cb","172.16.92.203"]]'

# A BIRD that ends in good order takes its routes with it: what is gone is told, and carried on for its time.
end_bird C TERM
gone_is_told() { node A status --json; grep -q "no longer in kernel table 169" <<<"$out"; }
eventually 30 gone_is_told
reaches netns01 10.10.2.2
echo "bgp_vxlan.sh: $pinged pings, none lost"
done_testing
