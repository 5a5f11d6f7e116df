#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# The API's name has several addresses, and from the first one nothing comes: the second was not tried before the whole
# attempt had failed, each time. Nor may an address that has died hold what a new one would tell.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=api.bash
source "$(dirname "$0")/api.bash"

api_lab 3600 A 172.16.91.201
ip -n A -6 addr add fd00:172::201/64 dev eth0 nodad
ip -n apiserver -6 addr add fd00:172::99/64 dev eth0 nodad
for last in 97 98 99; do ip -n apiserver addr add 172.16.91.$last/24 dev eth0; done
on apiserver nft -f - <<'END'
table inet dead {
  set silent { type ipv4_addr; elements = { 172.16.91.99 }; }
  chain in {
    type filter hook prerouting priority -300
    ip daddr @silent drop
    ip6 daddr fd00:172::99 drop
  }
  chain new {
    type nat hook prerouting priority -100
    ip daddr 172.16.91.97 dnat to 172.16.91.100
  }
}
END
# known_as ADDRESS...: what api.test means.
: >"$work/hosts"
mount --bind "$work/hosts" /etc/hosts
known_as() { printf '%s api.test\n' "$@" >"$work/hosts"; }
sed -i 's/172.16.91.100/api.test/; s/certificate-authority: .*/insecure-skip-tls-verify: true/' "$api/kubeconfig"
put A 172.16.91.201 10.10.0.0/24
condition() { tell condition A; [ "$told" = "$1" ]; }

# Silent, refusing, without a route, silent over IPv6: the attempt itself goes on to the next address; the request that sets
# the condition has a connection of its own.
number=0
for first in 172.16.91.99 172.16.91.98 192.0.2.1 fd00:172::99 2001:db8::1; do
  number=$((number + 1))
  tell put A '{"status":{"conditions":[]}}'
  put B "172.16.91.2$number" 10.10.1.0/24
  known_as $first 172.16.91.100
  start_node A
  eventually 20 eval '[ "$(route_line A 10.10.1.0/24)" = "10.10.1.0/24 via 172.16.91.2$number dev eth0 proto 169" ]'
  eventually 20 condition "False OnlinkIsUp"
  ! grep -i "timeout\|timed out\|connect" "$work/A/log" || fail "$first: a whole attempt failed"
  stop_node A
done

# The address dies with the watch open. That is said, with the name; and when the name has another address, it is found.
known_as 172.16.91.100
start_node A
eventually 10 eval '[ "$("$python" "$fake" tell "$api" stats | jq .open)" = 1 ]'
on apiserver nft add element inet dead silent '{ 172.16.91.100 }'
problem() { jq -e '.sourceProblem | contains("no word from the API since") and contains("api.test")' "$work/A/run/service.json"; }
eventually 60 problem
put B 172.16.91.202 10.10.1.0/24
known_as 172.16.91.99 172.16.91.97
eventually 90 eval '[ "$(route_line A 10.10.1.0/24)" = "10.10.1.0/24 via 172.16.91.202 dev eth0 proto 169" ]'
eventually 10 eval '[ "$(jq -r .sourceProblem "$work/A/run/service.json")" = "" ]'
stop_node A

# Without the service: what waits only ten seconds.
node A plan; ok "plan: $errors"
case $errors in *"last good list"*) fail "plan had no list: $errors" ;; esac
node A clean; ok "clean: $errors"
tell condition A; same "the condition" "$told" none
done_testing
