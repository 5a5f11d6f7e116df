#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Chains of others that drop what pods send: found by where they end, not by their policy alone, and by a rule that is about
# pods and nothing else; and not where they let pods through, or never see their packets.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts
seed_cluster
applied A
told() { node A apply; case $errors in *"chain $1 "*"packets of pods among them"*) checks=$((checks + 1)) ;; *) fail "$1 is not told: $errors" ;; esac; }
silent() { node A apply; same "$1" "$errors" ""; }
rules() { on A nft -f -; }

rules <<'N'
table inet firewalld {
  chain filter_FORWARD {
    type filter hook forward priority filter + 10; policy accept;
    ct state { established, related } accept
    iifname "lo" accept
    reject with icmpx type admin-prohibited
  }
}
N
told filter_FORWARD
on A nft delete table inet firewalld
# It ends in a chain that it jumps to; behind an unconditional accept nothing is dropped.
rules <<'N'
table inet others {
  chain last { counter drop; }
  chain forward { type filter hook forward priority 0; ct state established accept; jump last; }
}
N
told forward
on A nft insert rule inet others forward accept
silent "accepted before"
on A nft delete table inet others
# What goes to another chain does not come back to the rule behind: it is not dropped there, nor let through.
rules <<'N'
table inet others {
  chain zone { iifname "lo" accept; }
  chain forward { type filter hook forward priority 0; goto zone; drop; }
}
N
silent "goto"
on A nft 'flush chain inet others zone; add rule inet others zone drop'
told forward
on A nft 'add chain inet others forward { policy drop; }; flush chain inet others zone'
told forward
on A nft 'add rule inet others forward iifname "onl*" accept'
told forward # behind the goto
on A nft insert rule inet others forward iifname '"onl*"' accept
told forward # what comes back
on A nft insert rule inet others forward oifname '"onl*"' accept
silent "pods are let through before the goto"
on A nft delete table inet others
# A goto with a condition takes only what fits it; what returns at once leaves its chain; a chain that drops may be led to
# twice, and pods may be named in a chain that a map leads to.
rules <<'N'
table inet others {
  chain last { drop; }
  chain between { ct state invalid goto last; return; accept; }
  chain forward { type filter hook forward priority 0; iifname "lo" goto last; jump between; jump last; accept; }
}
N
told forward
on A nft 'insert rule inet others between accept'
silent "accepted in between"
on A nft delete table inet others
rules <<'N'
table inet others {
  chain pods { iifname "onl*" accept; oifname "onl*" accept; }
  chain forward { type filter hook forward priority 0; policy drop; ct state vmap { established : accept, new : jump pods }; }
}
N
silent "pods are let through by a map"
on A nft flush chain inet others pods
told forward
on A nft delete table inet others
# By policy, with a way for pods in a chain that it leads to, by name or in a set.
rules <<'N'
table ip filter {
  chain DOCKER-USER { iifname "onl*" accept; oifname "onl*" accept; }
  chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; }
}
N
silent "pods are let through elsewhere"
on A nft flush chain ip filter DOCKER-USER
told FORWARD
on A nft delete table ip filter

# A rule about pods' packets and nothing else: nothing of them passes, and all was called "ok".
dropped() { # RULES [HOOK] [OTHER RULES BEFORE]
  rules <<<"table inet f { chain wall { type filter hook ${2:-forward} priority 0; ${3:-} $1; }; ${4:+$4;} }"
  node A apply
}
by_name() { case $errors in *"chain wall of table inet f has a rule that drops $1; this lets them through: nft "*) checks=$((checks + 1)) ;; *) fail "$2: $errors" ;; esac; }
for rule in 'iifname "onl*" drop' 'oifname { "onl*", "lo" } counter reject' 'ip saddr 10.10.0.0/16 drop' 'ip daddr { 10.8.0.0/14 } drop' \
  'meta nfproto ipv4 iifname "onl*" log drop'; do
  dropped "$rule"; by_name "packets of pods" "$rule"
  command=${errors##*let* through: nft \'}
  on A nft "${command%%\'*}"
  silent "$rule, mended"
  on A nft delete table inet f
done
# Not all of them, others', or after a rule that lets them through.
for rule in 'iifname "onl*" tcp dport 25 drop' 'ip saddr 10.10.0.2 drop' 'ip saddr 10.10.0.0/20 tcp dport 25 drop' 'iifname "docker0" drop' \
  'ct state established accept; iifname != "onl*" drop' 'ct state new iifname != "onl*" drop' 'ct status dnat accept; iifname != "onl*" drop' \
  'meta mark 7 accept; oifname != "eth0" drop' 'ct state vmap { established : accept }; oifname != "eth0" drop' 'iifname != { "onl*", "eth0" } drop' \
  'ct direction original iifname != "onl*" drop' 'ip saddr != 10.0.0.0/8 drop' 'iifname "onl*" oifname != "eth0" drop' 'iifname "onl*" accept; iifname "onl*" drop' \
  'iifname "wan0" jump wan' 'ip saddr 10.9.0.0/16 drop' 'ip6 daddr fd00::/8 drop'; do
  dropped "$rule" forward "" 'chain wan { ip saddr 10.10.0.0/16 drop; }'
  same "$rule" "$errors" ""
  on A nft delete table inet f
done
# One direction, in words that name no pod: without answers no connection works. Unless they pass: then it may be meant.
for rule in 'iifname != "onl*" drop' 'oifname != "eth0" drop' 'ct state new accept; iifname != "onl*" reject' 'ip saddr != 10.10.0.0/24 drop' \
  'ct state invalid drop; meta mark 0 iifname != "onl*" counter drop; iifname != "onl*" drop'; do
  dropped "$rule"
  case $errors in *"chain wall of table inet f drops what it does not know, packets of pods among them; this lets them through: nft "*) checks=$((checks + 1)) ;; *) fail "$rule: $errors" ;; esac
  command=${errors##*let* through: nft \'}
  on A nft "${command%%\'*}"
  silent "$rule, mended"
  on A nft delete table inet f
done
if command -v iptables-nft >/dev/null; then
  on A iptables-nft -A FORWARD -m comment --comment pods -i onl+ -j DROP
  node A apply
  case $errors in *"chain FORWARD of table ip filter has a rule that drops packets of pods; "*"iptables -I FORWARD -i onl+ -j ACCEPT"*) checks=$((checks + 1)) ;; *) fail "iptables: $errors" ;; esac
  on A nft delete table ip filter
fi

# Of a family without pods, of a bridge, or with rules that let pods through without their interfaces.
while read -r table; do
  rules <<<"table $table"
  silent "$table"
  on A nft flush ruleset
done <<'N'
ip6 filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }
bridge filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }
ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; ip saddr 10.10.0.0/16 accept; ip daddr 10.10.0.0/16 accept; }; }
inet f { chain fw { type filter hook forward priority 0; policy drop; ip saddr 10.10.0.0/20 accept; ip daddr 10.10.0.0/20 accept; }; }
inet f { set pods { type ipv4_addr; flags interval; elements = { 10.10.0.0/16, 10.99.0.1 }; }; chain fw { type filter hook forward priority 0; policy drop; ip saddr @pods accept; ip daddr @pods accept; }; }
inet f { chain fw { type filter hook forward priority 0; policy drop; iifname != "wan0" accept; }; }
N
# A rule that drops some of these addresses, and one about a pod, let nobody through.
rules <<'N'
table inet others {
  set hosts { type ipv4_addr; elements = { 10.9.0.1, 10.11.0.1 }; }
  chain forward {
    type filter hook forward priority 0; policy drop;
    iifname "wan0" ip saddr { 10.0.0.0/8, 192.168.0.0/16 } drop
    ip daddr 10.10.0.2 accept
    ip daddr @hosts accept
  }
}
N
told forward
on A nft delete table inet others

# The tunnel's packets, where they arrive and where they leave.
if vxlan_here; then
  seed_cluster 'del(.ipipMode) | .vxlanMode = "Always" | .masquerade = true | .filter = true'
  applied A
  for rule in 'udp dport 4789 drop' 'udp dport { 4789, 8472 } drop' 'meta nfproto ipv4 udp dport 4789 counter reject'; do
    for hook in input prerouting output; do
      dropped "$rule" $hook
      case $hook in output) by_name "VXLAN packets to other nodes" "$hook: $rule" ;; *) by_name "VXLAN packets of other nodes" "$hook: $rule" ;; esac
      on A nft insert rule inet f wall udp dport 4789 accept
      silent "$rule, mended"
      on A nft delete table inet f
    done
  done
  for rule in 'udp sport 4789 drop' 'tcp dport 4789 drop' 'meta nfproto ipv6 udp dport 4789 drop' 'iifname "wan0" udp dport 4789 drop' \
    'ip saddr 172.16.91.0/24 accept; udp dport 4789 drop' 'iifname != "wan0" return; udp dport 4789 drop'; do
    dropped "$rule" input
    same "$rule" "$errors" ""
    on A nft delete table inet f
  done
fi
done_testing
