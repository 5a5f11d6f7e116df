#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# A cluster file that is a link into another folder, in a folder that is replaced, in a ConfigMap's mount, or under something that
# is mounted: its changes were never noticed, and status said "in sync".
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
seed_hosts
etc=$work/etc git=$work/git
mkdir "$etc" "$git"
list() { # FILE SUBNET [JQ-PROGRAM]: a list with C, that has this subnet
  local cluster=$work/list
  seed_cluster ".nodes += [{name: \"C\", nodeIP: \"172.16.91.203\", podCIDRs: [\"$2\"]}]" "${3:-.}"
  mv "$cluster" "$1"
}
c_has() { [ "$(ip -n A -j route show via 172.16.91.203 proto 169 | jq -r '.[0].dst')" = "$1" ]; }
passes() { jq .passes "$work/A/run/service.json"; }

# A link into another folder. Nothing comes to its help: resyncSeconds is 3600.
list "$git/cluster.json" 10.10.2.0/24
ln -s ../git/cluster.json "$etc/cluster.json"
cluster_of[A]=$etc/cluster.json
start_node A
eventually 10 c_has 10.10.2.0/24
list "$git/cluster.json" 10.10.3.0/24
eventually 10 c_has 10.10.3.0/24
# The folder behind it is replaced, as by a checkout.
mkdir "$work/git.new" && list "$work/git.new/cluster.json" 10.10.4.0/24
mv "$git" "$work/git.old" && mv "$work/git.new" "$git"
eventually 10 c_has 10.10.4.0/24

# As the kubelet mounts a ConfigMap: ..data is switched to a folder for each version, and the old one removed.
version() { # NUMBER SUBNET
  mkdir "$etc/..$1" && list "$etc/..$1/cluster.json" "$2"
  ln -s "..$1" "$etc/..data_tmp" && mv -T "$etc/..data_tmp" "$etc/..data"
}
version 1 10.10.5.0/24
ln -s ..data/cluster.json "$etc/link" && mv -T "$etc/link" "$etc/cluster.json"
eventually 10 c_has 10.10.5.0/24
for number in 2 3; do
  version $number "10.10.1$number.0/24"
  rm -r "$etc/..$((number - 1))"
  eventually 10 c_has "10.10.1$number.0/24"
done

# What else happens in these folders costs no pass.
unchanged() { local seen; seen=$(passes); sleep 1; [ "$(passes)" = "$seen" ]; }
eventually 20 unchanged
before=$(passes)
for _ in 1 2 3; do
  for folder in "$etc" "$etc/..3" "$git"; do echo draft >"$folder/beside" && rm "$folder/beside"; done
  sleep 0.3
done
same "passes for what happens beside the file" "$(passes)" "$before"

# What inotify does not tell is found at the next resync: here something is mounted over the folder.
version 4 10.10.20.0/24
cp -r "$etc" "$work/other"
list "$etc/..4/cluster.json" 10.10.21.0/24 '.resyncSeconds = 1'
eventually 10 c_has 10.10.21.0/24
mount --bind "$work/other" "$etc"
eventually 20 c_has 10.10.20.0/24
umount "$etc"
stop_node A
done_testing
