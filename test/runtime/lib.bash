# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of this folder: what test/netns/lib.bash gives (a host of the test's own, with an empty /run and
# /var/lib), and with `needs_cgroups=1` also control groups for container runtimes.

# Runtimes make control groups and leave their parents behind. Each hierarchy gets a group of this test's own, which is
# the root of all that the test sees of it; they are removed here, outside, when everything inside has ended.
cgroup_hierarchies() { awk '$3 ~ /^cgroup2?$/ {print $2}' /proc/mounts; }
make_cgroup() {
  mkdir "$1"
  local file # an empty set of CPUs or of memory nodes would let no process in
  for file in cpuset.cpus cpuset.mems; do
    [ ! -e "$1/$file" ] || cat "$1/../$file" >"$1/$file" 2>/dev/null || true
  done
}
remove_cgroups() {
  local folders _
  trap '' HUP INT TERM # a second Ctrl-C does not stop this
  [ -z "$inside" ] || { kill "$inside" 2>/dev/null || true; wait "$inside" 2>/dev/null || true; }
  # What was inside may still be about to end.
  for _ in $(seq 300); do
    folders=$(find $(cgroup_hierarchies | sed "s,\$,/$ONLINK_TEST_CGROUP,") -depth -type d 2>/dev/null) || true
    [ -n "$folders" ] || return 0
    rmdir $folders 2>/dev/null || sleep 0.1
  done
}
if [ -n "${needs_cgroups:-}" ] && [ -z "${ONLINK_TEST_CGROUP:-}" ]; then
  # Of one that was killed.
  for hierarchy in $(cgroup_hierarchies); do
    for left in "$hierarchy"/onlink-test-*; do
      [ ! -d "$left" ] || [ -e "/proc/${left##*-}" ] || find "$left" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
  done
  export ONLINK_TEST_CGROUP=onlink-test-$$
  inside=
  trap remove_cgroups EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  for hierarchy in $(cgroup_hierarchies); do make_cgroup "$hierarchy/$ONLINK_TEST_CGROUP"; done
  # In a group of its own: it is told the end here, and by the end of this shell.
  set -m
  ONLINK_TEST_CGROUP_STEP=enter setpriv --pdeathsig TERM bash "$0" "$@" <&0 & inside=$!
  status=0
  wait "$inside" || status=$?
  inside=
  exit "$status"
elif [ "${ONLINK_TEST_CGROUP_STEP:-}" = enter ]; then
  for hierarchy in $(cgroup_hierarchies); do echo $$ >"$hierarchy/$ONLINK_TEST_CGROUP/cgroup.procs"; done
  ONLINK_TEST_CGROUP_STEP=leave exec unshare --cgroup -- bash "$0" "$@"
elif [ "${ONLINK_TEST_CGROUP_STEP:-}" = leave ]; then
  # Processes are in a leaf: in the second version of control groups, others have no room for them.
  for hierarchy in $(cgroup_hierarchies); do
    make_cgroup "$hierarchy/$ONLINK_TEST_CGROUP/test"
    echo $$ >"$hierarchy/$ONLINK_TEST_CGROUP/test/cgroup.procs"
  done
  unset ONLINK_TEST_CGROUP_STEP
fi

. "$(dirname "${BASH_SOURCE[0]}")/../netns/lib.bash"
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$(cd "$bin" && pwd)

# skip WHY: ends the test; CTest counts it as skipped (77).
skip() { echo "SKIPPED $(basename "$0"): $*"; exit 77; }
need() { # COMMAND PACKAGE...
  command -v "$1" >/dev/null || [ -x "$1" ] || skip "no $1 (package $2)"
}

# lib.bash has mounted a sysfs of this network namespace; the machine's, one below it, has the control groups.
if [ -n "${ONLINK_TEST_CGROUP:-}" ]; then
  umount /sys
  for hierarchy in $(cgroup_hierarchies); do mount --bind "$hierarchy/$ONLINK_TEST_CGROUP" "$hierarchy"; done
  mkdir $work/cgroup
  mount --rbind /sys/fs/cgroup $work/cgroup
  mount -t sysfs sysfs /sys
  mount --rbind $work/cgroup /sys/fs/cgroup
fi

# The folders where runtimes look for CNI: writes to /etc and /opt stay here.
own_cni_folders() {
  mkdir $work/etc $work/etc-work
  mount -t overlay -o "lowerdir=/etc,upperdir=$work/etc,workdir=$work/etc-work" overlay /etc
  mount -t tmpfs tmpfs /opt
  rm -rf /etc/cni; mkdir -p /etc/cni/net.d /opt/cni/bin
  cp "$bin/onlink" "$bin/onlink-ipam" /opt/cni/bin/
  cp $reference/{portmap,loopback} /opt/cni/bin/
}

# start_containerd: one with everything below $state, and no more than `ctr run --rootfs` needs; its process is $daemon.
# ctr speaks to it.
state=$work/containerd
start_containerd() {
  mkdir -p $state
  cat >$state/config.toml <<END
version = 2
root = "$state/root"
state = "$state/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$state/socket"
END
  containerd --config $state/config.toml >>$state/log 2>&1 & daemon=$!
  until_true 20 test -S $state/socket && until_true 20 ctr version >/dev/null 2>&1 || give_up "containerd: $(tail $state/log)"
}
ctr() { command ctr --address $state/socket "$@"; }

# root_of_busybox FOLDER: a root file system of one static program.
root_of_busybox() {
  mkdir -p "$1"/{bin,proc,sys,dev,tmp,etc,run}
  cp "$(command -v busybox)" "$1/bin/busybox"
  "$1/bin/busybox" --install -s "$1/bin"
  local link
  for link in "$1"/bin/*; do [ ! -L "$link" ] || ln -sf busybox "$link"; done
}

# until_true SECONDS COMMAND...: whether the command succeeds, on a quiet machine within this time. A busy one gets ten times
# as much: it is only a bound.
until_true() {
  local end=$((SECONDS + $1 * 10)); shift
  until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done
}

# An answer to whoever asks: one line, "NAME PEER-ADDRESS", over TCP and UDP on one port.
serve() { # NAMESPACE PORT ("" is the host); the process's ID is in $server
  local in=(); [ -z "$1" ] || in=(ip netns exec "$1")
  "${in[@]}" "$python" -c '
import selectors, socket, sys
name, port = sys.argv[1], int(sys.argv[2])
ready = selectors.DefaultSelector()
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    s = socket.socket(socket.AF_INET6, kind)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", port))
    if kind == socket.SOCK_STREAM: s.listen(64)
    ready.register(s, selectors.EVENT_READ)
line = lambda peer: (name + " " + peer[0].removeprefix("::ffff:") + "\n").encode()
while True:
    for key, _ in ready.select():
        s = key.fileobj
        if s.type == socket.SOCK_STREAM:
            c, peer = s.accept(); c.sendall(line(peer)); c.close()
        else:
            _, peer = s.recvfrom(99); s.sendto(line(peer), peer)
' "${1:-host}" "$2" &
  server=$!
  until_true 5 eval "[ -n \"\$(\"\${in[@]}\" ss -Hltun 'sport = :$2')\" ]" || give_up "server in ${1:-the host}"
}
# ask NAMESPACE PROTOCOL ADDRESS PORT: prints the answer, if any.
ask() {
  local in=(); [ -z "$1" ] || in=(ip netns exec "$1")
  "${in[@]}" timeout 20 bash -c "exec 3<>/dev/$2/$3/$4 && echo >&3 && head -n 1 <&3" 2>/dev/null || true
}
