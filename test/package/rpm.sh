#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The .rpm in a system of its own below a folder (rpm --root), with a shell and a systemctl that writes down what it is asked:
# installed, edited, upgraded and removed. What Fedora has besides is not here (its package manager, SELinux).
set -euo pipefail
# shellcheck source=../checks.bash
source "$(dirname "$0")/../checks.bash"
root=$(cd "$(dirname "$0")/../.." && pwd)
command -v rpmbuild >/dev/null && command -v busybox >/dev/null || { echo "without rpm and busybox-static nothing can be installed"; exit 77; }
own_folder

succeeds "the package" "$root/hack/package" --built --output "$work/made" rpm
old=$(echo "$work"/made/*.rpm)
# The next release of it: one more file that may be edited has changed.
mkdir "$work/tree"
(cd "$work/tree" && rpm2cpio "$old" | cpio -idm --quiet)
echo "# newer" >>"$work/tree/etc/iproute2/rt_protos.d/onlink.conf"
echo "# newer" >>"$work/tree/etc/sysctl.d/99-zzz-onlink.conf"
sed "s/@VERSION@/$(rpm -qp --qf '%{VERSION}' "$old")/; s#@STAGE@#$work/tree#; s/^Release: 1/Release: 2/" "$root/hack/packaging/onlink.spec" >"$work/onlink.spec"
SOURCE_DATE_EPOCH=$("$root/hack/version" --epoch) HOME=$work succeeds "the next release" rpmbuild -bb --quiet --define "_topdir $work/rpmbuild" \
  --define "_tmppath $work" --define "_dbpath $work/rpmdb" "$work/onlink.spec"
new=$(echo "$work"/rpmbuild/RPMS/*/*.rpm)

system=$work/system
mkdir -p "$system"/{bin,usr/bin,run/systemd/system,var/lib/cni/networks/pods}
cp "$(command -v busybox)" "$system/bin/busybox"
ln -s busybox "$system/bin/sh"
printf '#!/bin/sh\necho "$*" >>/asked\n' >"$system/usr/bin/systemctl"
chmod 755 "$system/usr/bin/systemctl"
echo pod1 >"$system/var/lib/cni/networks/pods/10.10.0.2"
files() { (cd "$system" && find . -path ./var/lib/rpm -prune -o ! -type d -printf '%M %p\n' | sort); }
asked() { cat "$system/asked" 2>/dev/null || true; rm -f "$system/asked"; }
on_system() { rpm --root "$system" --dbpath /var/lib/rpm "$@"; }
before=$(files)

succeeds "install" on_system -i --nodeps "$old"
same "what systemd is asked" "$(asked)" "daemon-reload"
succeeds "nothing differs from the package" on_system -V --nodeps onlink
for program in usr/libexec/cni/onlink usr/libexec/cni/onlink-ipam usr/sbin/onlink-node; do
  succeeds "/$program runs" chroot "$system" "/$program" --version
  grep -qE "[0-9]+\\.[0-9]+" "$work/out" || fail "/$program --version: $(cat "$work/out")"
done
same "the unit's program" "$(sed -n 's/^ExecStart=//p' "$system/usr/lib/systemd/system/onlink-node.service")" "/usr/sbin/onlink-node run"

echo "# edited" >>"$system/etc/sysctl.d/99-zzz-onlink.conf"
succeeds "upgrade" on_system -U --nodeps "$new"
same "what systemd is asked" "$(asked)" "$(printf '%s\n' daemon-reload daemon-reload "try-restart onlink-node.service")"
same "the edited file" "$(tail -1 "$system/etc/sysctl.d/99-zzz-onlink.conf")" "# edited"
same "the new one beside it" "$(tail -1 "$system/etc/sysctl.d/99-zzz-onlink.conf.rpmnew")" "# newer"
same "the file that nobody edited" "$(tail -1 "$system/etc/iproute2/rt_protos.d/onlink.conf")" "# newer"
succeeds "downgrade" on_system -U --oldpackage --nodeps "$old"
same "the edited file" "$(tail -1 "$system/etc/sysctl.d/99-zzz-onlink.conf")" "# edited"
asked >/dev/null

succeeds "remove" on_system -e onlink
same "what systemd is asked" "$(asked)" "$(printf '%s\n' "--no-reload disable --now onlink-node.service" daemon-reload)"
same "the edited file is kept" "$(tail -1 "$system/etc/sysctl.d/99-zzz-onlink.conf.rpmsave")" "# edited"
rm -f "$system"/etc/sysctl.d/*.rpmsave "$system"/etc/sysctl.d/*.rpmnew
same "all else is as before" "$(files)" "$before"
done_testing
