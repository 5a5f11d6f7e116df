# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of this folder, after that of netns/, whose namespaces and words they share.

. "$(dirname "${BASH_SOURCE[0]}")/../netns/lib.bash"
plugin=onlink-ipam
hostlocal=$reference/host-local
# A file system on a disk, as dataDir is: tmpfs differs in times and attributes.
disk=$TMPDIR/disk
mkdir "$disk"
data=$disk/data
records=$disk/run
folder=$data/net1

# pool JQ-PROGRAM...: the configuration of the next calls: a subnet, changed by each program.
pool() {
  local program programs=.
  for program in "$@"; do programs="$programs | $program"; done
  conf=$(jq -nc --arg data "$data" --arg run "$records" "{cniVersion: \"1.0.0\", name: \"net1\", type: \"none\",
    ipam: {type: \"onlink-ipam\", subnet: \"10.1.2.0/24\"}} | $programs | .ipam += {dataDir: \$data, runDir: \$run}")
}
pool
mkdir -p "$disk/ns"
# Namespaces are files here: what counts is what is at their paths.
live() { for c in "$@"; do echo "$c" >"$disk/ns/$c"; done; }
dead() { for c in "$@"; do rm -f "$disk/ns/$c"; done; }

# ask PROGRAM COMMAND CONTAINER [IFNAME]: like cni, of any program, with the namespace among ours.
ask() {
  local bin_of=$1 command=$2
  status=0
  out=$(CNI_COMMAND=$command CNI_CONTAINERID=$3 CNI_NETNS=$disk/ns/$3 CNI_IFNAME=${4:-eth0} CNI_PATH=$bin:$reference \
    CNI_ARGS=${cni_args:-} "$bin_of" <<<"$conf" 2>>"$disk/stderr") || status=$?
}
ipam() { ask "$bin/onlink-ipam" "$@"; }
addresses() { jq -r '[.ips[].address] | join(" ")' <<<"$out"; }
reservations() { find "$folder" -maxdepth 1 -type f \( -name '*.*.*.*' -o -name '*:*' \) | sed 's|.*/||' | sort -V; }
person() { "$bin/onlink-ipam" "$@" --data-dir "$data" --run-dir "$records"; }

# reboot: everything of this boot is gone, and the next has another ID.
reboot() {
  rm -rf "$records" "$disk"/ns/*
  cat /proc/sys/kernel/random/uuid >"$disk/boot-id"
  mount --bind "$disk/boot-id" /proc/sys/kernel/random/boot_id
}
