#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A FIFO where a file is expected hung a call for ever; as a record, GC held the network's lock meanwhile, and no ADD worked.
. "$(dirname "$0")/lib.bash"
# in_time COMMAND CONTAINER: as cni, ended after 15 s.
in_time() {
  status=0
  out=$(CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=eth0 CNI_PATH=$bin timeout -s KILL 15 "$bin/onlink" <<<"$conf" 2>/dev/null) || status=$?
}
pod p1; pod p2
cni ADD p1; ok "ADD"
record=$(find /run/onlink/ipam -name 10.10.0.2)
rm "$record"
mkfifo "$record"
conf '.["cni.dev/valid-attachments"] = [{"containerID":"p1","ifname":"eth0"}]'
in_time GC p1; ok "GC with a FIFO as a record"
"$bin/onlink-ipam" list >/dev/null || fail "list"
conf
in_time DEL p1; ok "DEL with a FIFO as a record"
for file in reserved mtu; do
  mkfifo /run/onlink/$file
  conf 'del(.mtu)'
  in_time ADD p2; refused 100 "/run/onlink/$file: it is not a regular file"
  same "nothing is left" "$(ip -j link show type veth)$(owner 10.10.0.2)$(owner 10.10.0.3)" "[]"
  rm /run/onlink/$file
done
mkfifo $work/resolv.conf
conf ".ipam.resolvConf = \"$work/resolv.conf\""
in_time STATUS p1; refused 50 "resolvConf: read $work/resolv.conf: it is not a regular file"
done_testing
