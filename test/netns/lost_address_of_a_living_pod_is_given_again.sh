#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A living pod that had lost its reservation and the host's route had its address given to another, where any other call came before
# the next ADD, or where it had the route of its other family left.
. "$(dirname "$0")/lib.bash"
lost=/var/lib/cni/networks/net1/10.10.0.2
small='.ipam.subnet = "10.10.0.0/29" | .ipam.cooldown = 0'
others() { for each in x1 x2 x3; do pod $each; cni ADD $each; ok "ADD $each after $1"; done; pod x4; cni ADD x4; refused 102 "no IP addresses"; }

for verb in none STATUS CHECK DEL GC failed; do
  empty_host
  conf "$small"
  pod p1; cni ADD p1; ok "ADD p1"
  end=$(jq -r '.interfaces[0].name' <<<"$out")
  pod p2; cni ADD p2; ok "ADD p2"; result=$out
  ip route del 10.10.0.2 dev "$end"
  rm $lost
  case $verb in
    STATUS) cni STATUS -; ok STATUS ;;
    CHECK) with_prev "$result"; cni CHECK p2; ok CHECK ;;
    DEL) cni DEL p2; ok DEL; pod x0; others=x0 ;;
    GC) conf "$small" '.["cni.dev/valid-attachments"] = [{"containerID":"p1","ifname":"eth0"},{"containerID":"p2","ifname":"eth0"}]'; cni GC -; ok GC ;;
    failed)  # an ADD that could not write it again
      pod q
      printf '#!/bin/sh\nexec strace -qq -o /dev/null -P 10.10.0.2 -e inject=openat:error=EIO "%s/onlink"\n' "$bin" >$work/onlink
      chmod +x $work/onlink
      bin=$work cni ADD q; rejected "ADD with a broken disk" ;;
  esac
  conf "$small"
  [ "$verb" != DEL ] || { cni ADD x0; ok "ADD x0"; }
  others "$verb"
  same "whose it is, after $verb" "$(owner 10.10.0.2)" p1
done

for family in 4 6; do
  empty_host
  conf '.ipam |= (del(.subnet) | .cooldown = 0 | .ranges = [[{"subnet":"10.10.0.0/29"}],[{"subnet":"fd00:10::/125"}]])'
  pod p1; cni ADD p1; ok "ADD with both families"
  ip "-$family" route flush proto 169
  address=$([ $family = 4 ] && echo 10.10.0.2 || echo fd00:10::2)
  rm "/var/lib/cni/networks/net1/$address"
  for each in x1 x2 x3 x4 x5; do pod $each; cni ADD $each; done
  same "whose $address is" "$(owner $address)" p1
done

# One of two addresses of a family has its route left.
empty_host
conf '.ipam |= (del(.subnet) | .cooldown = 0 | .ranges = [[{"subnet":"10.10.0.0/29"}],[{"subnet":"10.20.0.0/29"}]])'
pod p1; cni ADD p1; ok "ADD with two addresses"
ip route del 10.20.0.2
ip -n p1 addr add 10.20.0.5/32 dev eth0
rm -r /var/lib/cni
for each in x1 x2 x3 x4; do pod $each; cni ADD $each; ok "ADD $each"; done
same "whose 10.20.0.2 is" "$(owner 10.20.0.2)" p1

# A backup is put in the place of the folder: CHECK refused the pod whose address it gives to another one, which is dead, and DEL left
# that. And what the restored files name was taken for alive when it had died, as after a loss of runDir.
for what in backup runDir; do
  empty_host
  conf "$small"
  for each in a b; do pod $each; cni ADD $each; ok "ADD $each"; done
  cp -a /var/lib/cni $work/backup
  cni DEL a; ok "DEL a"; ip netns del a
  for each in c d e f; do pod $each; cni ADD $each; ok "ADD $each"; done
  result=$out
  same "the address of one in the backup" "$(address)" 10.10.0.2
  if [ $what = backup ]; then rm -r /var/lib/cni; mv $work/backup /var/lib/cni; else rm -r $work/backup /run/onlink; fi
  pod x1; cni ADD x1; refused 102 "no IP addresses"
  same "whose they are, $what" "$(for i in 2 3 4 5 6; do owner 10.10.0.$i; done | xargs)" "f b c d e"
  with_prev "$result"; cni CHECK f; ok "CHECK, $what"
  conf "$small"
  ip netns del b; ip netns del c
  for each in x1 x2; do [ -e /run/netns/$each ] || pod $each; cni ADD $each; ok "ADD $each in a killed one's place, $what"; done
  cni DEL f; ok "DEL f, $what"
  same "its address is free, $what" "$(owner 10.10.0.2)" ""
done

# What a pod gives itself is no reason to reserve it, where the network has no such addresses.
empty_host
conf "$small"
pod p1; cni ADD p1; ok "ADD p1"
ip -n p1 addr add fd00:9::9/128 dev eth0
ip route flush proto 169
rm $lost
ip -n p1 addr add 10.99.0.9/32 dev eth0
pod x1; cni ADD x1; ok "ADD x1"
same "the reservations" "$(cd /var/lib/cni/networks/net1 && echo 1*)" "10.10.0.2 10.10.0.3"
done_testing
