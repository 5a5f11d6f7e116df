# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts of hack/: the repository's root, options, what is undone at the end, and packages.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
say() { printf '\033[1m== %s\033[0m\n' "$*"; }
die() { echo "$0: $*" >&2; exit 1; }

# usage: the script's opening comment. bad_usage WHY...: names what is wrong with the command line, exit status 2.
usage() { awk 'NR > 2 && !/^#/ { exit } NR > 2 { sub(/^# ?/, ""); print }' "$0"; }
bad_usage() { { echo "$0: $*"; usage; } >&2; exit 2; }
# known_architecture WORD: what --arch takes.
known_architecture() { case $1 in amd64 | arm64) ;; *) bad_usage "--arch takes amd64 or arm64, not \"$1\"" ;; esac; }

# at_exit COMMAND...: runs when the script ends, however it ends (failure, Ctrl-C, a closed terminal), last one first.
# For what a script makes outside its own folders. Not for a script that then execs another: nothing would be undone. A
# signal is heard when the command in the foreground has ended; Ctrl-C and a closed terminal reach that one as well.
undo_commands=() undo_process=
at_exit() {
  # Traps are those of one process: a subshell that wants something undone has a list of its own.
  if [ "$undo_process" != "$BASHPID" ]; then
    undo_commands=() undo_process=$BASHPID
    trap undo_all EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 131' QUIT
    trap 'exit 141' PIPE
    trap 'exit 143' TERM
  fi
  undo_commands+=("$(printf '%q ' "$@")")
}
undo_all() {
  local i
  trap '' HUP INT QUIT PIPE TERM  # a second Ctrl-C does not leave half of it
  for ((i = ${#undo_commands[@]} - 1; i >= 0; i--)); do eval "${undo_commands[i]}" || true; done
  undo_commands=()
}

# Who runs what: only what needs root runs as root, all else as the owner of the checkout, also in `sudo hack/...`.
PATH=$PATH:/usr/sbin:/sbin  # a user's, and that of root by plain su, lacks them
owner=$(stat -c %u "$root")
need_root() { # WHAT FOR: said at once, not after a build
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "$*: that takes root, and there is no sudo here"
}
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else need_root "$1" && sudo "$@"; fi
}
as_owner() {
  local me home
  me=$(id -u)
  if [ "$me" != 0 ] || [ "$owner" = 0 ]; then
    [ -w "$root" ] || die "$root belongs to $(stat -c %U "$root"): run this as that user, or in a clone of your own"
    "$@"
    return
  fi
  home=$(getent passwd "$owner" | cut -d: -f6) || home=
  # One who is known only by number has no home for a compiler's cache.
  setpriv --reuid "$owner" --regid "$(stat -c %g "$root")" --clear-groups \
    env HOME="${home:-/nonexistent}" ${home:-CCACHE_DISABLE=1} "$@"
}
# become_owner [ARGUMENT...]: the rest of a script that needs no root any more, by the owner: it starts again as that one.
become_owner() {
  [ "$(id -u)" = 0 ] && [ "$owner" != 0 ] || return 0
  as_owner "$0" "$@"
  exit
}
# as_root_for_owner FOLDER COMMAND...: as root; what that leaves in FOLDER and in the checkout belongs to the checkout's
# owner at the end, however it ends.
as_root_for_owner() {
  as_root bash -c '. "$0/hack/lib.bash"; at_exit give_back "$1"; "${@:2}"' "$root" "$@"
}
give_back() { # FOLDER
  [ "$owner" = 0 ] || find "$root" "$1" -xdev -uid 0 -exec chown -h "$owner:$(stat -c %g "$root")" {} +
}
# build [ARGUMENT...]: hack/build, as the owner.
build() {
  why='to build onlink' install_packages "${build_packages[@]}"
  as_owner "$root/hack/build" "$@"
}

# missing_packages PACKAGE...: those that are not installed, one a line.
missing_packages() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}
# [why=WHAT FOR] install_packages PACKAGE...: installs those that are missing (hack/packages); asks nobody when nothing is.
policy_mark="# Made by onlink's hack/packages, which removes it at its end."
install_packages() {
  local missing
  command -v dpkg-query >/dev/null || die "this needs Debian's packages, and this system has none: $*"
  mapfile -t missing < <(missing_packages "$@")
  if [ ${#missing[@]} -gt 0 ]; then
    need_root "to install ${missing[*]}${why:+ ($why)}"
    say "installing ${why:+$why: }${missing[*]}"
  elif ! grep -qsxF "$policy_mark" /usr/sbin/policy-rc.d; then
    return 0
  fi
  as_root "$root/hack/packages" "${missing[@]}"
}

build_packages=(g++ cmake ninja-build pkg-config nlohmann-json3-dev libfmt-dev libmnl-dev libgtest-dev
                libcli11-dev libcurl4-openssl-dev libmicrohttpd-dev libssl-dev libzstd-dev zlib1g-dev libyaml-cpp-dev)

# debian_site: where this machine's apt gets its own release of Debian from.
debian_site() {
  local site
  site=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
    awk -v release="$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")" '$2 == release || $2 == "unstable" || $2 == "sid" { print $1; exit }')
  [ -n "$site" ] && echo "$site"
}

# debian_release RELEASE FOLDER [ARCHITECTURE]: a private view of that Debian release in FOLDER, for fetch_packages: its
# lists are there, signed as ever; this machine's own sources and packages stay as they are. Needs no root. Fails where
# this machine does not use Debian's packages, or cannot reach them.
debian_release() {
  local release=$1 folder=$2 architecture=${3:-$(dpkg --print-architecture)} site
  site=$(debian_site) || return 1
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
