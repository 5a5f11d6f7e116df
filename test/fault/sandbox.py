# SPDX-License-Identifier: Apache-2.0
# What a history needs of the machine: a host of its own for each, pods that are held in many ways, calls that end or
# wait at a chosen system call, and packets that tell who answers.
import ctypes
import fcntl
import json
import os
import platform
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import traceback

import world

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long
NEWNS, NEWNET, NEWPID = 0x20000, 0x40000000, 0x20000000
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 4096, 16384, 1 << 18, 2
PR_SET_PDEATHSIG = 1
SYS_exit = {"x86_64": 60}.get(platform.machine(), 93)
run_dir = "/run/onlink"
boot_id = "/proc/sys/kernel/random/boot_id"
host_address = {4: "192.0.2.1", 6: "2001:db8::1"}


def system(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}{arguments}: {os.strerror(error)}")


def mount(source, target, kind=None, flags=0):
    system("mount", *(text.encode() if text else None for text in (source, target, kind)), flags, None)


def unmount(target):
    system("umount2", target.encode(), MNT_DETACH)


def die_with_parent(parent):
    system("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() not in (parent, 0):
        os._exit(1)


def furnish():
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc")
    for place, kind in (("/run", "tmpfs"), ("/var/lib", "tmpfs"), ("/sys", "sysfs")):
        mount(kind, place, kind)
    for folder in ("/run/netns", "/run/pins", "/run/links", world.work):
        os.mkdir(folder)
    with open("/proc/sys/net/ipv4/ip_forward", "w") as switch:
        switch.write("1")
    world.shell("ip -batch -", input=f"link set lo up\naddr add {host_address[4]}/32 dev lo\naddr add {host_address[6]}/128 dev lo\n")


def start(work):
    """Begins work() as the first process of namespaces of its own: when it ends, or this process does, the kernel takes
    away all that it made. Returns the process ID to wait for, and a file from which its answer can be read as JSON."""
    outlet, inlet = os.pipe()
    parent = os.getpid()
    keeper = os.fork()
    if keeper:
        os.close(inlet)
        return keeper, outlet
    try:
        os.setsid()  # the terminal's signals are the caller's to handle
        die_with_parent(parent)
        os.close(outlet)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        system("unshare", NEWNS | NEWNET | NEWPID)
        parent = os.getpid()
        first = os.fork()
        if first:
            os.close(inlet)
            os.waitpid(first, 0)
            os._exit(0)
        die_with_parent(parent)
        try:
            furnish()
            answer = work()
        except BaseException:
            answer = {"broken": traceback.format_exc()}
        with os.fdopen(inlet, "w") as out:
            json.dump(answer, out)
    finally:
        os._exit(0)


class Inside:
    """The calling thread is in the network namespace of an open descriptor."""

    home = None

    def __init__(self, namespace):
        self.namespace = namespace

    def __enter__(self):
        if Inside.home is None:
            Inside.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        system("setns", self.namespace, NEWNET)

    def __exit__(self, *_):
        system("setns", Inside.home, NEWNET)


def set_up(interface):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", interface.encode(), 1))  # SIOCSIFFLAGS, IFF_UP


def new_namespace():
    if Inside.home is None:
        Inside.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    system("unshare", NEWNET)
    try:
        set_up("lo")
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    finally:
        system("setns", Inside.home, NEWNET)


class Occupant:
    """A process of two threads that are in the namespace; or, hidden, only the second of them."""

    def __init__(self, namespace, hidden):
        self.ended = False
        ready, into = os.pipe()
        wait, self.command = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            self.live(namespace, hidden, parent, into, wait)
        os.close(into)
        os.close(wait)
        self.thread = int(os.read(ready, 32))
        os.close(ready)

    def live(self, namespace, hidden, parent, into, wait):
        try:
            die_with_parent(parent)
            namespace_copy = os.dup(namespace)
            keep = {into, wait, namespace_copy}
            for name in os.listdir("/proc/self/fd"):
                if int(name) not in keep:
                    try:
                        os.close(int(name))
                    except OSError:
                        pass
            if not hidden:
                system("setns", namespace_copy, NEWNET)

            def second():
                if hidden:
                    system("setns", namespace_copy, NEWNET)
                os.close(namespace_copy)
                os.write(into, str(threading.get_native_id()).encode())
                os.close(into)
                signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
                threading.Event().wait()

            threading.Thread(target=second, daemon=True).start()
            os.read(wait, 1)
            libc.syscall(SYS_exit, 0)  # the main thread only
        finally:
            os._exit(1)

    def end_main_thread(self):
        os.write(self.command, b"x")
        for _ in range(1000):
            with open(f"/proc/{self.pid}/stat") as status:
                if status.read().rsplit(")", 1)[1].split()[0] == "Z":
                    break
            time.sleep(0.001)
        self.ended = True

    def path(self, whole):
        return f"/proc/{self.pid}/ns/net" if whole else f"/proc/{self.pid}/task/{self.thread}/ns/net"

    def stop(self):
        os.close(self.command)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


class Pod:
    """A network namespace that lives as long as something holds it. Each way to hold it is also one to name it."""

    ways = ("name", "pin", "process", "thread", "descriptor")

    def __init__(self, name, ways):
        self.name, self.holders = name, {}
        namespace = new_namespace()
        status = os.fstat(namespace)
        self.id = (status.st_dev, status.st_ino)
        for way in ways:
            self.hold(way, namespace)
        os.close(namespace)

    @property
    def alive(self):
        return bool(self.holders)

    def hold(self, way, namespace):
        if way in ("name", "pin"):
            path = f"/run/{'netns' if way == 'name' else 'pins'}/{self.name}"
            with open(path, "a"):
                pass
            mount(f"/proc/self/fd/{namespace}", path, None, MS_BIND)
            self.holders[way] = path
        elif way == "descriptor":
            self.holders[way] = os.dup(namespace)
        else:
            self.holders[way] = Occupant(namespace, hidden=way == "thread")

    def let_go(self, way):
        holder = self.holders.pop(way)
        if way in ("name", "pin"):
            unmount(holder)
            os.unlink(holder)
        elif way == "descriptor":
            os.close(holder)
        else:
            holder.stop()

    def paths(self):
        """What CNI_NETNS can be: by form."""
        found = {}
        for way, holder in self.holders.items():
            if way == "name":
                found |= {"name": holder, "relative": self.name, "link": holder}
            elif way == "pin":
                found |= {"pin": holder}
            elif way == "descriptor":
                found |= {"self-descriptor": f"/proc/self/fd/{holder}", "descriptor": f"/proc/{os.getpid()}/fd/{holder}"}
            elif way == "thread" or holder.ended:
                found[way] = holder.path(False)
            else:
                found |= {way: holder.path(True), f"{way}-link": holder.path(True)}
        if "name" in self.holders and os.path.ismount("/run/netns"):  # covered by another mount
            del found["name"], found["relative"], found["link"]
        return found

    def open(self, directories):
        way, holder = next(iter(self.holders.items()))
        if way == "name":
            return os.open(self.name, os.O_RDONLY, dir_fd=directories)  # whatever is mounted over it
        if way == "descriptor":
            return os.dup(holder)
        return os.open(holder if way == "pin" else holder.path(False), os.O_RDONLY)


class Call:
    """A call of a plugin. With `at` it is killed or stopped at that system call, or after it has ended; one that is
    stopped waits until go_on()."""

    def __init__(self, program, environment, text, netns_folder=None, descriptors=(), kill=0, stop=0, lock=None):
        self.killed = self.waits = False
        self.calls = 0
        if not kill and not stop:
            self.run(program, environment, text, netns_folder, descriptors)
            return
        source, into = os.pipe()
        os.write(into, text)
        os.close(into)
        self.out, out = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self.become(program, environment, source, out, netns_folder, descriptors)
        os.close(source)
        os.close(out)
        self.trace(kill or stop, bool(stop), lock)
        if not self.waits:
            self.read_answer()

    def run(self, program, environment, text, folder, descriptors):
        process = subprocess.Popen([program], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, cwd=folder, pass_fds=descriptors)
        try:
            out, err = process.communicate(text, timeout=world.longest_call)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        self.answer = world.Answer(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))

    def become(self, program, environment, source, out, folder, descriptors):
        try:
            die_with_parent(os.getppid())
            os.dup2(source, 0)
            os.dup2(out, 1)
            os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
            for descriptor in descriptors:
                os.set_inheritable(descriptor, True)
            if folder:
                os.chdir(folder)
            libc.ptrace(0, 0, None, None)  # PTRACE_TRACEME
            os.execve(program, [program], environment)
        finally:
            os._exit(127)

    def trace(self, at, stop, lock):
        os.waitpid(self.pid, 0)
        libc.ptrace(0x4200, self.pid, None, 1 | 0x100000)  # PTRACE_SETOPTIONS: TRACESYSGOOD, EXITKILL
        deliver, entering = 0, True
        while True:
            libc.ptrace(24, self.pid, None, deliver)  # PTRACE_SYSCALL
            _, self.status = os.waitpid(self.pid, 0)
            if not os.WIFSTOPPED(self.status):
                return
            deliver = os.WSTOPSIG(self.status)
            if deliver != signal.SIGTRAP | 0x80:
                continue
            deliver = 0
            self.calls += entering
            entering = not entering
            # Killed before the call, but stopped after it: a call that takes the folder's lock would still be made.
            if self.calls < at or entering != stop:
                continue
            if not stop:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                self.killed, self.status = True, signal.SIGKILL
                return
            if not self.holds(lock):  # who waits with the folder's lock makes all others wait
                os.kill(self.pid, signal.SIGSTOP)
                libc.ptrace(17, self.pid, None, None)  # PTRACE_DETACH
                self.waits = True
                return

    def holds(self, path):
        try:
            inode = os.stat(path).st_ino
        except FileNotFoundError:
            return False
        with open("/proc/locks") as locks:
            return any(f" {self.pid} " in line and f":{inode} " in line for line in locks)

    def read_answer(self):
        text = b""
        while part := os.read(self.out, 65536):
            text += part
        os.close(self.out)
        self.answer = world.Answer(os.waitstatus_to_exitcode(self.status), text.decode("utf-8", "replace"), "")

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)
        self.waits = False
        _, self.status = os.waitpid(self.pid, 0)
        self.read_answer()

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.waits, self.killed = False, True
        _, self.status = os.waitpid(self.pid, 0)
        self.read_answer()


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def family_of(address):
    return 6 if ":" in address else 4


def icmp_socket(family):
    return socket.socket(*((socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) if family == 4 else
                           (socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)))


reply_type = {4: 0, 6: 129}


def echo_request(family, number, sequence):
    """The checksum of ICMPv6 is the kernel's concern."""
    body = struct.pack("!BBHHH", 8 if family == 4 else 128, 0, 0, number, sequence) + b"onlink.."
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


class Echo:
    """Asks addresses from the host and sees which MAC answers, and on which interface."""

    patience, every = 3.0, 0.3  # seconds

    def __init__(self):
        self.senders = {family: icmp_socket(family) for family in (4, 6)}
        self.watchers = {family: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
                         for family, protocol in ((4, 0x0800), (6, 0x86dd))}
        for watcher in self.watchers.values():
            watcher.setblocking(False)
        self.sequence = 0

    def ask(self, addresses):
        """{address: {(interface, MAC) that answered}}"""
        self.sequence = (self.sequence + 1) & 0xffff
        packets = {family: echo_request(family, 77, self.sequence) for family in (4, 6)}
        answers = {}
        end = time.monotonic() + self.patience
        while missing := [address for address in addresses if address not in answers]:
            for address in missing:
                try:
                    self.senders[family_of(address)].sendto(packets[family_of(address)], (address, 0))
                except OSError:
                    pass  # no way to it: no answer
            again = time.monotonic() + self.every
            self.collect(answers)
            while len(answers) < len(addresses) and time.monotonic() < again:
                time.sleep(0.0005)
                self.collect(answers)
            if time.monotonic() > end:
                break
        return answers

    def collect(self, answers):
        for family, watcher in self.watchers.items():
            while True:
                try:
                    frame, (interface, _, _, _, mac) = watcher.recvfrom(2048)
                except BlockingIOError:
                    break
                ip = frame[14:]
                if family == 4:
                    is_icmp, icmp, source = ip[9] == 1, ip[(ip[0] & 15) * 4:], socket.inet_ntop(socket.AF_INET, ip[12:16])
                else:
                    is_icmp, icmp, source = ip[6] == 58, ip[40:], socket.inet_ntop(socket.AF_INET6, ip[8:24])
                if is_icmp and icmp[0] == reply_type[family] and struct.unpack_from("!HH", icmp, 4) == (77, self.sequence):
                    answers.setdefault(source, set()).add((interface, mac.hex(":")))


def reaches_host(namespace, address):
    family = family_of(address)
    header = 20 if family == 4 else 0  # that a raw socket shows
    with Inside(namespace):
        asker = icmp_socket(family)
    with asker:
        asker.settimeout(Echo.every)
        asker.bind((address, 0))
        end = time.monotonic() + Echo.patience
        while time.monotonic() < end:
            try:
                asker.sendto(echo_request(family, 78, 1), (host_address[family], 0))
                while True:
                    packet = asker.recv(2048)
                    if packet[header] == reply_type[family] and packet[header + 4:header + 8] == struct.pack("!HH", 78, 1):
                        return True
            except OSError:
                time.sleep(0.001)
    return False


class Kernel:
    """One iproute2 that is asked again and again."""

    def __init__(self):
        self.process = None

    def ask(self, *queries):
        """The answer to each."""
        if not self.process:
            self.process = subprocess.Popen(["stdbuf", "-oL", "ip", "-N", "-j", "-d", "-b", "-"], text=True, bufsize=1,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.process.stdin.write("\n".join(queries) + "\n")
        return [[item for item in json.loads(self.process.stdout.readline()) if item] for _ in queries]

    def forget(self):
        """It remembers the names of interfaces: after they have changed, another one is asked."""
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()
            self.process = None


def addresses_inside(namespace, interface):
    with Inside(namespace):
        done = subprocess.run(["ip", "-j", "addr", "show", "dev", interface], text=True, stdout=subprocess.PIPE)
    found = [link for link in json.loads(done.stdout or "[]") if link]
    return found[0] if found else {}


def set_boot_id(text):
    """What every process here finds as the ID of this boot; None: the true one again."""
    if os.path.ismount(boot_id):
        unmount(boot_id)
    if text:
        path = f"{world.work}/boot-id"
        with open(path, "w") as file:
            file.write(text + "\n")
        mount(path, boot_id, None, MS_BIND)


def remove_tree(path):
    shutil.rmtree(path, ignore_errors=True)
