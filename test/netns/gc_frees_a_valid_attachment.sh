#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# GC thought to know better than the runtime which attachments are valid, and ended at the first file that it could not remove.
. "$(dirname "$0")/lib.bash"
folder=/var/lib/cni/networks/net1
valid() { printf '.["cni.dev/valid-attachments"] = [%s]' "$(printf '{"containerID":"%s","ifname":"eth0"},' "$@" | sed 's/,$//')"; }

# The runtime's list wins: over a name that is gone, a namespace that is dead, records that are lost.
for name in a b c d e; do pod $name; cni ADD $name; ok "ADD $name"; done
exec 8</run/netns/b
ip netns del b
ip netns del c
conf "$(valid a b c)"
cni GC -; ok "GC"
same "the valid ones have theirs" "$(owner 10.10.0.2) $(owner 10.10.0.3) $(owner 10.10.0.4)" "a b c"
same "the others are gone" "$(files | wc -l)" 3
living "its name is gone" "/proc/$$/fd/8" 10.10.0.3
living "it is as it was" /run/netns/a 10.10.0.2
rm -rf /run/onlink
cni GC -; ok "GC without records"
same "the valid ones have theirs without records" "$(owner 10.10.0.2) $(owner 10.10.0.3) $(owner 10.10.0.4)" "a b c"
conf "$(valid b)"
cni GC -; ok "GC"
same "only the valid one stays" "$(files)" "./cni/networks/net1/10.10.0.3"
exec 8<&-

# One file that cannot be removed: it is named, all others are removed.
empty_host
for name in a b c d; do pod $name; cni ADD $name; ok "ADD $name"; done
real=$bin
printf '#!/bin/sh\nexec strace -qq -o /dev/null -P 10.10.0.3 -e inject=unlinkat:error=EIO "%s/onlink"\n' "$real" >$work/onlink
chmod +x $work/onlink
conf "$(valid d)"
bin=$work cni GC -
rejected "GC with a broken file"
holds "it names the file" '"\(.msg) \(.details)" | test("10.10.0.3")' "$out"
same "it removes the others" "$(files)" "./cni/networks/net1/10.10.0.3
./cni/networks/net1/10.10.0.5"
same "and their interfaces" "$(ip -j link show type veth | jq -r '.[].ifalias')" "onlink net1 d eth0"
cni GC -; ok "GC once it can be removed"
same "now all are gone" "$(files)" "./cni/networks/net1/10.10.0.5"

# An attachment that is made while GC reads its list is not on it, and lost its interface, its route and its address.
empty_host
pod a; pod b; cni ADD a; ok "ADD a"
conf "$(valid a)"; list=$conf; conf
mkfifo $work/list
CNI_COMMAND=GC CNI_PATH=$bin "$bin/onlink" <$work/list >$work/out & gc=$!
exec 7>$work/list
for _ in $(seq 500); do [ "$(cat /proc/$gc/comm)" = onlink ] && grep -q '^State:.S' /proc/$gc/status && break; sleep 0.01; done
cni ADD b; ok "ADD b"
cat >&7 <<<"$list"; exec 7>&-
checks=$((checks + 1)); wait $gc || fail "GC beside an ADD: $(cat $work/out)"
living "attached while GC read its list" /run/netns/b 10.10.0.3
same "whose its address is" "$(owner 10.10.0.3)" b
conf "$(valid a)"; cni GC -; ok "the next GC"
same "which knows it" "$(files)" "./cni/networks/net1/10.10.0.2"

# Nor is one whose ADD is running: its address went to the next pod. The request that takes its time is about the other end, makes
# the pair, or is one of those after it.
for request in 4 5 6 7 9; do
  empty_host
  pod a; pod b; cni ADD a; ok "ADD a"
  ( CNI_COMMAND=ADD CNI_CONTAINERID=b CNI_NETNS=/run/netns/b CNI_IFNAME=eth0 CNI_PATH=$bin strace -qq -o /dev/null \
      -e inject=sendto:delay_enter=500000:when=$request "$bin/onlink" <<<"$conf" >$work/out 2>&1; echo $? >$work/status ) &
  for _ in $(seq 500); do [ ! -e $folder/10.10.0.3 ] || break; sleep 0.01; done
  conf "$(valid a)"; cni GC -; ok "GC during request $request of an ADD"
  wait
  same "the ADD, request $request: $(cat $work/out)" "$(cat $work/status)" 0
  same "whose its address is, request $request" "$(owner 10.10.0.3)" b
  living "attached while GC ran, request $request" /run/netns/b 10.10.0.3
  cni GC -; ok "the next GC"
  same "which knows it, request $request" "$(files)" "./cni/networks/net1/10.10.0.2"
done

# Nor with another IPAM plugin, which knows of no running ADD: it ended well, and the pod had no interface.
mkdir $work/plugins
printf '#!/bin/sh\n[ "$CNI_COMMAND" = GC ] || sed s/1.1.0/1.0.0/ | %s/host-local\n' $reference >$work/plugins/host-local
chmod +x $work/plugins/host-local
cni_path=$work/plugins
for request in 5 6 7 9; do
  empty_host; rm -rf "$folder"; conf '.ipam.type = "host-local"'
  pod b
  ( CNI_COMMAND=ADD CNI_CONTAINERID=b CNI_NETNS=/run/netns/b CNI_IFNAME=eth0 CNI_PATH=$cni_path strace -qq -o /dev/null \
      -e inject=sendto:delay_enter=500000:when=$request "$bin/onlink" <<<"$conf" >$work/out 2>&1; echo $? >$work/status ) &
  for _ in $(seq 500); do [ ! -e $folder/10.10.0.2 ] || break; sleep 0.01; done
  sleep 0.1  # it is in the request that takes its time, or before it
  conf '.ipam.type = "host-local"' "$(valid a)"; cni GC -; ok "GC during request $request of an ADD with host-local"
  wait
  same "the ADD with host-local, request $request: $(cat $work/out)" "$(cat $work/status)" 0
  living "attached with host-local while GC ran, request $request" /run/netns/b 10.10.0.2
  conf '.ipam.type = "host-local"' "$(valid a)"; cni GC -; ok "the next GC"
  same "which finds it stale, request $request" "$(ip -j link show type veth)" "[]"
done
cni_path= ; conf

# A folder where one of our temporary files would be: nobody is kept from their address.
empty_host
pod a; cni ADD a; ok "ADD"; cni DEL a; ok "DEL"
for name in .onlink-draft .onlink-index .onlink-index-draft; do rm -rf "${folder:?}/$name"; mkdir -p "$folder/$name/in/it"; done
cni ADD a; ok "ADD beside foreign folders"
living "beside foreign folders" /run/netns/a "$(address)"
done_testing
