# SPDX-License-Identifier: Apache-2.0
# Sourced after lib.bash by what runs in fresh installations of Debian: hack/matrix, hack/readme, test/package/run.

declare -A codenames=([12]=bookworm [13]=trixie [sid]=sid)
default_folder=${XDG_CACHE_HOME:-$HOME/.cache}/onlink-matrix
known_releases() { # RELEASE...
  local release
  for release in "$@"; do
    [ -n "${codenames[$release]:-}" ] || bad_usage "unknown release: $release (known: 12 13 sid)"
  done
}

# in_private FUNCTION ARGUMENT...: a function of this file as root, in mount and process namespaces of its own. Whatever it
# mounts and starts is gone when it ends, however it ends, and a folder below never shows the machine's own /dev or /proc
# when it is removed.
in_private() {
  as_root unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
    bash -euo pipefail -c '. "$0/hack/lib.bash"; . "$0/hack/chroot.bash"; "$@"' "$root" "$@"
}

# install_release CODENAME FOLDER SITE PACKAGES: in FOLDER/root, unless it is there.
install_release() {
  [ -e "$2/complete" ] && return
  rm -rf --one-file-system "$2"
  mkdir -p "$2"
  debootstrap --variant=minbase --include="$4" "$1" "$2/root" "$3" >"$2/debootstrap.log" || { tail -5 "$2/debootstrap.log" >&2; exit 1; }
  # No service starts in it.
  printf '#!/bin/sh\nexit 101\n' >"$2/root/usr/sbin/policy-rc.d"
  chmod 755 "$2/root/usr/sbin/policy-rc.d"
  touch "$2/complete"
}

# inside FOLDER SOURCE COMMAND...: the command in the installation of that folder, with a fresh copy of the source. The
# root is changed by pivot_root, as for a container: in a mere chroot no container can be started.
inside() {
  mount --bind "$1/root" "$1/root"
  enter "$1/root" "${@:2}"
}
# The same, but nothing is kept: the installation is as bare the next time.
inside_layer() {
  local layer
  layer=$(mktemp -d "$1/layer-XXXXXX")
  # Its own namespace unmounts it when this process ends; the folder is the caller's to remove.
  mkdir "$layer/upper" "$layer/work" "$layer/root"
  mount -t overlay overlay -o "lowerdir=$1/root,upperdir=$layer/upper,workdir=$layer/work" "$layer/root"
  enter "$layer/root" "${@:2}"
}
remove_layers() { rm -rf --one-file-system "$1"/layer-*; } # FOLDER

enter() { # ROOT SOURCE COMMAND...
  local root=$1 place=/root/onlink
  rm -rf --one-file-system "$root$place" "$root/.machine"
  cp -R --no-preserve=ownership "$2" "$root$place"
  # How this machine reaches the packages (a proxy, for example).
  apt-config dump | grep '^Acquire::' >"$root/etc/apt/apt.conf.d/90machine" || true
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  mount -t tmpfs tmpfs "$root/run"
  mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
  mkdir "$root/.machine"
  cd "$root" || exit
  pivot_root . .machine
  # shellcheck disable=SC2016
  exec chroot . env -i "HOME=/root" "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" LANG=C.UTF-8 \
    "PLACE=$place" CCACHE_DIR=/var/cache/ccache bash -c 'umount -l /.machine && cd "$PLACE" && "$@"' bash "${@:3}"
}
