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

# pool JQ-PROGRAM...: the configuration of the next calls: a subnet, changed by each program. For either program.
pool() {
  local program programs=.
  for program in "$@"; do programs="$programs | $program"; done
  conf=$(jq -nc --arg data "$data" --arg run "$records" "{cniVersion: \"1.0.0\", name: \"net1\", type: \"onlink\", mtu: 1500,
    log: {file: \"$disk/stderr\", level: \"info\"}, ipam: {type: \"onlink-ipam\", subnet: \"10.1.2.0/24\"}} | $programs | .ipam += {dataDir: \$data, runDir: \$run}")
}
pool

# ask PROGRAM COMMAND CONTAINER [IFNAME]: like cni, of any program. The namespace is of the container's name, or $netns;
# an IPAM plugin by itself does not look at it.
ask() {
  local program=$1 command=$2
  status=0
  out=$(CNI_COMMAND=$command CNI_CONTAINERID=$3 CNI_NETNS=${netns-/run/netns/$3} CNI_IFNAME=${4:-eth0} CNI_PATH=$bin:$reference \
    CNI_ARGS=${cni_args:-} "$program" <<<"$conf" 2>>"$disk/stderr") || status=$?
}
ipam() { ask "$bin/onlink-ipam" "$@"; }     # as under any other main plugin
attach() { ask "$bin/onlink" "$@"; }        # attachments that the kernel knows
attach_pod() { pod "$1"; attach ADD "$1"; } # CONTAINER
# gone CONTAINER...: their namespaces, without DEL.
gone() { for c in "$@"; do ip netns delete "$c"; done; }
# The kernel takes the host's ends away in its own time: until that many are there.
until_ends() { # NUMBER
  local ends
  for _ in $(seq 400); do
    ends=$(ip -o link show type veth | grep -c ': onl') || true
    [ "$ends" = "$1" ] && return
    sleep 0.05
  done
  fail "$ends host ends stay, not $1"
}
told() { grep -c "$1" "$disk/stderr" || true; } # PATTERN: how many lines of the log and of standard error have it
new_folder() { rm -rf "$data" "$records"; : >"$disk/stderr"; }
addresses() { jq -r '[.ips[].address] | join(" ")' <<<"$out"; }
reservations() { find "$folder" -maxdepth 1 -type f \( -name '*.*.*.*' -o -name '*:*' \) | sed 's|.*/||' | sort -V; }
person() { "$bin/onlink-ipam" "$@" --data-dir "$data" --run-dir "$records"; }

# records_folder: that of the network of $folder.
records_folder() {
  local device inode
  read -r device inode < <(stat -c '%D %i' "$folder")
  printf '%s/ipam/%s.%s.%x' "$records" "$(basename "$folder")" "$device" "$inode"
}

# another_boot: the kernel tells another ID from now on, to us; this_boot: it does no more.
another_boot() {
  cat /proc/sys/kernel/random/uuid >"$disk/boot-id"
  mount --bind "$disk/boot-id" /proc/sys/kernel/random/boot_id
}
this_boot() { umount /proc/sys/kernel/random/boot_id; }
# reboot CONTAINER...: everything of this boot is gone, these pods as well, and the next has another ID.
reboot() {
  gone "$@"
  until_ends 0
  rm -rf "$records"
  another_boot
}
