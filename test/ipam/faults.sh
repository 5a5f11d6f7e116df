#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# System calls that fail, full and read-only disks, and things in the way: a clear error or a clean result, and in
# neither case an address that is lost or given twice.
. "$(dirname "$0")/lib.bash"
command -v strace >/dev/null || fail "needs strace"
: "${STEP:=2}" # 1: every call

# trace COMMAND CONTAINER: its system calls on files, each with the number of its occurrence: "openat 3".
trace() {
  CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=eth0 CNI_PATH=$bin \
    strace -o "$disk/trace" -e trace=file,desc "$bin/onlink-ipam" <<<"$conf" >/dev/null 2>&1 || fail "trace $1"
  # Not the program itself, its input, its output, nor what cannot fail so.
  sed -nE 's/^([a-z0-9_]+)\((.*)/\1 \2/p' "$disk/trace" |
    awk '{ ++n[$1] } $1 !~ /^(execve|close|ioctl|mmap|munmap)$/ && $0 !~ /^(read 0,|write 1,|readlink)/ { print $1, n[$1] }'
}
# failing NAME OCCURRENCE ERROR COMMAND CONTAINER: a call in which that system call fails.
failing() {
  status=0
  out=$(CNI_COMMAND=$4 CNI_CONTAINERID=$5 CNI_NETNS=/run/netns/$5 CNI_IFNAME=eth0 CNI_PATH=$bin \
    strace -o "$disk/trace" -e trace="$1" -e inject="$1":error="$3":when="$2" "$bin/onlink-ipam" <<<"$conf" 2>>"$disk/stderr") ||
    status=$?
  grep -q INJECTED "$disk/trace" || fail "$4: nothing failed at $1 $2"
}
prepare() { # COMMAND
  rm -rf "$data" "$records"
  ipam ADD a && ok "ADD a"
  [ "$1" = ADD ] || { ipam ADD b && ok "ADD b"; }
}
pool '.ipam.subnet = "10.1.2.0/29"'
for verb in ADD DEL; do
  prepare $verb
  trace $verb b >"$disk/calls"
  number=0
  while read -r name occurrence; do
    number=$((number + 1))
    [ $((number % STEP)) = 0 ] || continue
    error=$([ $((number / STEP % 2)) = 0 ] && echo EIO || echo ENOSPC)
    what="$verb with $error at $number, $name $occurrence"
    prepare $verb
    failing "$name" "$occurrence" $error $verb b
    what="$what: $(grep INJECTED "$disk/trace" | cut -c1-120)"
    if [ "$status" != 0 ]; then
      jq -e '.code and .msg' <<<"$out" >/dev/null || fail "$what: no error document: $out"
      [ $verb = DEL ] || same "$what: nothing stays ($out)" "$(reservations)" "10.1.2.2"
    elif [ $verb = ADD ]; then
      same "$what: the file" "$(cat "$folder/$(addresses | cut -d/ -f1)")" $'b\r\neth0'
    fi
    ipam DEL b && ok "$what: DEL"
    same "$what: released" "$(reservations)" "10.1.2.2"
    for c in c d e f; do ipam ADD $c && ok "$what: ADD $c"; done
    same "$what: five holders" "$(head -qc1 "$folder"/10.* | fold -w1 | sort | tr -d '\n')" acdef
  done <"$disk/calls"
  [ "$number" -gt 25 ] || fail "$verb made only $number system calls"
  echo "$verb: $((number / STEP)) of $number system calls failed, one at a time"
done
pool

# ready: STATUS, with the data folder $data.
ready() { local conf; pool '.cniVersion = "1.1.0"'; ipam STATUS ""; }

# A full disk.
mkdir "$disk/small" && mount -t tmpfs -o size=256k tmpfs "$disk/small"
data=$disk/small pool
ipam ADD a && ok "ADD"
head -c 1m /dev/zero >"$disk/small/filler" 2>/dev/null || true
ipam ADD b
refused 100 "No space left on device (ENOSPC)"
data=$disk/small ready; refused 50 "make reservations in $disk/small/net1: No space left on device (ENOSPC)"
same "nothing of it stays" "$(ls "$disk/small/net1" | grep '^10')" "10.1.2.2"
ipam DEL a && ok "DEL on a full disk"
same "it is released" "$(ls "$disk/small/net1" | grep -c '^10' || true)" 0
rm "$disk/small/filler"
ipam ADD c && ok "ADD after room was made"
same "the next address" "$(addresses)" "10.1.2.3/24"
data=$disk/small ready && ok "STATUS after room was made"

# A read-only disk.
mount -o remount,ro "$disk/small"
ipam ADD d
refused 100 "Read-only file system (EROFS)"
data=$disk/small ready; refused 50 "make reservations in $disk/small/net1: Read-only file system (EROFS)"
data=$disk/small/none ready; refused 50 "make reservations in $disk/small: Read-only file system (EROFS)"
ipam DEL c
refused 100 "Read-only file system (EROFS)"
mount -o remount,rw "$disk/small"
ipam DEL c && ok "DEL"
umount "$disk/small"

# Things in the way of the folder and in it.
data=$disk/W folder=$disk/W/net1
pool
ready && ok "STATUS before there is a folder"
[ ! -e "$data" ] || fail "STATUS has made $data"
mkdir "$data" && touch "$folder"
ipam ADD a
refused 100 "Not a directory (ENOTDIR)"
ready; refused 50 "Not a directory (ENOTDIR)"
data=$folder ready; refused 50 "Not a directory (ENOTDIR)"
rm "$folder" && mkdir "$disk/outside" && ln -s "$disk/outside" "$folder"
ipam ADD a
refused 100 "symbolic link, which is not followed"
ready; refused 50 "symbolic link, which is not followed"
same "nothing is made outside" "$(ls -A "$disk/outside")" ""
rm "$folder" && mkdir "$folder"
touch "$disk/victim"
ln -s "$disk/victim" "$folder/10.1.2.2"
mkdir "$folder/10.1.2.3"
touch "$folder/10.1.2.4"
mkfifo "$folder/10.1.2.5"
head -c 100000 /dev/urandom >"$folder/10.1.2.6"
ln -s "$disk/victim" "$folder/.onlink-index"
mkdir "$folder/.onlink-draft"
mkdir -p "$(records_folder)"
ln -s "$disk/victim" "$(records_folder)/index"
ln -s "$disk/victim" "$(records_folder)/10.1.2.7"
ln -s "$disk/victim" "$(records_folder)/folder"
ln -s "$disk/victim" "$folder/last_reserved_ip.0"
ipam ADD a && ok "ADD with things in the way"
same "the first that is free" "$(addresses)" "10.1.2.7/24"
same "no link was followed" "$(stat -c %s "$disk/victim")" 0
ipam ADD b && ok "again"
ipam DEL a && ok "DEL"
ipam CHECK a
refused 7 prevResult
same "what is in the way stays" "$(ls "$folder" | grep '^10' | xargs)" "10.1.2.2 10.1.2.3 10.1.2.4 10.1.2.5 10.1.2.6"
same "but for an empty file, whose maker died" "$(cat "$folder/10.1.2.4")" $'b\r\neth0'
touch "$folder/10.1.2.9"
person check net1 >"$disk/faults" && fail "check finds nothing"
for words in "10.1.2.2: a symbolic link is in the way" "10.1.2.3: a directory is" "10.1.2.9: empty" "10.1.2.5: a special file" \
  "10.1.2.6: a file too large"; do
  grep -q "$words" "$disk/faults" || fail "check does not say: $words: $(cat "$disk/faults")"
done

# The index and the records, damaged in every way, are built anew.
rm -rf "$data" "$records"
for c in a b c; do ipam ADD $c && ok "ADD"; done
index=$(records_folder)/index
size=$(stat -c %s "$index")
n=4
for damage in 'rm $index' ': >$index' 'truncate -s 40 $index' 'truncate -s $((size - 8)) $index' 'truncate -s 5000 $index' \
  'head -c $size /dev/urandom >$index.x && cat $index.x >$index && rm $index.x' \
  'printf x | dd of=$index bs=1 seek=$((size - 20)) conv=notrunc status=none' \
  'printf x | dd of=$index bs=1 seek=100 conv=notrunc status=none' 'printf x | dd of=$index bs=1 seek=3 conv=notrunc status=none' \
  'dd if=/dev/zero of=$index bs=24 seek=1 count=3 conv=notrunc status=none' 'ln -sf $disk/victim $index' 'rm -r $index; mkdir $index' \
  'rm -r $index; mkfifo $index' 'rm -r $(records_folder)' 'cp $index $folder/x && mv $folder/x $index'; do
  eval "$damage"
  ipam ADD x$n && ok "ADD after: $damage"
  same "after: $damage" "$(addresses)" "10.1.2.$((n + 1))/24"
  eval "$damage"
  ipam DEL x$n && ok "DEL after: $damage"
  same "DEL after: $damage" "$(reservations | xargs)" "10.1.2.2 10.1.2.3 10.1.2.4"
  n=$((n + 1))
done
same "no link was followed" "$(stat -c %s "$disk/victim")" 0

# The folder is replaced while a call waits for its lock: the call goes on in the new one.
rm -rf "$data" "$records"
ipam ADD a && ok "ADD"
flock -o "$folder/lock" sleep 60 &
holder=$!
inode=$(stat -c %i "$folder/lock")
for _ in $(seq 200); do grep -q ":$inode " /proc/locks && break; sleep 0.02; done
ipam ADD b &
waiting=$!
for _ in $(seq 200); do grep -q -- "-> FLOCK.*:$inode " /proc/locks && break; sleep 0.02; done
grep -q -- "-> FLOCK.*:$inode " /proc/locks || fail "nobody waits: $(cat /proc/locks)"
mv "$folder" "$disk/old" && mkdir "$folder"
kill $holder
wait $waiting
same "the new folder" "$(reservations)" "10.1.2.2"
same "the old one" "$(ls "$disk/old" | grep '^10')" "10.1.2.2"
same "who is in the new one" "$(head -c1 "$folder/10.1.2.2")" b
done_testing
