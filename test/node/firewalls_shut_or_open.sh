#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# A chain of others is told if, and only if, the pods' packets do not come through: measured by a ping, whatever words the
# rules use.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"

seed_hosts; seed_pods; seed_cluster; applied A; applied B
works() { on netns01 ping -qc1 -W1 10.10.1.2 >/dev/null 2>&1; }
try() { # RULES [MORE OF THE TABLE] [BEFORE THE RULES]
  on A nft -f - <<<"table inet f { ${2:-} chain w { type filter hook forward priority 0; ${3:-} $1; }; }"
  local way=open told=no; works || way=shut
  node A status
  case $out in *"chain w of table inet f"*) told=yes ;; esac
  case "$way $told" in "open no" | "shut yes") checks=$((checks + 1)) ;; *) fail "$1 ${2:-} ${3:-}: $way, told: $told, status $status: $out" ;; esac
  on A nft delete table inet f
}
# What is for the pods' packets and drops them.
try 'iifname "onl*" jump x' 'chain x { drop; };'
try 'iifname "onl*" goto x' 'chain x { drop; };'
try 'iifname vmap { "onl*" : drop }'
try 'iifname vmap { "onl*" : jump x }' 'chain x { drop; };'
try 'ip saddr vmap { 10.10.0.0/16 : drop }'
try 'ip saddr vmap { 192.0.2.0/24 : accept, * : drop }'
try 'ip daddr 10.10.1.0/24 drop'
try 'iifname "onl*" oifname "eth0" drop'
try 'meta nfproto ipv4 drop'
try 'meta protocol ip drop'
try 'ip saddr 10.10.0.0-10.10.0.255 drop'
try 'ip saddr & 255.255.0.0 == 10.10.0.0 drop'
try 'ct state new drop'
try 'iifname "onl*" counter name c drop' 'counter c {};'
try 'iifname "lo" return; iifname "onl*" drop'
# Nothing in these keeps the policy from them.
for rule in counter log 'tcp dport 80 accept' 'ip daddr 192.0.2.1 accept' 'meta l4proto gre accept' 'meta mark 5 accept'; do
  try "iifname \"onl*\" $rule" '' 'policy drop;'
done
try 'ct state established,related accept; ct status dnat accept; iif "lo" accept' '' 'policy drop;'
# What lets them through, or may.
for rules in 'oifname "eth0" accept; iifname "eth0" accept' 'oif "eth0" accept; iif "eth0" accept' 'ct state { new, established } accept' \
  'ct state vmap { new : accept, established : accept }' 'meta l4proto { tcp, udp, icmp } accept' \
  'ip saddr >= 10.10.0.0 ip saddr <= 10.10.255.255 accept' 'ip saddr . ip daddr { 10.10.0.0/24 . 10.10.1.0/24, 10.10.1.0/24 . 10.10.0.0/24 } accept' \
  'ip saddr & 255.255.0.0 == 10.10.0.0 accept' 'ip ttl > 1 accept' 'iifname != "wan0" accept' 'iifname vmap { "lo" : drop, * : accept }'; do
  try "$rules" '' 'policy drop;'
done
try '' 'flags dormant;' 'policy drop;'
try 'iifname "onl*" tcp dport 1-1023 drop'
try 'ip saddr . ip daddr vmap { 10.10.0.2 . 192.0.2.1 : drop }'
try 'iifname "onl*" iifname vmap { "lo" : drop }'
# On the rest of their way through the host; the command that is printed lets them through.
at() { # FAMILY TYPE-AND-HOOK RULES
  on A nft -f - <<<"table $1 f { chain w { type $2; $3; }; }"
  local way=open told=no mending; works || way=shut
  node A status
  case $out in *"chain w of table $1 f "*) told=yes ;; esac
  case "$way $told" in "open no" | "shut yes") checks=$((checks + 1)) ;; *) fail "$*: $way, told: $told, status $status: $out" ;; esac
  if [ $told = yes ]; then
    mending=$(sed -n 's/.*lets them through: //p' <<<"$out" | tail -1)
    on A sh -c "$mending" || fail "the command does not run: $mending"
    node A status
    case $out in *"chain w of table $1 f "*) fail "still told: $mending: $out" ;; esac
    works || fail "$*: not open after $mending"
  fi
  on A nft delete table "$1" f
}
for before in 'ip filter hook prerouting priority raw' 'inet filter hook prerouting priority mangle' \
  'netdev filter hook ingress device "eth0" priority 0' 'inet filter hook ingress devices = { "lo", "eth0" } priority 0'; do
  at "${before%% *}" "${before#* }" 'ip saddr 10.10.1.0/24 drop'
  at "${before%% *}" "${before#* }" 'policy drop; meta protocol arp accept'
  at "${before%% *}" "${before#* }" 'ip saddr 192.0.2.0/24 drop'
done
at ip 'filter hook prerouting priority raw' 'iifname "onl*" drop'
at netdev 'filter hook ingress device "lo" priority 0' 'drop'
at netdev 'filter hook ingress device "eth0" priority 0' 'ip saddr 10.10.0.0/24 drop'
for after in 'ip filter hook postrouting priority mangle' 'inet filter hook postrouting priority 0' \
  'netdev filter hook egress device "eth0" priority 0'; do
  at "${after%% *}" "${after#* }" 'ip daddr 10.10.0.0/15 drop'
  at "${after%% *}" "${after#* }" 'ip daddr 192.0.2.0/24 drop'
done
# Where a packet has no such property yet, or no more.
at inet 'filter hook ingress device "eth0" priority 0' 'ct state new ip saddr 10.10.1.0/24 drop'
at netdev 'filter hook egress device "eth0" priority 0' 'iifname "onl*" drop'
at ip 'filter hook prerouting priority raw' 'iifname "onl*" oifname "eth0" drop'
at ip 'nat hook postrouting priority srcnat' 'ct state new ip daddr 10.10.0.0/15 drop' # for the kernel only tracks connections if asked
# One of several peers.
seed_cluster '.nodes += [{"name":"C","nodeIP":"172.16.91.203","podCIDRs":["10.10.2.0/24"]}]'
applied A
try 'ip daddr 10.10.1.0/24 drop'
try 'ip daddr { 10.10.2.0/24, 10.10.1.0/24 } drop'
try 'ip daddr 10.10.2.0/24 accept; ip saddr 10.10.2.0/24 accept' '' 'policy drop;'
try 'ip daddr { 10.10.2.0/24, 10.10.1.0/24 } accept; ip saddr { 10.10.1.0/24, 10.10.2.0/24 } accept' '' 'policy drop;'
try 'ip daddr 10.10.1.0/24 accept; ip saddr 10.10.1.0/24 accept; ip daddr 10.10.2.0/24 accept; ip saddr 10.10.2.0/24 accept; drop'

# The tunnel's packets.
if vxlan_here; then
  seed_cluster 'del(.ipipMode) | .vxlanMode = "Always"'
  applied A; applied B
  tunnel() { # WAY WORDS RULES [BEFORE THE RULES] [HOOK]
    on A nft -f - <<<"table inet f { chain w { type filter hook ${5:-input} priority 0; ${4:-} $3; }; }"
    local way=open; works || way=shut
    same "$3: the way" "$way" "$1"
    node A status
    case "$2|$out" in no\|*"chain w "*) fail "$3: $out" ;; no\|* | *"|"*"chain w of table inet f $2"*) checks=$((checks + 1)) ;; *) fail "$3 is not told: $out" ;; esac
    on A nft delete table inet f
  }
  for rule in 'iifname eth0 accept' 'iif eth0 accept' 'udp dport 4000-5000 accept' 'meta l4proto . th dport { udp . 4789 } accept' \
    'ip saddr 172.16.91.202 accept' 'udp dport { 4789, 8472 } ip saddr 172.16.91.0/24 accept'; do
    tunnel open no "$rule" 'policy drop;'
  done
  tunnel shut "drops what it does not know, VXLAN" 'ct state established accept; iif lo accept; tcp dport 22 accept; udp dport 53 accept' 'policy drop;'
  tunnel shut "has a rule that drops VXLAN packets of other" 'ip saddr 172.16.91.202 drop'
  tunnel shut "has a rule that drops VXLAN packets of other" 'ip saddr 172.16.91.202 ip daddr 172.16.91.201 drop'
  tunnel shut "has a rule that drops VXLAN packets to other" 'ip daddr 172.16.91.202 drop' '' output
  tunnel open no 'ip saddr 172.16.91.203 drop'
  tunnel shut "has a rule that drops VXLAN packets to other" 'ip daddr 172.16.91.202 drop' '' postrouting
  tunnel shut "has a rule that drops VXLAN packets of other" 'udp dport 4789 drop' '' 'ingress device "eth0"'
fi
done_testing
