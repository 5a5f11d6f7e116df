# SPDX-License-Identifier: Apache-2.0
"""The host on which everything is measured: namespaces that are gone when the process ends, pods, leases, and the
contestants, each of which makes jobs for the timer (timer.c tells their form)."""
import ipaddress
import json
import os
import subprocess
import sys

NETNS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns")
ENTER, NAMESPACE = f"{NETNS}/enter", f"{NETNS}/namespace"
INSIDE = "ONLINK_BENCH_INSIDE"
WORK = "/run/bench"
NETWORK = "bench"
SUBNETS = {"IPv4": ["10.10.0.0/16"], "IPv6": ["fd00:10::/64"], "dual": ["10.10.0.0/16", "fd00:10::/64"]}
ADDRESSES = {"IPv4": ["10.10.0.2"], "IPv6": ["fd00:10::2"], "dual": ["10.10.0.2", "fd00:10::2"]}


def enter():
    """Starts this program again in network, mount and process namespaces of its own; returns inside."""
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execv(ENTER, [ENTER, sys.executable, *sys.argv])
    sh("mount", "-t", "tmpfs", "tmpfs", "/run")
    sh("mount", "-t", "sysfs", "sysfs", "/sys")
    for folder in ("/run/netns", WORK):
        os.makedirs(folder)
    sh(NAMESPACE)
    sh("ip", "link", "set", "lo", "up")
    sh("ip", "addr", "add", "192.0.2.1/32", "dev", "lo")
    sh("ip", "-6", "addr", "add", "2001:db8::1/128", "dev", "lo")
    for setting in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        sh("sysctl", "-qw", f"{setting}=1")


def sh(*command, **options):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def make_pods(prefix, count):
    """Empty network namespaces with lo up, as runtimes hand them over. Kept for the next measurement."""
    names = [f"{prefix}{i}" for i in range(count)]
    missing = [name for name in names if not os.path.exists(f"/run/netns/{name}")]
    if missing:
        sh(NAMESPACE, *missing)
    return names


def job(name, arguments, stdin="-", stdout="-", environment=(), timed=True):
    fields = [name, "timed" if timed else "quiet", stdin, stdout, *environment, "--", *arguments]
    return "\t".join(fields) + "\n"


class Floor:
    """floor.c."""
    name = "floor"

    def __init__(self, folder):
        self.program = f"{folder}/floor"

    def prepare(self, family):
        self.addresses = ADDRESSES[family]

    def job(self, command, pod, index=0, **options):
        host = f"onl{pod}"  # as the attachments of a host are called: DEL looks whether one is left
        if command == "DEL":
            return job(f"{self.name} DEL", [self.program, "del", host], **options)
        addresses = [str(ipaddress.ip_address(address) + index) for address in self.addresses]
        return job(f"{self.name} ADD", [self.program, "add", host, f"onlink {NETWORK} {pod} eth0", f"/run/netns/{pod}",
                                        "eth0", str(100000 + index), *addresses], **options)


class Plugin:
    """A CNI plugin with an IPAM plugin."""

    def __init__(self, name, folder, plugin, ipam, **settings):
        self.name = name
        self.path = folder
        self.program = f"{folder}/{plugin}"
        self.plugin, self.ipam, self.settings = plugin, ipam, settings
        # host-local's folders are alike, whoever calls it: they are shared.
        self.leases = f"/run/leases/{ipam}"

    def prepare(self, family):
        routes = [{"dst": "0.0.0.0/0" if "." in subnet else "::/0"} for subnet in SUBNETS[family]]
        ranges = [[{"subnet": subnet}] for subnet in SUBNETS[family]]
        self.configuration = {"cniVersion": "1.0.0", "name": NETWORK, "type": self.plugin, "mtu": 1500, **self.settings,
                              "ipam": {"type": self.ipam, "ranges": ranges, "routes": routes, "dataDir": self.leases}}
        self.file = f"{WORK}/{self.name.replace(' ', '')}.json"
        write(self.file, json.dumps(self.configuration))

    def job(self, command, pod, index=0, stdin=None, **options):
        environment = [f"CNI_COMMAND={command}", f"CNI_CONTAINERID={pod}", f"CNI_NETNS=/run/netns/{pod}",
                       "CNI_IFNAME=eth0", f"CNI_PATH={self.path}", f"PATH={os.environ['PATH']}"]
        return job(f"{self.name} {command}", [self.program], stdin or self.file, environment=environment, **options)

    def fill(self, count):
        """This many addresses taken by others, in host-local's layout, which every IPAM here reads."""
        folder = f"{self.leases}/{NETWORK}"
        sh("rm", "-rf", folder)
        os.makedirs(folder)
        if count == 0:
            return
        first = ipaddress.ip_address("10.10.0.2")
        for i in range(count):
            write(f"{folder}/{first + i}", f"{i:064x}\r\neth0")
        write(f"{folder}/last_reserved_ip.0", str(first + count - 1))


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def install(target, *sources):
    """Copies of programs without symbols, as the packages install them: what a linker wrote lies in the page cache in small pieces, is
    mapped piece by piece, and starts 0.15 ms later than the same file written in one go."""
    stripped = f"{target}/stripped"
    os.makedirs(stripped, exist_ok=True)
    sh("install", "--strip", "--target-directory", stripped, *sources)
    sh("install", "--target-directory", target, *(f"{stripped}/{os.path.basename(source)}" for source in sources))


def contestants(folder):
    """By name: what is compared; all programs are in one folder, the newest peers in one below it."""
    everybody = [Floor(folder),
                 Plugin("onlink", folder, "onlink", "onlink-ipam"),
                 Plugin("onlink + host-local", folder, "onlink", "host-local"),
                 Plugin("ptp + host-local", folder, "ptp", "host-local"),
                 Plugin("bridge + host-local", folder, "bridge", "host-local", bridge="cni0", isGateway=True)]
    newest = f"{folder}/newest"
    if os.path.isdir(newest):
        everybody += [Plugin("newest ptp + host-local", newest, "ptp", "host-local"),
                      Plugin("newest bridge + host-local", newest, "bridge", "host-local", bridge="cni0", isGateway=True)]
    return {each.name: each for each in everybody}


class Timer:
    def __init__(self, folder):
        self.program = f"{folder}/timer"

    def run(self, jobs, parallel=1):
        """By the name of the job: lists of (wall ms, cpu ms, peak KiB, minor faults); "total" has one."""
        done = subprocess.run([self.program, str(parallel)], input="".join(jobs), text=True, capture_output=True,
                              check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        figures = {}
        for line in done.stdout.splitlines():
            name, wall, cpu, peak, faults = line.split("\t")
            figures.setdefault(name, []).append((int(wall) / 1e6, int(cpu) / 1e6, int(peak), int(faults)))
        return figures
