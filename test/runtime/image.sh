#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The container image of hack/image: the same programs give the same bytes; its programs start in it, without any right
# that they do not need; the plugins that it installs run on the host.
needs_cgroups=1
. "$(dirname "$0")/lib.bash"
need containerd containerd; need runc runc; need buildah buildah
own_cni_folders
mkdir $work/bin
start_containerd

export ONLINK_BIN=$bin
for archive in one two; do
  "$repository/hack/image" $work/$archive.tar >$work/said 2>&1 || fail "hack/image: $(cat $work/said)"
done
same "bytes" "$(sha256sum <$work/one.tar)" "$(sha256sum <$work/two.tar)"
checks=$((checks + 1))
[ "$(stat -c %s $work/one.tar)" -lt $((40 << 20)) ] || fail "it is larger than 40 MiB"

# The kind of archive that has an image for each processor, with this machine's alone: by the same name.
own=$(dpkg --print-architecture)
for archive in index again; do
  "$repository/hack/image" --arch "$own" $work/$archive.tar >$work/said 2>&1 || fail "hack/image --arch: $(cat $work/said)"
done
same "bytes" "$(sha256sum <$work/index.tar)" "$(sha256sum <$work/again.tar)"
index=$(tar -xOf $work/index.tar index.json | jq -r '.manifests[0].digest')
holds "for which processors it is" "[.manifests[].platform.architecture] == [\"$own\"]" "$(tar -xOf $work/index.tar "blobs/${index/://}")"
ctr image import $work/index.tar >$work/said 2>&1 || fail "import: $(cat $work/said)"
of_index=$(ctr image list -q)
ctr image rm "$of_index" >/dev/null

ctr image import $work/one.tar >$work/said 2>&1 || fail "import: $(cat $work/said)"
image=$(ctr image list -q)
same "its name in either kind of archive" "$of_index" "$image"
case $image in localhost/onlink-node:[0-9]*) ;; *) fail "name of the image: $image" ;; esac
no_rights=()
for right in CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE; do
  no_rights+=(--cap-drop "CAP_$right")
done
run() { # ARGUMENT...
  ctr run --rm --read-only "${no_rights[@]}" --mount "type=bind,src=$work/bin,dst=/host/bin,options=rbind:rw" --net-host "$image" \
    "run$RANDOM" "$@" 2>&1
}
same "version" "$(run /onlink-node --version)" "$("$bin/onlink-node" --version)"
same "rights" "$(ctr run --rm --read-only "${no_rights[@]}" --mount "type=bind,src=$(command -v busybox),dst=/bin/busybox,options=rbind:ro" \
  "$image" rights /bin/busybox grep CapEff /proc/self/status | tr -s '\t' ' ')" "CapEff: 0000000000000000"
run /onlink-node install --bin-dir /host/bin >$work/said || fail "install: $(cat $work/said)"
for program in onlink onlink-ipam; do
  same "$program" "$(CNI_COMMAND=VERSION $work/bin/$program <<<'{"cniVersion":"1.0.0"}' | jq -r .cniVersion)" 1.0.0
done
done_testing
