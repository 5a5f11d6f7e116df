# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts of hack/: the repository's root, options, what is undone at the end, and packages.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
say() { printf '\033[1m== %s\033[0m\n' "$*"; }
die() { echo "$0: $*" >&2; exit 1; }

# usage: the script's opening comment. bad_usage WHY...: names what is wrong with the command line, exit status 2.
usage() { awk 'NR > 2 && !/^#/ { exit } NR > 2 { sub(/^# ?/, ""); print }' "$0"; }
bad_usage() { { echo "$0: $*"; usage; } >&2; exit 2; }

# at_exit COMMAND...: runs when the script ends, however it ends (failure, Ctrl-C, a closed terminal), last one first.
# For what a script makes outside its own folders.
undo_commands=()
at_exit() { undo_commands+=("$(printf '%q ' "$@")"); }
undo_all() {
  local i
  for ((i = ${#undo_commands[@]} - 1; i >= 0; i--)); do eval "${undo_commands[i]}" || true; done
  undo_commands=()
}
trap undo_all EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

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
                libcli11-dev libcurl4-openssl-dev libssl-dev libzstd-dev zlib1g-dev libyaml-cpp-dev)

# debian_release RELEASE FOLDER [ARCHITECTURE]: a private view of that Debian release in FOLDER, for fetch_packages: its
# lists are there, signed as ever; this machine's own sources and packages stay as they are. Needs no root. Fails where
# this machine does not use Debian's packages, or cannot reach them.
debian_release() {
  local release=$1 folder=$2 architecture=${3:-$(dpkg --print-architecture)} site
  site=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
    awk -v release="$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")" '$2 == release || $2 == "unstable" { print $1; exit }')
  [ -n "$site" ] || return 1
  mkdir -p "$folder"/{lists/partial,cache/archives/partial,etc}
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site $release main" >"$folder/sources.list"
  : >"$folder/status"
  cat >"$folder/apt.conf" <<END
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Sandbox::User "$(id -un)";
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$folder/lists";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
END
  APT_CONFIG=$folder/apt.conf apt-get update -qq
}

# fetch_packages FOLDER DESTINATION PACKAGE...: unpacks packages of the release of FOLDER (see debian_release) into
# DESTINATION, without installing them: PACKAGE or PACKAGE=VERSION.
fetch_packages() {
  local folder=$1 destination=$2 file
  (cd "$folder" && APT_CONFIG=$folder/apt.conf apt-get download -qq "${@:3}") || return 1
  mkdir -p "$destination"
  for file in "$folder"/*.deb; do dpkg -x "$file" "$destination" && rm "$file" || return 1; done
}

# is_static PROGRAM: it needs no ELF interpreter.
is_static() { LC_ALL=C readelf --wide --segments "$1" | awk '/INTERP/ { found = 1 } END { exit found }'; }

# What test/kernel needs to boot another kernel: the emulator, and what takes Debian's packages apart.
kernel_packages=(qemu-system-x86 kmod cpio xz-utils)
