# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts that boot a kernel in qemu: what is needed, its start and its end. A guest has two folders: the
# file system to stand on, read-only, and a folder of its own, $exchange, for what goes in and out.

# shellcheck source=../../hack/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/../../hack/lib.bash"
kernel=6.1 append='' processors=1 architecture='' file_system=/
cannot() { echo "$(basename "$0"): $*" >&2; exit 77; }

guest_option() { # OPTION VALUE
  [ $# -ge 2 ] || bad_usage "$1 needs a value"
  case $1 in
    --kernel) kernel=$2 ;;
    --append) append=$2 ;;
    --smp) processors=$2 ;;
    --arch) architecture=$2 ;;
    --root) file_system=$2 ;;
  esac
}

# job_file FILE COMMAND...: what the guest runs, where the caller is and with the caller's variables.
job_file() {
  local name file=$1
  {
    for name in "${!ONLINK_@}"; do declare -p "$name"; done
    [ "$file_system" != / ] || printf 'cd %q\n' "$PWD"
    printf '%q ' "${@:2}"
    echo
  } >"$file"
}

# The first program of the guest mounts the file system and goes there. It is in a file system of its own in memory, with
# busybox and the modules that reach the other.
make_initrd() { # KERNEL-FOLDER DESTINATION
  local scratch=$2.d path number=10
  mkdir -p "$scratch"/{bin,modules,proc,sys,dev,root}
  cp "$1/busybox" "$scratch/bin/busybox"
  # In the order in which they need each other; what is part of the kernel itself is no file.
  for path in $(/sbin/modprobe -d "$1" -S "$(basename "$1"/lib/modules/*)" -C /dev/null -a --show-depends virtio_pci 9pnet_virtio 9p |
    awk '$1 == "insmod" && !seen[$2]++ { print $2 }'); do
    cp "$path" "$scratch/modules/$((number++)).ko"
  done
  cat >"$scratch/init" <<'END_OF_INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs devtmpfs /dev
for module in /modules/*.ko; do $b insmod $module; done
options=trans=virtio,version=9p2000.L,msize=262144,cache=loose
$b mount -t 9p -o ro,$options root /root || $b poweroff -f
$b mount -t proc proc /root/proc
$b mount -t sysfs sysfs /root/sys
$b mount -t tmpfs -o mode=755 tmpfs /root/run
$b mkdir /root/run/exchange /dev/guest /dev/guest/kernel
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 exchange /root/run/exchange
$b mount -t 9p -o ro,$options kernel /dev/guest/kernel
$b mount --move /dev /root/dev
$b cp /root/run/exchange/init /root/run/init
exec $b switch_root /root /bin/bash /run/init
END_OF_INIT
  chmod +x "$scratch/init"
  (cd "$scratch" && find . | cpio --quiet -o -H newc) >"$2"
  rm -rf "$scratch"
}

# No mitigations, and every program at the same place each time: translated code is used again. no_timer_check, and no
# watchdogs: on a busy machine the emulated processor stands still for longer than a real one could.
parameters=(quiet panic=-1 mitigations=off nokaslr norandmaps no_timer_check nowatchdog
            rcupdate.rcu_cpu_stall_suppress=1)

# start_guest EXCHANGE SECONDS [QEMU-ARGUMENT...]: boots; its process is $guest, which ends when the guest powers off, or
# after that time.
start_guest() {
  local exchange=$1 limit=$2 qemu machine console processor=max folder accelerator=tcg,thread=multi
  architecture=${architecture:-$(dpkg --print-architecture 2>/dev/null || uname -m)}
  case $architecture in
    amd64) qemu=qemu-system-x86_64 machine=q35 console=ttyS0 ;;
    arm64) qemu=qemu-system-aarch64 machine=virt console=ttyAMA0 ;;
    *) cannot "no kernel is known for $architecture" ;;
  esac
  if [ -n "${ONLINK_KVM:-}" ]; then accelerator=kvm processor=host; fi
  command -v $qemu >/dev/null || cannot "no $qemu (package qemu-system-x86, for arm64 qemu-system-arm)"
  command -v cpio >/dev/null || cannot "no cpio (package cpio)"
  folder=$("$here/fetch" --arch "$architecture" "$kernel") || exit $?
  make_initrd "$folder" "$exchange/initrd"
  cp "$here/init" "$exchange/init"
  local no_owners=security_model=none,multidevs=remap
  # shellcheck disable=SC2086
  timeout --kill-after=5 "$limit" $qemu -M $machine -accel "$accelerator" -cpu $processor -smp "$processors" \
    -m "${ONLINK_GUEST_MEMORY:-768}" -nodefaults -display none -nic none -no-reboot -serial "file:$exchange/console" \
    -fsdev "local,id=root,path=$file_system,readonly=on,$no_owners" -device virtio-9p-pci,fsdev=root,mount_tag=root \
    -fsdev "local,id=kernel,path=$folder,readonly=on,$no_owners" -device virtio-9p-pci,fsdev=kernel,mount_tag=kernel \
    -fsdev "local,id=exchange,path=$exchange,$no_owners" -device virtio-9p-pci,fsdev=exchange,mount_tag=exchange \
    -kernel "$folder/vmlinuz" -initrd "$exchange/initrd" \
    -append "console=$console onlink.guest=$kernel ${parameters[*]} $append" \
    "${@:3}" </dev/null >"$exchange/qemu" 2>&1 &
  guest=$!
}
end_guest() { kill -TERM "$guest" 2>/dev/null && wait "$guest" || true; }

guest_failed() { # EXCHANGE
  echo "$(basename "$0"): the guest ended without a result; its console:" >&2
  tail -q -n 20 "$1/qemu" "$1/console" >&2
  exit 125
}
