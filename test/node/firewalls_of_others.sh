#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# Chains of others that drop what pods send: found by where they end, not by their policy alone, and not where they let
# pods through.
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
done_testing
