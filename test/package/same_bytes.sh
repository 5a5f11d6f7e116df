#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# hack/package makes the same bytes from the same programs, whenever and wherever it runs; the checksums fit; lintian finds no
# error in the .deb; the files that may be edited are marked in both kinds of packages. (That the programs are the same bytes
# in another folder is for hack/release to ask: it builds twice.)
set -euo pipefail
# shellcheck source=../checks.bash
source "$(dirname "$0")/../checks.bash"
root=$(cd "$(dirname "$0")/../.." && pwd)
own_folder
kinds=(deb tar)
! command -v rpmbuild >/dev/null || kinds+=(rpm)
mkdir "$work/here" "$work/elsewhere"
# Nothing is installed for it: what is missing is not made.
make() { succeeds "hack/package" env TMPDIR="$work/$1" "${@:3}" "$root/hack/package" --built --output "$work/$2" "${kinds[@]}"; }
make here first
(umask 077; make elsewhere second TZ=Asia/Tokyo LC_ALL=C.UTF-8 HOME=/nonexistent)
for file in "$work"/first/*; do
  check cmp "$file" "$work/second/${file##*/}" || fail "${file##*/} differs"
done
[ $checks -ge $((${#kinds[@]} + 1)) ] || fail "only $checks files"
check env -C "$work/first" sha256sum --check --quiet SHA256SUMS || fail "SHA256SUMS"
deb=$(echo "$work"/first/*.deb)
same "the version of the .deb" "$(dpkg-deb -f "$deb" Version)" "$("$root/hack/version")"
dpkg-deb --info "$deb" conffiles | sort >"$work/conffiles"
dpkg-deb -c "$deb" | awk '$6 ~ /^\.\/etc\/.*[^\/]$/ { print substr($6, 2) }' | sort >"$work/etc"
check diff "$work/etc" "$work/conffiles" || fail "not every file of /etc is a conffile"
same "owners" "$(dpkg-deb -c "$deb" | awk '{ print $2 }' | sort -u)" root/root
if [[ " ${kinds[*]} " == *" rpm "* ]]; then
  check diff "$work/etc" <(rpm -qcp "$work"/first/*.rpm | sort) || fail "the .rpm's configuration files"
fi
if command -v lintian >/dev/null; then
  succeeds "lintian" lintian --fail-on error "$deb"
fi
done_testing
