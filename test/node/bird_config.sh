#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# `bird-config`: BIRD takes what it renders in every form; two of them tell each other their pod subnets and nothing
# else; what lies in our own range, or was never somebody's, is not believed; main and other tables stay as they are.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
# shellcheck source=bgp.bash
source "$(dirname "$0")/bgp.bash"

dual='.nodes[0] += {"nodeIPv6":"fd00::1"} | .nodes[1] += {"nodeIPv6":"fd00::2"} |
  .nodes[0].podCIDRs += ["fd00:10::/64"] | .nodes[1].podCIDRs += ["fd00:10:1::/64"]'
bgp='.bgp = {"asNumber":64512,"password":"a secret"}'
third='.nodes += [{"name":"C","nodeIP":"172.16.91.203","podCIDRs":["10.10.2.0/24"]}]'
rendered() { checks=$((checks + 1)); grep -qF -- "$2" "$work/$1/bird.conf" || fail "\"$2\" is not in $1's file"; }
not_rendered() { checks=$((checks + 1)); ! grep -qF -- "$2" "$work/$1/bird.conf" || fail "\"$2\" is in $1's file"; }

# Forms.
seed_hosts
host C && plug C eth0 lan 172.16.91.203/24
seed_cluster "$third" "$bgp" '.bgp.routeReflectors = ["A"] | .bgp.clusterId = "192.0.2.9" | .bgp.gracefulRestartSeconds = 0'
configure_bird A; configure_bird B
rendered A 'rr client;'; rendered A 'rr cluster id 192.0.2.9;'; rendered A 'neighbor 172.16.91.203'
not_rendered B 'rr client;'; not_rendered B 'neighbor 172.16.91.203'; rendered B 'graceful restart off;'
rendered B 'net ~ [ 10.10.0.0/24+, 10.10.2.0/24+ ]'
seed_cluster "$third" "$bgp" '.nodes[0].podCIDRs = [] | .nodes[0].tunnelAddress = null | .bgp.routeReflectors = ["A","B"]'
configure_bird A
not_rendered A onlink_own4; not_rendered A 'blackhole'
seed_cluster '.nodes |= map(.nodeIPv6 = "fd00::\(.nodeIP[10:])" | del(.nodeIP) | .podCIDRs = ["fd00:\(.nodeIPv6[6:])::/64"])' "$bgp"
configure_bird B
rendered B 'router id 0.0.2.2;'; not_rendered B ipv4
seed_cluster "$bgp" ".bgp |= (del(.password) | .passwordFile = \"$work/secret\")"
node A bird-config
[ "$status" = 1 ] || fail "without its password file: $out"
printf 'from a file\n' >"$work/secret"
configure_bird A
rendered A 'password "from a file";'
printf 'a "quote"\n' >"$work/secret"
node A bird-config
case $status$errors in 1*"has a quote"*) ;; *) fail "a password that BIRD cannot read: $errors" ;; esac
seed_cluster
node A bird-config
case $status$errors in 1*"bgp: is missing"*) ;; *) fail "without bgp: $errors" ;; esac

# The example in conf/bird is what is printed for it.
cluster_of[A]=$root/conf/bird/cluster.json
configure_bird A
same "conf/bird/routes.conf" "$out" "$(grep -v SPDX "$root/conf/bird/routes.conf")"
unset 'cluster_of[A]'

# Two nodes, both families, a password. What others have in main and in other tables is not touched.
ip -n A link add other type bridge && ip -n A link set other up
ip -n A route add 10.77.0.0/16 dev other proto bird
ip -n A route add 10.78.0.0/16 dev other proto bird table 170
ip -n A route add 10.79.0.0/16 dev other proto static table 169
plug A eth1 lan fd00::1/64
plug B eth1 lan fd00::2/64
others() { ip -n A route show; ip -n A route show table 170; ip -n A -6 route show | grep -v fe80; }
before=$(others)
seed_cluster "$bgp" "$dual"
configure_bird A; configure_bird B
start_bird A; start_bird B
eventually 15 eval '[ -n "$(learned A -6)" ] && [ -n "$(learned B -6)" ] && learned A | grep -q 10.10.1.0/24 && [ -n "$(learned B)" ]'
same "A's table" "$(learned A)" "10.10.1.0/24 via 172.16.91.202 dev lo proto bird metric 32 onlink
10.79.0.0/16 dev other proto static scope link"
same "A's table, IPv6" "$(learned A -6)" "fd00:10:1::/64 via fd00::2 dev eth1 proto bird metric 32 pref medium"
same "B's table" "$(learned B)" "10.10.0.0/24 via 172.16.91.201 dev lo proto bird metric 32 onlink"

# C says the password and announces what is not its own.
seed_cluster "$third" "$bgp"
configure_bird C 's#^  route 10.10.2.0/24 blackhole;#&\n  route 10.10.0.128/25 blackhole;\n  route 10.10.0.0/16 blackhole;\n  route 10.10.1.7/32 blackhole;\n  route 0.0.0.0/0 blackhole;\n  route 198.51.100.0/24 blackhole;#'
seed_cluster "$third" "$bgp" "$dual"
configure_bird A
ask_bird A configure >/dev/null
start_bird C
eventually 15 eval 'learned A | grep -q 10.10.2.0/24'
eventually 15 eval 'ask_bird A show protocols all onlink4_172_16_91_203 | grep -Eq "Import updates: +6 +0 +5 "'
same "what A believes" "$(learned A)" "10.10.1.0/24 via 172.16.91.202 dev lo proto bird metric 32 onlink
10.10.2.0/24 via 172.16.91.203 dev lo proto bird metric 32 onlink
10.79.0.0/16 dev other proto static scope link"
same "the other tables" "$(others)" "$before"
# Ended as a service is: the routes stay where they are.
end_bird A TERM
learned A | grep -q 10.10.1.0/24 || fail "the end of BIRD emptied the table"
done_testing
