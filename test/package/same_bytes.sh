#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# hack/package makes the same bytes from the same programs, whenever and wherever it runs; the checksums fit; lintian finds no
# error in the .deb; the files that may be edited are marked in both kinds of packages. (That the programs are the same bytes
# in another folder is for hack/release to ask: it builds twice.)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=0
fail() { echo "FAILED: $*" >&2; exit 1; }
kinds=(deb tar)
! command -v rpmbuild >/dev/null || kinds+=(rpm)
mkdir "$work/here" "$work/elsewhere"
# Nothing is installed for it: what is missing is not made.
make() { env TMPDIR="$work/$1" "${@:3}" "$root/hack/package" --built --output "$work/$2" "${kinds[@]}" >"$work/log" 2>&1 || { cat "$work/log"; fail "hack/package"; }; }
make here first
(umask 077; make elsewhere second TZ=Asia/Tokyo LC_ALL=C.UTF-8 HOME=/nonexistent)
for file in "$work"/first/*; do
  checks=$((checks + 1))
  cmp "$file" "$work/second/${file##*/}" || fail "${file##*/} differs"
done
[ $checks -ge $((${#kinds[@]} + 1)) ] || fail "only $checks files"
(cd "$work/first" && sha256sum --check --quiet SHA256SUMS) || fail "SHA256SUMS"
deb=$(echo "$work"/first/*.deb)
checks=$((checks + 3))
[ "$(dpkg-deb -f "$deb" Version)" = "$("$root/hack/version")" ] || fail "the version of the .deb"
dpkg-deb --info "$deb" conffiles | sort >"$work/conffiles"
dpkg-deb -c "$deb" | awk '$6 ~ /^\.\/etc\/.*[^\/]$/ { print substr($6, 2) }' | sort >"$work/etc"
diff "$work/etc" "$work/conffiles" || fail "not every file of /etc is a conffile"
! dpkg-deb -c "$deb" | awk '{ print $2 }' | grep -v root/root || fail "owners"
if [[ " ${kinds[*]} " == *" rpm "* ]]; then
  checks=$((checks + 1))
  diff "$work/etc" <(rpm -qcp "$work"/first/*.rpm | sort) || fail "the .rpm's configuration files"
fi
if command -v lintian >/dev/null; then
  checks=$((checks + 1))
  lintian --fail-on error "$deb" >"$work/lintian" 2>&1 || { cat "$work/lintian"; fail "lintian"; }
fi
echo "same_bytes.sh: $checks checks passed"
