#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The cost of a call does not grow with the leases. Counted in system calls, which no busy machine falsifies;
# test/bench/ipam measures times.
. "$(dirname "$0")/lib.bash"
command -v strace >/dev/null || fail "needs strace"
mkdir "$work/flat"
rmdir "$disk" # the files are on a tmpfs here
disk=$work/flat

fill() { # FORMAT COUNT STEP: every STEPth address is left free
  mkdir -p "$folder"
  (cd "$folder" && awk -v format="$1" -v count="$2" -v step="$3" 'BEGIN {
    for (i = 2; i < count; ++i) if (!step || i % step) {
      name = format ~ /:/ ? sprintf(format, i) : sprintf(format, int(i / 256), i % 256)
      printf "%064x\r\neth0", i > name; close(name) } }')
}
count() { # COMMAND CONTAINER
  CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=eth0 CNI_PATH=$bin \
    strace -o "$disk/trace" "$bin/onlink-ipam" <<<"$conf" >"$disk/out" 2>&1 || fail "$1: $(cat "$disk/out")"
  wc -l <"$disk/trace"
}

for family in '10.1.0.0/16 10.1.%d.%d' 'fd00::/64 fd00::%x'; do
  read -r subnet format <<<"$family"
  for leases in "0 0" "16000 0" "16000 100"; do
    data=$disk/$subnet-$leases records=$disk/run folder=$data/net1
    fill "$format" $leases
    pool ".ipam.subnet = \"$subnet\""
    ipam ADD warm && ok "ADD that builds the index"
    add=$(count ADD new)
    pool ".ipam.subnet = \"$subnet\"" ".prevResult = $(cat "$disk/out")"
    check=$(count CHECK new)
    del=$(count DEL new)
    pool ".ipam.subnet = \"$subnet\"" '.cniVersion = "1.1.0"'
    status_calls=$(count STATUS new)
    # GC read the file of every attachment that the runtime lists. (The list itself takes a system call for each page.)
    conf=$(find "$folder" -name '*[.:]*' ! -name 'last*' -exec head -qn1 {} + | tr -d '\r' | jq -Rc '{containerID: ., ifname: "eth0"}' |
      jq -sc --argjson conf "$conf" '$conf + {"cni.dev/valid-attachments": .}')
    count GC - >/dev/null
    gc=$(grep -c '^openat' "$disk/trace")
    echo "$subnet, $leases: ADD $add, CHECK $check, DEL $del, STATUS $status_calls system calls; GC opens $gc files"
    same "GC keeps what is listed" "$(find "$folder" -name '*[.:]*' ! -name 'last*' | wc -l)" "$(jq '.["cni.dev/valid-attachments"] | length' <<<"$conf")"
    if [ "$leases" = "0 0" ]; then
      base="$add $check $del $status_calls $gc"
      continue
    fi
    set -- $base
    for pair in "$add $1" "$check $2" "$del $3" "$status_calls $4" "$gc $5"; do
      checks=$((checks + 1))
      read -r now empty <<<"$pair"
      # Memory for a larger index, which is read and written whole.
      [ "$now" -le $((empty + 12)) ] || fail "$subnet, $leases: $now system calls, $empty with none"
    done
  done
done
done_testing
