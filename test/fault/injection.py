# SPDX-License-Identifier: Apache-2.0
# Faults in system calls, by strace: which calls can fail with what, and how to have one fail.
import os
import re

import world

# What a call can fail with, besides the ones for all.
fitting = {
    "openat": ["EMFILE", "ENFILE", "EIO", "ENOSPC", "EROFS", "EACCES", "EPERM", "ELOOP", "ETIMEDOUT"],
    "read": ["EIO", "EAGAIN"], "pread64": ["EIO"], "write": ["ENOSPC", "EIO", "EPIPE", "EDQUOT"],
    "pwrite64": ["ENOSPC", "EIO"], "close": ["EIO", "ENOSPC"], "mkdir": ["ENOSPC", "EROFS", "EACCES", "EDQUOT"],
    "renameat2": ["ENOSPC", "EIO", "EPERM", "EINVAL", "EXDEV"], "renameat": ["ENOSPC", "EIO"], "rename": ["EIO"],
    "linkat": ["EPERM", "EMLINK", "ENOSPC"], "unlinkat": ["EIO", "EPERM", "EROFS", "EBUSY"],
    "flock": ["ENOLCK", "EIO"], "fsetxattr": ["EOPNOTSUPP", "ENOSPC", "EPERM"], "fgetxattr": ["EOPNOTSUPP", "EIO"],
    "newfstatat": ["EIO", "ESTALE", "EACCES"], "faccessat2": ["EIO", "EACCES", "EPERM"], "fstatfs": ["EIO"],
    "utimensat": ["EPERM", "EROFS", "EIO"], "ftruncate": ["EIO", "EPERM"], "getdents64": ["EIO"],
    "socket": ["EMFILE", "EPERM", "EAFNOSUPPORT", "ENOBUFS"], "setsockopt": ["ENOPROTOOPT", "EPERM"],
    "sendto": ["ENOBUFS", "EPERM", "ECONNREFUSED", "EMSGSIZE", "EAGAIN"],
    "recvmsg": ["ENOBUFS", "EIO", "EAGAIN", "ETIMEDOUT"], "setns": ["EPERM", "EINVAL"], "ioctl": ["ENOTTY", "EPERM"],
    "fsync": ["EIO", "ENOSPC"], "pipe2": ["EMFILE", "ENFILE"], "memfd_create": ["EMFILE", "ENOSYS"],
    "clone3": ["EAGAIN"], "clone": ["EAGAIN"], "wait4": ["ECHILD"], "lseek": ["ESPIPE"], "mmap": [], "brk": [],
}
for_all = ["ENOMEM", "EPERM", "EIO"]
interruptible = {"openat", "read", "write", "pread64", "pwrite64", "flock", "recvmsg", "recvfrom", "sendto", "sendmsg",
                 "wait4", "ftruncate", "fsync", "faccessat2", "newfstatat", "getdents64", "mkdir", "unlinkat"}
# signal(7): those of the list above that really do return EINTR, on any file system.
must_bear_interruption = {"openat", "read", "write", "flock", "recvmsg", "recvfrom", "sendto", "sendmsg", "wait4",
                          "pread64", "pwrite64", "ftruncate", "fsync"}
# Errors that last: a full disk, a broken one, one that turned read-only, a limit that is reached.
lasting = {"openat": ["EMFILE", "ENOSPC", "EROFS", "EIO"], "write": ["ENOSPC", "EIO"], "pwrite64": ["ENOSPC", "EIO"],
           "mkdir": ["ENOSPC", "EROFS"], "linkat": ["ENOSPC", "EROFS"], "renameat2": ["EROFS", "ENOSPC"],
           "unlinkat": ["EROFS", "EIO"], "ftruncate": ["EROFS", "EIO"], "fsync": ["EIO"], "read": ["EIO"],
           "pread64": ["EIO"], "flock": ["ENOLCK"], "socket": ["EMFILE", "ENOBUFS"], "sendto": ["ENOBUFS", "EPERM"],
           "recvmsg": ["ENOBUFS", "ENOMEM"], "setns": ["EPERM"], "newfstatat": ["EIO"], "getdents64": ["EIO"]}
never_fail = {"exit_group", "exit", "getpid", "gettid", "getuid", "execve", "rt_sigreturn", "vfork"}


def strace(*expressions):
    """A prefix; expressions: those of strace -e."""
    return ["strace", "-qq", "-o", "/dev/null", *(part for expression in expressions for part in ("-e", expression))]


def inject(name, which, fault):
    """fault: SIGKILL, an errno's name, or that with "+": so does every later call of that name."""
    error, lasts = fault.rstrip("+"), "+" if fault.endswith("+") else ""
    how = "signal=SIGKILL" if error == "SIGKILL" else f"error={error}"
    return strace(f"trace={name}", f"inject={name}:{how}:when={which}{lasts}")


# A prefix: each read and write moves a single byte. AddressSanitizer itself does not bear it.
bytewise = [] if os.environ.get("ASAN_OPTIONS") else [os.path.join(world.bin_dir, "fault", "bytewise")]


def interrupt_all(names):
    """Every such call is interrupted, and done when it is tried again; in children as well."""
    calls = ",".join(sorted(names))
    return strace(f"trace={calls}", f"inject={calls}:error=EINTR:when=1+2") + ["-f"]


def read_trace(path):
    """What strace -o wrote: (name, first argument) of each system call, in order."""
    calls = []
    for line in open(path, errors="replace"):
        if match := re.match(r"(\w+)\(([^,)]*)", line):
            calls.append((match[1], match[2]))
    return calls
