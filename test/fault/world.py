# SPDX-License-Identifier: Apache-2.0
# The world of a fault test: network, mount and process namespaces of its own, in which the script's network namespace
# is the host and /run and /var/lib are empty. When the script ends, however it ends, the kernel takes all of it away.
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time

here = os.path.dirname(os.path.abspath(__file__))
enter_program, namespace_program = (os.path.join(here, "../netns", name) for name in ("enter", "namespace"))
bin_dir = os.environ.get("ONLINK_BIN") or os.path.normpath(os.path.join(here, "../../build/bin"))
data_dir = "/var/lib/cni/networks"
work = "/run/work"
longest_call = 60  # seconds; every call that is not traced must be far below

INNER = "ONLINK_TEST_INSIDE"


def shell(command, **options):
    return subprocess.run(command, shell=True, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def enter():
    """Starts the script again inside; returns there."""
    if not os.environ.get(INNER):
        os.environ[INNER] = "1"
        os.execv(enter_program, [enter_program, sys.executable, *sys.argv])
    shell("mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && mount -t sysfs sysfs /sys && "
          f"mkdir -p /run/netns {work} && {namespace_program} && ip link set lo up && ip addr add 192.0.2.1/32 dev lo && "
          "ip -6 addr add 2001:db8::1/128 dev lo && "
          "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")


def split(jobs):
    """Does the script's work in `jobs` processes, each in a world of its own: returns (number, jobs) in each of them.
    In the first process it does not return: that one waits, and ends with the worst of their statuses. They end with it."""
    mine = os.environ.get("ONLINK_TEST_SHARD")
    if mine:
        return int(mine), jobs
    started = [subprocess.Popen(["setpriv", "--pdeathsig", "TERM", sys.executable, *sys.argv], stdout=subprocess.PIPE, text=True,
                                env={**os.environ, "ONLINK_TEST_SHARD": str(i)}) for i in range(jobs)]
    totals = {}
    for process in started:
        output, _ = process.communicate()
        for line in output.splitlines():
            if line.startswith("count "):
                _, name, number = line.split("\t")
                totals[name] = totals.get(name, 0) + int(number)
            else:
                print(line)
    print(f"{os.path.basename(sys.argv[0])}: " + ", ".join(f"{name} {number}" for name, number in totals.items()))
    sys.exit(max((abs(process.returncode) for process in started), default=0))


class Tally:
    """Counts what was tried and what went wrong, and says each of the latter at once."""

    def __init__(self):
        self.counts = {}
        self.bad = 0

    def count(self, name, number=1):
        self.counts[name] = self.counts.get(name, 0) + number

    def wrong(self, what):
        self.bad += 1
        print(f"WRONG {what}", flush=True)

    def expect(self, condition, what):
        self.count("checks")
        if not condition:
            self.wrong(what)
        return bool(condition)

    def finish(self):
        self.counts["wrong"] = self.bad
        if os.environ.get("ONLINK_TEST_SHARD"):
            for name, number in self.counts.items():
                print(f"count \t{name}\t{number}")
        else:
            print(f"{os.path.basename(sys.argv[0])}: " + ", ".join(f"{k} {v}" for k, v in self.counts.items()))
        sys.exit(1 if self.bad else 0)


def config(network="net1", **changes):
    ipam = {"type": "onlink-ipam", "cooldown": 0,
            "ranges": [[{"subnet": "10.10.0.0/24"}], [{"subnet": "fd00:10::/64"}]]}
    return {"cniVersion": "1.1.0", "name": network, "type": "onlink", "mtu": 1500, "ipam": ipam, **changes}


def of_gc(conf, *containers):
    """The configuration of a GC for which the attachments of these containers are valid, and no others."""
    return {**conf, "cni.dev/valid-attachments": [{"containerID": name, "ifname": "eth0"} for name in containers]}


class Answer:
    def __init__(self, status, out, err, seconds=0.0, peak=0):
        self.status, self.out, self.err, self.seconds, self.peak = status, out, err, seconds, peak
        try:
            self.document = json.loads(out) if out else None
        except ValueError:
            self.document = None

    @property
    def ok(self):
        return self.status == 0

    @property
    def killed(self):
        return self.status < 0 or 128 < self.status < 255  # strace dies of its tracee's signal, or tells 128 + signal

    @property
    def code(self):
        return self.document.get("code") if isinstance(self.document, dict) else None

    @property
    def message(self):
        if not isinstance(self.document, dict):
            return ""
        return f'{self.document.get("msg", "")}\n{self.document.get("details", "")}'

    def problem(self, command):
        """What is wrong with it as an answer of the protocol; nothing where it is one."""
        if self.ok and command == "ADD":
            good = isinstance(self.document, dict) and self.document.get("ips")
            return None if good else "success of ADD without a result"
        if self.ok:
            return "success with output" if self.out else None
        good = isinstance(self.document, dict) and isinstance(self.code, int) and self.document.get("msg")
        return None if good else "failure without an error document"

    def __str__(self):
        return f"status {self.status}, stdout {self.out[:300]!r}, stderr {self.err[-300:]!r}"


def environment(command, container, ifname="eth0", netns=None, **more):
    values = {"PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_CONTAINERID": container,
              "CNI_IFNAME": ifname, "CNI_PATH": f"{bin_dir}:{work}:/usr/lib/cni",
              "CNI_NETNS": f"/run/netns/{container}" if netns is None else netns, **more}
    values |= {name: os.environ.get(name) for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")}
    return {name: value for name, value in values.items() if value is not None}


def cni(command, container, conf, prefix=(), plugin="onlink", prev=None, timeout=longest_call, **variables):
    """Calls a plugin; prefix: a command that runs it."""
    if prev is not None:
        conf = {**conf, "prevResult": prev}
    text = conf if isinstance(conf, (str, bytes)) else json.dumps(conf)
    data = text.encode() if isinstance(text, str) else text
    path = plugin if "/" in plugin else os.path.join(bin_dir, plugin)
    env = environment(command, container, **variables)
    begun = time.monotonic()
    try:
        done = subprocess.run([*prefix, path], input=data, env=env, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except subprocess.TimeoutExpired as late:
        return Answer(124, "", f"no end within {late.timeout} s", timeout)
    return Answer(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"),
                  time.monotonic() - begun)


class Insistent:
    """Sends packets to addresses again and again, whether there is a way to them or not."""

    def __init__(self, addresses):
        self.addresses, self.ended = addresses, threading.Event()
        self.thread = threading.Thread(target=self.work)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def work(self):
        families = {4: socket.AF_INET, 6: socket.AF_INET6}
        senders = {version: socket.socket(family, socket.SOCK_DGRAM) for version, family in families.items()}
        for address in itertools.cycle(self.addresses):
            if self.ended.is_set():
                break
            try:
                senders[6 if ":" in address else 4].sendto(b"", (address, 9))
            except OSError:
                pass  # no way to it yet, or it refuses
            time.sleep(0.0001)
        for sender in senders.values():
            sender.close()


def pod(name):
    shell(f"{namespace_program} {name}")


volatile = {"ifindex", "link_index", "link_netnsid", "valid_life_time", "preferred_life_time", "stats", "stats64",
            "parentdev", "parentbus", "num_tx_queues", "num_rx_queues"}


def without_volatile(value):
    if isinstance(value, dict):
        return {key: without_volatile(item) for key, item in value.items() if key not in volatile}
    if isinstance(value, list):
        return sorted((without_volatile(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


def kernel(namespace=None):
    """What iproute2 sees, as a set of lines, without counters, timers and indexes."""
    queries = "link show\naddr show\nroute show table all\nneigh show nud permanent\nrule show\n"
    place = ["-n", namespace] if namespace else []
    done = subprocess.run(["ip", *place, "-j", "-d", "-b", "-"], input=queries, text=True, stdout=subprocess.PIPE)
    lines, decoder, text = set(), json.JSONDecoder(), done.stdout
    while text.strip():
        value, end = decoder.raw_decode(text.lstrip())
        text = text.lstrip()[end:]
        for item in value:
            lines.add(f"{namespace or 'host'}: " + json.dumps(without_volatile(item), sort_keys=True))
    return lines


# What may stay: the lock, hints where to go on, the index, and temporary names that the next call takes over.
hints = re.compile(r"/(lock|last_reserved_ip\.\d+|\.onlink-index)$")


def files(*roots):
    """Every file below, with its content."""
    found = set()
    for root in roots:
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if os.path.join(folder, name) not in (work, "/run/netns")]
            for name in names:
                path = os.path.join(folder, name)
                if hints.search(path):
                    continue
                content = os.readlink(path) if os.path.islink(path) else open(path, "rb").read(4096)
                found.add(f"file {path}: {content!r}")
    return found


def state(*namespaces):
    everything = kernel() | files("/var/lib", "/run")
    for name in namespaces:
        everything |= kernel(name)
    return everything


def settled(expected, *namespaces, seconds=0.0):
    """The state's differences to the expected one; waits for the kernel's own cleaning that long."""
    end = time.monotonic() + seconds
    while True:
        now = state(*namespaces)
        if now == expected or time.monotonic() >= end:
            return [f"- {line[:400]}" for line in sorted(expected - now)] + \
                   [f"+ {line[:400]}" for line in sorted(now - expected)]
        time.sleep(0.02)
