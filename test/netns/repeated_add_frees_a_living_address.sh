#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ADD of an attachment that lives is refused, and the attachment is as before: its address was given back by the refused call
# (host-local's DEL, or an undo that took all that the container had), and its pair was deleted for another namespace.
. "$(dirname "$0")/lib.bash"

# What a refused ADD must not change; without what the kernel does to new links in its own time.
both_ends() {
  local in
  for in in "" "-n p1" "-n p2"; do
    # shellcheck disable=SC2086
    { ip $in -j link; ip $in -j -4 addr; ip $in -j neigh show nud permanent; } |
      jq -c '.[] | {ifname, ifalias, address, dst, addr_info: [.addr_info[]?.local]}'
    # shellcheck disable=SC2086
    ip $in -4 route show table all
  done
}

# again WHAT: with $conf and $netns, p1 is to be attached once more; $held is its address.
again() {
  local before; before=$(both_ends)
  cni ADD p1
  rejected "$1"
  same "$1: what is in the kernel" "$(both_ends)" "$before"
  same "$1: the reservation" "$(owner "$held")" p1
  living "$1" /run/netns/p1 "$held"
}

host_local='.cniVersion = "1.0.0" | .ipam.type = "host-local"'
pod_and_other() {
  empty_host; netns=; unset netns
  conf "$@"
  pod p1; pod p2
  cni ADD p1; ok "ADD"
  held=$(address)
}

pod_and_other "$host_local"
again "host-local"
netns=/run/netns/p2 again "host-local, another namespace"
unset netns; cni DEL p1; ok "DEL"
same "host-local has it back" "$(files)" ""

for other in '.ipam.subnet = "10.20.0.0/24"' '.ipam.subnet = "10.10.0.0/29"' '.hostInterfacePrefix = "abc"' '.mtu = 1400'; do
  pod_and_other '.ipam.subnet = "10.10.0.0/30"'
  conf "$other"
  again "$other"
  netns=/run/netns/p2 again "$other, another namespace"
  cni ADD p2; ok "$other: a pod that is not attached yet"
  living "$other: the other" /run/netns/p2 "$(address)"
  living "$other: the first" /run/netns/p1 "$held"
  cni DEL p1; ok "$other: DEL"
  same "$other: the address is free" "$(owner "$held")" ""
done
done_testing
