#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `cmake --install`: each component puts its files, and only those, where they are looked for; below DESTDIR and --prefix; the
# folder of plugins is the one that was asked for.
set -euo pipefail
# shellcheck source=../checks.bash
source "$(dirname "$0")/../checks.bash"
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${ONLINK_BUILD:-$root/build}
own_folder
put() { DESTDIR=$work/$1 succeeds "cmake --install ${*:2}" cmake --install "$build" --component "${@:2}"; }
files() { (cd "$work/$1" && find . -type f ! -path '*/doc/onlink/*' | sort | sed 's/^\.//'); }
plugins=$(sed -n 's/^ONLINK_CNI_DIR:[A-Z]*=//p' "$build/CMakeCache.txt")

put plugins plugins
same "plugins" "$(files plugins)" "$(printf '%s\n' /etc/sysctl.d/99-zzz-onlink.conf "$plugins/onlink" "$plugins/onlink-ipam" | sort)"
same "it runs" "$("$work/plugins$plugins/onlink" --version | head -1)" "$("$build/bin/onlink" --version | head -1)"
put node node --prefix /usr
same "node" "$(files node)" "/etc/NetworkManager/conf.d/onlink.conf
/etc/iproute2/rt_protos.d/onlink.conf
/etc/systemd/network/05-onlink.network
/etc/systemd/networkd.conf.d/onlink.conf
/usr/lib/systemd/system/onlink-node.service
/usr/sbin/onlink-node"
same "the unit's program" "$(sed -n 's/^ExecStart=//p' "$work/node/usr/lib/systemd/system/onlink-node.service")" "/usr/sbin/onlink-node run"
put node-local node --prefix /usr/local
same "the unit's program" "$(sed -n 's/^ExecStart=//p' "$work/node-local/usr/local/lib/systemd/system/onlink-node.service")" "/usr/local/sbin/onlink-node run"
put doc doc --prefix /usr
same "doc" "$(files doc)" "/usr/share/bash-completion/completions/onlink-ipam
/usr/share/bash-completion/completions/onlink-node
/usr/share/fish/vendor_completions.d/onlink-ipam.fish
/usr/share/fish/vendor_completions.d/onlink-node.fish
/usr/share/man/man8/onlink-ipam.8
/usr/share/man/man8/onlink-node.8
/usr/share/man/man8/onlink.8
/usr/share/zsh/site-functions/_onlink-ipam
/usr/share/zsh/site-functions/_onlink-node"
for file in LICENSE README.md examples/10-onlink.conflist examples/node/cluster.json; do
  check [ -s "$work/doc/usr/share/doc/onlink/$file" ] || fail "no $file"
done

# Another folder for plugins. Only configured; the programs are those that there are.
succeeds "configure" cmake -S "$root" -B "$work/build" -DONLINK_TESTS=OFF -DONLINK_STATIC=OFF -DONLINK_CNI_DIR=/usr/lib/cni
mkdir -p "$work/build/bin"
cp "$build"/bin/onlink{,-ipam,-node} "$work/build/bin/"
build=$work/build
put debian plugins
same "Debian's folder" "$(files debian)" "/etc/sysctl.d/99-zzz-onlink.conf
/usr/lib/cni/onlink
/usr/lib/cni/onlink-ipam"
done_testing
