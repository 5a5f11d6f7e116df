#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# DEL works with whatever is left: namespace there, gone, unknown, another pod's by now; prevResult there, absent,
# truncated; twice in a row. GC and STATUS.
. "$(dirname "$0")/lib.bash"
sysctl -qw net.ipv4.ip_forward=1

wait_until_gone() { for _ in $(seq 100); do [ -z "$(ip -o link show type veth)" ] && return; sleep 0.05; done; }
nothing_left() { # WHAT
  wait_until_gone
  same "interfaces after DEL: $1" "$(ip -o link show type veth)" ""
  same "leases after DEL: $1" "$(files)" ""
  same "routes after DEL: $1" "$(ip route show proto 169)" ""
}

for namespace in there gone empty reused; do
  for previous in there absent truncated foreign; do
    netns=/run/netns/p1; conf; pod p1; cni ADD p1; ok "ADD"
    case $previous in
      there) with_prev "$out" ;;
      truncated) conf=$(jq -c '.prevResult = {"cniVersion":"1.1.0","interfaces":[{"name":17}]}' <<<"$conf") ;;
      foreign) conf=$(jq -c '.prevResult = "nonsense"' <<<"$conf") ;;
    esac
    case $namespace in
      gone) ip netns del p1 ;;
      empty) netns= ;;
      reused) ip netns del p1; wait_until_gone; pod p1; ip -n p1 link add eth0 type veth peer name other ;;
    esac
    cni DEL p1; ok "DEL (namespace $namespace, prevResult $previous)"
    cni DEL p1; ok "DEL again (namespace $namespace, prevResult $previous)"
    if [ $namespace = reused ]; then
      holds "another pod's interface stays" 'length == 1' "$(ip -n p1 -j link show eth0)"
    fi
    [ $namespace = gone ] || ip netns del p1
    nothing_left "namespace $namespace, prevResult $previous"
  done
done
unset netns

# Made under another prefix: found from the container's end.
conf '.hostInterfacePrefix = "abc"'; pod p1; cni ADD p1; ok "ADD"
conf; cni DEL p1; ok "DEL after the prefix was changed"; nothing_left "changed prefix"

# A configuration that was broken since does not keep an attachment: what is usable is used.
conf; cni ADD p1; ok "ADD"
conf '.mtu = "broken" | .log.level = "broken" | .hostInterfacePrefix = "much too long"'; cni DEL p1; ok "DEL with a broken configuration"
nothing_left "broken configuration"
conf; cni ADD p1; ok "ADD"
conf '.ipam.subnet = "broken"'; cni DEL p1; ok "DEL with a broken range"; nothing_left "broken range"
conf; cni ADD p1; ok "ADD"
conf '.ipam.dataDir = 17'; cni DEL p1; refused 7 "ipam.dataDir"
wait_until_gone; same "the interface goes though the address cannot" "$(ip -o link show type veth)" ""
conf; cni DEL p1; ok "DEL"; nothing_left "mended configuration"

# A foreign interface that has our name by accident or malice is left alone.
conf; cni ADD p1; name=$(jq -r '.interfaces[0].name' <<<"$out"); cni DEL p1; ok "DEL"
ip link add "$name" type veth peer name peer0
ip link set "$name" alias "somebody else's"
cni DEL p1; ok "DEL beside a foreign interface"
holds "foreign interface stays" 'length == 1' "$(ip -j link show "$name")"
ip link del "$name"; ip netns del p1

# An ADD that was killed after it had made the pair: no alias yet.
conf; pod p1; cni ADD p1; ok "ADD"; ip link set "$(jq -r '.interfaces[0].name' <<<"$out")" alias ""
cni DEL p1; ok "DEL of a half-made attachment"; nothing_left "half-made attachment"

# GC: the valid stay, the others go, other networks are not looked at.
conf
for name in a b c; do pod $name; cni ADD $name; ok "ADD $name"; done
conf '.name = "net2" | .ipam.subnet = "10.20.0.0/24"'; pod d; cni ADD d; ok "ADD d"
conf '.["cni.dev/valid-attachments"] = [{"containerID":"b","ifname":"eth0"}]'
cni GC -; ok GC
same "aliases after GC" "$(ip -j link show type veth | jq -r '.[].ifalias' | sort | paste -sd,)" "onlink net1 b eth0,onlink net2 d eth0"
same "leases after GC" "$(files)" "./cni/networks/net1/$(ip route show proto 169 | awk '/10.10/ {print $1}')
./cni/networks/net2/10.20.0.2"
conf '.["cni.dev/valid-attachments"] = []'
cni GC -; ok "GC with an empty list"
same "GC with an empty list takes all" "$(ip -j link show type veth | jq -r '.[].ifalias')" "onlink net2 d eth0"
conf; cni GC -; refused 7 "cni.dev/valid-attachments"
conf '.cniVersion = "1.0.0" | .["cni.dev/valid-attachments"] = []'; cni GC -; [ "$status" != 0 ] || fail "GC for 1.0.0"

# An interface that cannot be removed keeps its address: DEL and GC gave it to the next pod while the host still had its route.
empty_host
real=$bin
for verb in DEL GC; do
  for request in 1 2 3 4 5; do
    conf '.["cni.dev/valid-attachments"] = []'
    pod a; pod b
    for name in a b; do cni ADD $name; ok "ADD $name"; done
    printf '#!/bin/sh\nexec strace -qq -o /dev/null -e inject=sendto:error=EPERM:when=%s+ "%s/onlink"\n' $request "$real" >$work/onlink
    chmod +x $work/onlink
    bin=$work cni $verb a 2>/dev/null
    same "$verb, request $request fails: whose addresses are there" "$(head -qn1 /var/lib/cni/networks/net1/10.* 2>/dev/null | tr -d '\r' | sort)" \
      "$(ip -j link show type veth | jq -r '.[].ifalias | select(startswith("onlink net1 ")) | split(" ")[2]' | sort)"
    for name in a b; do cni DEL $name; ok "DEL $name"; ip netns del $name; done
  done
done
# So does that of an ADD that fails and cannot remove it.
for type in onlink-ipam host-local; do
  for request in 6 8 11; do
    conf '.cniVersion = "1.0.0" | .ipam.type = "'$type'"'
    pod a
    printf '#!/bin/sh\nexec strace -qq -o /dev/null -e inject=sendto:error=EPERM:when=%s+ "%s/onlink"\n' $request "$real" >$work/onlink
    bin=$work cni ADD a 2>/dev/null; rejected "ADD, $type, request $request"
    same "ADD with $type, request $request fails: what it leaves" "$(ip -o link show type veth | wc -l) $(head -qn1 /var/lib/cni/networks/net1/10.* | tr -d '\r')" "1 a"
    cni DEL a; ok "DEL after that"
    same "and what DEL leaves" "$(ip -o link show type veth)$(files)" ""
    ip netns del a
  done
done

# STATUS.
conf; cni STATUS -; ok STATUS
conf '.ipam.subnet = "10.30.0.0/30"'; pod full; cni ADD full; ok "the only address"
cni STATUS - 2>"$work/said"; ok "STATUS of a full pool"
grep -q 'every address of range set 10.30.0.1-10.30.0.2 is taken' "$work/said" || fail "a full pool is not told: $(cat "$work/said")"
# It fails only where every ADD would: some networks only talk with their host, and a prefix is looked at for the first pod.
conf '.ipForward = false'; sysctl -qw net.ipv4.ip_forward=0; cni STATUS - 2>"$work/said"; ok "STATUS without forwarding"
grep -q 'net/ipv4/ip_forward is off' "$work/said" || fail "forwarding that is off is not told: $(cat "$work/said")"
sysctl -qw net.ipv4.ip_forward=1
ip link add onlan0 type veth peer name eth9 netns full
conf; cni STATUS - 2>"$work/said"; ok "STATUS beside an interface with the prefix, after the first pod"
grep -q 'begins the name of onlan0 too' "$work/said" || fail "the interface is not told: $(cat "$work/said")"
empty_host
nft flush ruleset
pod up; ip link add onlan0 type veth peer name eth0 netns up
cni STATUS -; refused 50 "begins the name of onlan0 too"
done_testing
