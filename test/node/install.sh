#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runs on: own kernel
# `onlink-node install`: the plugins arrive whole, beside running ones, whoever else installs and whenever it is killed.
# shellcheck source=lib.bash
source "$(dirname "$0")/lib.bash"
from=$work/image
to=$work/host/opt/cni/bin
mkdir "$from"
cp "$bin"/onlink{,-ipam,-node} "$from"
install() { status=0; out=$("$from/onlink-node" install --bin-dir "$to" 2>&1) || status=$?; }
works() { checks=$((checks + 1)); [ "$(CNI_COMMAND=VERSION "$to/$1" <<<'{"cniVersion":"1.0.0"}' | jq -r .cniVersion)" = 1.0.0 ] || fail "$1 does not work"; }
both_work() { works onlink; works onlink-ipam; }
inodes() { stat -c '%n %i %Y' "$to"/*; }

# Into a folder that is not there yet, readable whatever the umask; twice is once.
(umask 077; "$from/onlink-node" install --bin-dir "$to" >"$work/out") || fail "install: $(cat "$work/out")"
both_work
same "files" "$(ls "$to")" "onlink
onlink-ipam"
same "modes" "$(stat -c %a "$to"/* "$to")" "755
755
755"
before=$(inodes)
install; ok "again"
same "not touched" "$(inodes)" "$before"
same "says so" "$out" "$to/onlink-ipam: already up to date
$to/onlink: already up to date"

# An upgrade while the old one runs: cp would fail with "Text file busy" here.
cp "$(command -v sleep)" "$to/onlink"
"$to/onlink" 600 & old=$!
eventually 10 grep -q onlink /proc/$old/comm
! cp "$from/onlink" "$to/onlink" 2>/dev/null || fail "a running program can be written: this test shows nothing"
install; ok "beside a running one"
both_work
kill -0 $old || fail "the running one has ended"
kill $old; wait $old || true

# Whoever executes it at the moment in which it appears can: it is not open for writing any more (ETXTBSY).
if command -v strace >/dev/null; then
  cp "$(command -v sleep)" "$to/onlink"
  old=$(stat -c %i "$to/onlink")
  strace -o /dev/null -e 'inject=/^rename:delay_exit=3000000' "$from/onlink-node" install --bin-dir "$to" >"$work/out" 2>&1 & installer=$!
  replaced() { [ "$(stat -c %i "$to/onlink")" != "$old" ]; }
  eventually 20 replaced
  works onlink
  wait $installer || fail "install: $(cat "$work/out")"
fi

# Killed at any moment, it leaves the old or the new, and the next one gets on.
for delay in $(seq 0 0.001 0.03); do
  cp "$bin/onlink" "$to/onlink.new"; printf '%s' "$delay" >>"$to/onlink.new"; mv "$to/onlink.new" "$to/onlink"
  "$from/onlink-node" install --bin-dir "$to" >/dev/null & installer=$!
  sleep "$delay"
  kill -9 $installer 2>/dev/null || true
  wait $installer 2>/dev/null || true
  both_work
done
install; ok "after the kills"

# Many at once, each the first process of its own container, so that all have the same process id.
for round in 1 2 3; do
  rm "$to"/onlink*
  installers=()
  for i in 1 2 3 4 5 6; do
    unshare --pid --fork "$from/onlink-node" install --bin-dir "$to" >"$work/installer$i" 2>&1 & installers+=($!)
  done
  for i in "${!installers[@]}"; do wait "${installers[$i]}" || fail "one of many: $(cat "$work"/installer*)"; done
  for name in onlink onlink-ipam; do cmp "$from/$name" "$to/$name" || fail "$name is damaged"; done
  same "files" "$(ls -A "$to" | tr '\n' ' ')" "onlink onlink-ipam "
done

# What cannot be done is said, and leaves what was.
echo broken >"$to/onlink"
mount -t tmpfs -o size=1M small "$to"
echo old >"$to/onlink"
install
same "exit status with a full disk" $status 1
case $out in *"$to"*"No space left on device (ENOSPC)"*) ;; *) fail "full disk: $out" ;; esac
same "what was" "$(cat "$to/onlink")" old
same "no other file" "$(ls -A "$to")" onlink
umount "$to"
rm "$from/onlink"
install
same "exit status without plugins" $status 1
case $out in *"onlink is not there"*) ;; *) fail "no plugin: $out" ;; esac
done_testing
