# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts of hack/: the repository's root, and packages.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
say() { printf '\033[1m== %s\033[0m\n' "$*"; }
die() { echo "$0: $*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install_packages PACKAGE...: installs those that are missing; asks nobody when nothing is.
install_packages() {
  local package missing=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  say "installing ${missing[*]}"
  as_root apt-get update -qq
  # A package must not start services on the machine: policy-rc.d is asked before any is started.
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null && as_root chmod 755 $policy && made=1
  fi
  local status=0
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    status=$?
  [ -z "$made" ] || as_root rm -f $policy
  [ $status = 0 ] || die "apt-get could not install ${missing[*]}"
}

build_packages=(g++ cmake ninja-build pkg-config nlohmann-json3-dev libfmt-dev libmnl-dev libgtest-dev
                libcli11-dev libnftables-dev libcurl4-openssl-dev libyaml-cpp-dev)
