# SPDX-License-Identifier: Apache-2.0
# A history: steps on a host of its own, and what must be true after each of them. The model knows which attachments live;
# whether it is right is asked of the pods, of iproute2 and of the folders.
import glob
import ipaddress
import itertools
import os
import re
import socket
import time

import sandbox
import world
from sandbox import Call, Echo, Inside, Kernel, Pod

ifname = "eth0"
pool_size = 8
calls_of_add, calls_of_others = 140, 90  # system calls that they make, or a few more


class Fault(Exception):
    """kind: the same for all histories that show the same."""

    def __init__(self, kind, detail=""):
        super().__init__(kind)
        self.kind, self.detail = kind, detail


class Network:
    """starts: for each of the configurations that it can have, the first address of each range set."""

    def __init__(self, name, kind, *starts):
        self.name, self.kind, self.starts = name, kind, starts
        self.range, self.prefix = 0, "onl"

    def pools(self):
        """An attachment has an address of each."""
        return [[str(ipaddress.ip_address(first) + i) for i in range(pool_size)] for first in self.starts[self.range]]

    def config(self):
        ranges = [[{"subnet": str(ipaddress.ip_network(pool[0] + ("/120" if ":" in pool[0] else "/24"), strict=False)), "rangeStart": pool[0], "rangeEnd": pool[-1]}]
                  for pool in self.pools()]
        ipam = {"type": "onlink-ipam", "cooldown": 0, "ranges": ranges}
        if self.kind == "host-local":
            ipam = {"type": "host-local", "ranges": ranges}
        if self.kind == "bridge":
            return {"cniVersion": "1.0.0", "name": self.name, "type": "bridge", "bridge": "br0", "isGateway": True,
                    "isDefaultGateway": True, "ipam": ipam}
        version = "1.0.0" if self.kind == "host-local" else "1.1.0"
        return {"cniVersion": version, "name": self.name, "type": "onlink", "mtu": 1500, "ipam": ipam,
                "hostInterfacePrefix": self.prefix}


def new_networks():
    """The first two have addresses in common."""
    all_of_them = (Network("net1", "own", ["10.10.0.2", "fd00:10::2"], ["10.11.0.2"]),
                   Network("net2", "own", ["10.12.0.2", "10.10.0.6"], ["10.13.0.2"]),
                   Network("net3", "host-local", ["10.20.0.2"]), Network("net4", "bridge", ["10.30.0.2"]))
    return {network.name: network for network in all_of_them}


def alias(key):
    return f"onlink {key[0]} {key[1]} {ifname}"


class Attachment:
    def __init__(self, key, pod, state, result=None, prefix="onl"):
        self.key, self.pod, self.state, self.result, self.prefix = key, pod, state, result, prefix
        self.addresses, self.mac = [], None
        self.lost = self.renamed = False  # its reservation, its interface
        self.lost_in_add = False  # its reservation, before its ADD had ended

    def __str__(self):
        return f"{self.key[0]} {self.key[1]} ({', '.join(self.addresses)} in {self.pod.name})"


class Witness:
    """The host's interfaces and routes, and the files of the networks."""

    def __init__(self, kernel, networks):
        self.all_links, routes, neighbours = kernel.ask("link show", "route show table all proto 169", "neigh show nud permanent")
        self.links = {link["ifalias"]: link for link in self.all_links if link.get("ifalias", "").startswith("onlink ")}
        self.names = {link["ifname"]: link for link in self.all_links}
        self.routes = {}
        for route in routes:
            self.routes.setdefault(route["dst"], []).append(route)
        self.neighbours = {(neighbour["dst"], neighbour["dev"]): neighbour.get("lladdr") for neighbour in neighbours}
        self.leases = {name: read_leases(name) for name in networks}

    def holder(self, address):
        """The key of the attachment that a route to the address leads to; nothing where there is none."""
        for route in self.routes.get(address, []):
            words = self.names.get(route.get("dev"), {}).get("ifalias", "").split()
            return (words[1], words[2]) if len(words) == 4 else ("", "")
        return None

    def unfinished(self):
        return [link["ifname"] for link in self.all_links if link.get("linkinfo", {}).get("info_kind") == "veth" and
                "ifalias" not in link and "master" not in link]


def is_address(name):
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def read_leases(network):
    """{address: key of its owner}"""
    folder, found = f"{world.data_dir}/{network}", {}
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if is_address(name):
            with open(f"{folder}/{name}", newline="") as file:
                found[name] = (network, file.read().split("\r\n")[0])
    return found


def is_orphan(records):
    """Of a data folder that is no more: the next ADD that makes such a folder sweeps these away."""
    try:
        status = os.stat(f"{records}/folder")
    except FileNotFoundError:
        return True
    return not records.endswith(f".{status.st_dev:x}.{status.st_ino:x}")


def mentions(container):
    """Files below runDir that name the container."""
    word = re.compile(rb"\b" + container.encode() + rb"\b")
    found = []
    for folder, _, names in os.walk(sandbox.run_dir):
        for name in names if not is_orphan(folder) else ():
            with open(f"{folder}/{name}", "rb") as file:
                if word.search(file.read()):
                    found.append(f"{folder}/{name}")
    return found


class Model:
    def __init__(self):
        self.networks = new_networks()
        self.pods, self.attachments, self.waiting = {}, {}, {}
        self.unprovable, self.earlier, self.killed_in = set(), set(), set()
        self.boots, self.foreign_boot = 0, False
        self.covered = False
        self.second_host = sandbox.new_namespace()
        self.from_there = set()  # keys of what the second host has attached
        self.directories = os.open("/run/netns", os.O_PATH | os.O_DIRECTORY)
        self.echo, self.kernel = Echo(), Kernel()
        self.after = []  # what must be true after the step, of a Witness
        self.counts = {}
        self.log = []
        self.look()

    def count(self, name, number=1):
        self.counts[name] = self.counts.get(name, 0) + number

    def living(self):
        return [a for a in self.attachments.values() if a.state == "living"]

    def elsewhere(self):
        """Those of the second host that nothing was done to."""
        return [a for a in self.attachments.values() if a.state == "elsewhere"]

    def look(self):
        self.now = Witness(self.kernel, self.networks)
        return self.now

    def require(self, condition, kind, detail=""):
        if not condition:
            raise Fault(kind, str(detail))

    # Steps. Each returns False where it makes no sense now.

    def step(self, step):
        self.after = []
        arguments = {name.replace("-", "_"): value for name, value in step.items() if name != "op"}
        done = getattr(self, "do_" + step["op"].replace("-", "_"))(**arguments)
        if done is False:
            return False
        self.count(step["op"])
        self.count("steps")
        self.check()
        return True

    def finish(self):
        for key in list(self.waiting):
            self.step({"op": "go-on", "net": key[0], "container": key[1]})

    def do_pod(self, pod, ways):
        if pod in self.pods or (self.covered and "name" in ways):
            return False
        self.pods[pod] = Pod(pod, ways.split(","))

    def do_hold(self, pod, way):
        pod = self.pods.get(pod)
        if not pod or way in pod.holders or (self.covered and way == "name"):
            return False
        namespace = pod.open(self.directories)
        pod.hold(way, namespace)
        os.close(namespace)

    def do_let_go(self, pod, way, wait=0):
        pod = self.pods.get(pod)
        if not pod or way not in pod.holders or (self.covered and way == "name"):
            return False
        pod.let_go(way)
        if not pod.alive:
            self.died(pod, wait)

    def died(self, pod, wait=1):
        del self.pods[pod.name]
        gone = [a for a in self.attachments.values() if a.pod is pod]
        for attachment in gone:
            attachment.state = "dead"
        for call in self.waiting.values():
            call.disturbed = True
        if wait:
            self.await_end([alias(a.key) for a in gone])

    def await_end(self, aliases):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            (links,) = self.kernel.ask("link show type veth")
            if not any(link.get("ifalias") in aliases for link in links):
                return
            time.sleep(0.005)
        raise RuntimeError("the kernel does not dismantle a dead namespace")

    def do_destroy(self, pod, wait=0):
        """All that holds the pod lets go."""
        pod = self.pods.get(pod)
        if not pod or (self.covered and "name" in pod.holders):
            return False
        for way in list(pod.holders):
            pod.let_go(way)
        self.died(pod, wait)

    def do_end_main_thread(self, pod):
        pod = self.pods.get(pod)
        if not pod or "process" not in pod.holders or pod.holders["process"].ended:
            return False
        pod.holders["process"].end_main_thread()

    def do_cover(self):
        if self.covered:
            return False
        sandbox.mount("tmpfs", "/run/netns", "tmpfs")
        self.covered = True

    def do_uncover(self):
        if not self.covered:
            return False
        sandbox.unmount("/run/netns")
        self.covered = False

    def do_range(self, net, index):
        network = self.networks[net]
        if int(index) >= len(network.starts) or int(index) == network.range:
            return False
        network.range = int(index)
        self.disturb()

    def do_prefix(self, net, value):
        if self.networks[net].prefix == value:
            return False
        self.networks[net].prefix = value

    def disturb(self):
        for call in self.waiting.values():
            call.disturbed = True

    def do_lose(self, what):
        """Somebody removes a network's folder, or runDir."""
        self.disturb()
        if what == "run":
            for name, leases in self.now.leases.items():
                self.unprovable |= {(name, address, owner) for address, owner in leases.items()}
            sandbox.remove_tree(sandbox.run_dir)
            return None
        sandbox.remove_tree(f"{world.data_dir}/{what}")
        self.forget_the_second_host([what])
        for attachment in self.attachments.values():
            attachment.lost |= attachment.key[0] == what

    def do_rename(self, net, container, name):
        attachment = self.attachments.get((net, container))
        link = self.now.links.get(alias((net, container)))
        if not attachment or attachment.state != "living" or not link or name in self.now.names:
            return False
        try:
            world.shell(f"ip link set {link['ifname']} name {name} 2>/dev/null")
        except world.subprocess.CalledProcessError:
            return False  # kernels before 6.2: only when it is down
        self.kernel.forget()
        attachment.renamed = True

    def do_boot_id(self, foreign):
        """A call in a container that has a boot ID of its own: the boot is the same."""
        if self.foreign_boot == bool(int(foreign)):
            return False
        self.foreign_boot = bool(int(foreign))
        self.forget_the_second_host(self.networks)
        self.set_boot_id()

    def forget_the_second_host(self, networks):
        """What nobody can know here any more."""
        for attachment in self.elsewhere():
            if attachment.key[0] in networks:
                attachment.state = "unknown"

    def set_boot_id(self):
        number = 1000 + self.boots if self.foreign_boot else self.boots
        sandbox.set_boot_id(f"00000000-0000-4000-8000-{number:012}" if number else None)

    def do_reboot(self):
        for call in self.waiting.values():
            call.kill()
        self.waiting.clear()
        if self.covered:
            self.do_uncover()
        for pod in list(self.pods.values()):
            for way in list(pod.holders):
                pod.let_go(way)
            del self.pods[pod.name]
        for name in set(self.look().names) - {"lo"}:
            world.subprocess.run(["ip", "link", "del", name], stderr=world.subprocess.DEVNULL)
        sandbox.remove_tree(sandbox.run_dir)
        self.attachments.clear()
        self.boots, self.foreign_boot = self.boots + 1, False
        self.set_boot_id()
        for name in self.networks:
            self.earlier |= {(name, address, owner) for address, owner in read_leases(name).items()}
        self.unprovable.clear()
        self.from_there.clear()

    # ADD

    def path_of(self, pod, form):
        """(CNI_NETNS, the folder to call from, descriptors to hand on)"""
        paths = pod.paths()
        if not paths:
            return None
        if form not in paths:
            form = sorted(paths)[0]
        path = paths[form]
        if form.endswith("link"):
            link = f"/run/links/{pod.name}"
            if os.path.lexists(link):
                os.unlink(link)
            os.symlink(path, link)
            path = link
        return path, "/run/netns" if form == "relative" else None, \
            (pod.holders["descriptor"],) if form == "self-descriptor" else ()

    def call(self, command, network, container, where=None, conf=None, program=None, kill=0, stop=0, host=None):
        path, folder, descriptors = where or ("", None, ())
        conf = conf or network.config()
        program = program or f"{'/usr/lib/cni' if network.kind == 'bridge' else world.bin_dir}/{conf['type']}"
        with Inside(self.second_host if host else Inside.home):
            return Call(program, world.environment(command, container, ifname, path), world.json.dumps(conf).encode(), folder,
                        descriptors, int(kill), int(stop), f"{world.data_dir}/{network.name}/lock")

    def has_interface(self, pod):
        namespace = pod.open(self.directories)
        try:
            with Inside(namespace):
                return any(name == ifname for _, name in socket.if_nameindex())
        finally:
            os.close(namespace)

    def do_add(self, net, container, pod, form="name", kill=0, stop=0, host=None):
        network, key, pod = self.networks[net], (net, container), self.pods.get(pod)
        if not pod or key in self.waiting or (network.kind == "bridge" and (kill or stop or self.foreign_boot)):
            return False
        known = self.attachments.get(key)
        if host and (kill or stop or known or network.kind != "own" or self.foreign_boot) or (known and known.state == "elsewhere"):
            return False
        # Two hosts with one folder cannot know of each other's pods once it is lost.
        if host and any(a.lost and a.key[0] == net for a in self.living()):
            return False
        where = self.path_of(pod, form)
        if not where or any(call.pod is pod for call in self.waiting.values()):
            return False
        excuses = self.excuses(key, pod)
        pools = network.pools()
        fresh = [not os.path.exists(f"{world.data_dir}/{net}/last_reserved_ip.{i}") for i in range(len(pools))]
        call = self.call("ADD", network, container, where, kill=kill, stop=stop, host=host)
        call.host, call.key, call.pod, call.excuses, call.network, call.prefix = host, key, pod, excuses, network, network.prefix
        call.before, call.disturbed, call.fresh, call.pools = self.now, False, fresh, pools
        self.earlier = {entry for entry in self.earlier if entry[2] != key}
        if call.waits:
            self.count("waiting")
            self.waiting[key] = call
            return None
        return self.added(call)

    def excuses(self, key, pod):
        """Why an ADD may be refused that wants an address."""
        found = []
        if alias(key) in self.now.links:
            found.append("its host end exists")
        if key in self.attachments and self.attachments[key].state != "dead":
            found.append("it lives, as far as is known")
        if self.has_interface(pod):
            found.append("the pod has such an interface")
        for address, owner in self.now.leases[key[0]].items():
            if owner == key and not self.is_reclaimable(key[0], address, owner, self.now):
                found.append(f"it has {address}, not provably dead")
        if self.now.unfinished():
            found.append("an unfinished pair")
        return found

    def is_reclaimable(self, net, address, owner, witness):
        kind = self.networks[net].kind
        if kind == "host-local":
            return False
        if (net, address, owner) in self.earlier:
            return True
        return kind == "own" and owner not in self.from_there and owner not in self.waiting and alias(owner) not in witness.links and \
            not witness.unfinished() and (net, address, owner) not in self.unprovable

    def is_free(self, net, address, witness):
        owner = witness.leases[net].get(address)
        return not witness.holder(address) and not witness.unfinished() and \
            (owner is None or self.is_reclaimable(net, address, owner, witness))

    def added(self, call):
        key, answer = call.key, call.answer
        known = self.attachments.get(key)
        if call.killed:
            self.count("killed")
            self.killed_in.add(key[0])
            if not known or known.state == "dead":
                self.attachments[key] = Attachment(key, call.pod, "unknown")
            if call.disturbed:
                self.unprovable |= {(key[0], address, owner) for address, owner in read_leases(key[0]).items() if owner == key}
            return
        problem = answer.problem("ADD")
        self.require(not problem, "the answer to ADD is not of the protocol", f"{problem}: {answer}")
        if answer.ok:
            self.succeeded(call, known)
        else:
            self.refused(call, known)

    def succeeded(self, call, known):
        key, answer = call.key, call.answer
        self.count("ADD succeeded")
        # Of one whose folder was lost during its ADD, and its interface renamed, nothing but a look at all interfaces would tell.
        untold = known and known.lost and (call.network.kind == "bridge" or (known.lost_in_add and known.renamed))
        if known and known.state == "living" and not untold:
            raise Fault("a second ADD of a living attachment succeeds", f"{known}: {answer.out}")
        addresses = [ip["address"].split("/")[0] for ip in answer.document["ips"]]
        self.require(len(addresses) == len(call.pools) and all(map(list.__contains__, call.pools, addresses)),
                     "an address outside of its range", addresses)
        for other in [*self.living(), *self.elsewhere()]:
            both_here = other.key[0] == key[0] or not (call.host or other.state == "elsewhere")
            self.require(not both_here or not set(addresses) & set(other.addresses), "an address of a living pod is given again",
                         f"{other} to {call.pod.name}")
        attachment = Attachment(key, call.pod, "living" if call.pod.alive else "dead", answer.document, call.prefix)
        attachment.addresses = addresses
        leases = read_leases(key[0])
        attachment.lost = attachment.lost_in_add = call.disturbed and any(leases.get(address) != key for address in addresses)
        for address in addresses:
            (self.unprovable.add if call.disturbed else self.unprovable.discard)((key[0], address, key))
        self.attachments[key] = attachment
        if call.host:
            attachment.state = "elsewhere"
            self.from_there.add(key)
        if call.pod.alive:
            self.look_inside(attachment)
        if not call.disturbed:
            orphans = [records for records in glob.glob(f"{sandbox.run_dir}/ipam/{key[0]}.*") if is_orphan(records)]
            self.require(not orphans, "records of a folder that is gone stay after ADD", orphans)
        if not call.disturbed and call.network.kind == "own" and not call.host:
            for fresh, pool, address in zip(call.fresh, call.pools, addresses):
                if fresh:
                    self.after.append(self.made_anew(key[0], pool[:pool.index(address)]))

    def made_anew(self, net, passed):
        """Requires that the living whose addresses were tried, as their reservations were lost, have them again."""
        met = [(a, address) for a in self.living() if a.lost and a.key[0] == net for address in a.addresses if address in passed]
        return lambda now: [self.require(now.leases[net].get(address) == a.key,
                                         "a reservation that was lost is not made anew though its route was met", a)
                            for a, address in met]

    def look_inside(self, attachment):
        namespace = attachment.pod.open(self.directories)
        inside = sandbox.addresses_inside(namespace, ifname)
        os.close(namespace)
        addresses = [info["local"] for info in inside.get("addr_info", []) if info["scope"] == "global"]
        self.require(addresses == attachment.addresses, "the pod has not the addresses of ADD's answer",
                     f"{attachment}: {addresses}")
        attachment.mac = inside["address"]

    def refused(self, call, known):
        key, answer, net = call.key, call.answer, call.key[0]
        self.count("ADD refused")
        self.log.append(f"    refused: {answer.message.strip()}")
        before = call.before
        if not call.disturbed and call.pod.alive and not call.excuses:
            if "no IP addresses available" in answer.message:
                # Whether a pod of the other host lives is not known to it: what was reserved there stays taken.
                free = [[address for address in pool if self.is_free(net, address, before) and
                         not (call.host and address in before.leases[net])] for pool in call.pools]
                self.require(not all(free) or self.waiting, "no address is left, says ADD, but one is free or its holder is dead",
                             f"{free}: {answer.message}")
            else:
                others = [holder for pool in call.pools for address in pool if (holder := before.holder(address)) and
                          (holder[0] != net or call.network.kind == "host-local" or self.state_of(holder) != "living")]
                self.require(others or self.waiting, "ADD is refused without a cause", answer.message)
        if not known:
            self.after.append(lambda now: self.left_nothing(now, key, "a refused ADD"))

    def state_of(self, key):
        return self.attachments[key].state if key in self.attachments else None

    def do_go_on(self, net, container):
        call = self.waiting.pop((net, container), None)
        if not call:
            return False
        call.go_on()
        self.look()
        call.excuses.append("it waited")
        return self.added(call)

    def do_kill_waiting(self, net, container):
        call = self.waiting.pop((net, container), None)
        if not call:
            return False
        call.kill()
        return self.added(call)

    def do_crowd(self, net, pod, count):
        """Pods that live, each held in another way."""
        names = [f"{pod}-{i}" for i in range(int(count))]
        if self.covered or any(name in self.pods for name in names):
            return False
        for name, way in zip(names, itertools.cycle(Pod.ways)):
            self.do_pod(name, way)
            self.do_add(net, name, name, way)
            self.look()
        return None

    def do_fill(self, net, pod, count, ways):
        """Pods that are attached and die at once, as those of a node whose runtime was killed."""
        names = [f"{pod}x{i}" for i in range(int(count))]
        if self.covered and "name" in ways:
            return False
        for name in names:
            if self.do_pod(name, ways) is not False:
                self.do_add(net, name, name)
                self.look()
        for name in names:
            if name in self.pods:
                self.do_destroy(name)
        self.after = []
        self.await_end([alias((net, name)) for name in names])
        return None

    # DEL, GC, CHECK

    def left_nothing(self, now, key, what):
        held = [address for address, owner in now.leases[key[0]].items() if owner == key]
        self.require(not held, f"{what} leaves a reservation", f"{key}: {held}")
        self.require(alias(key) not in now.links, f"{what} leaves an interface", now.links.get(alias(key)))
        # An empty file, whose maker was killed, names nobody.
        if key[1] and all(other[1] != key[1] for other in [*self.attachments, *self.waiting]):
            found = mentions(key[1])
            self.require(not found, f"{what} leaves a record", f"{key}: {found}")

    def do_del(self, net, container, where="there", kill=0, other="", form="name"):
        network, key = self.networks[net], (net, container)
        known = self.attachments.get(key)
        if key in self.waiting:
            return False
        pod = known.pod if known and known.pod.alive else None
        bridge = network.kind == "bridge"
        if bridge and (kill or self.foreign_boot or (pod and where != "there")):
            return False
        place = ("", None, ())
        if where == "there" and pod:
            place = self.path_of(pod, form) or place
        elif where == "gone":
            place = (f"/run/netns/nobody", None, ())
        elif where == "other":  # the path is another pod's by now
            if other not in self.pods or self.pods[other] is pod:
                return False
            place = self.path_of(self.pods[other], form) or place
        if bridge and pod and not place[0]:
            return False
        there = known is not None and known.state == "elsewhere"
        if there and kill:
            return False
        call = self.call("DEL", network, container, place, kill=kill, host=there)
        if call.killed:
            self.count("killed")
            if known and known.state == "living":
                known.state = "unknown"
            return None
        self.require(call.answer.ok, "DEL fails", call.answer)
        self.attachments.pop(key, None)
        self.after.append(lambda now: self.left_nothing(now, key, "DEL"))

    def do_gc(self, net, lacks="", adds="", kill=0):
        network = self.networks[net]
        if network.kind == "host-local" or (network.kind == "bridge" and (kill or lacks or self.foreign_boot)):
            return False
        valid = {key[1] for key in self.waiting if key[0] == net}
        valid |= {a.key[1] for a in [*self.living(), *self.elsewhere()] if a.key[0] == net and a.key[1] not in lacks.split(",")}
        valid |= {container for container in adds.split(",") if container}
        # A runtime cannot list what it is adding: onlink sees that for itself, where its records are.
        adding = {key[1] for key, call in self.waiting.items()
                  if key[0] == net and network.kind == "own" and not call.disturbed and key not in self.attachments}
        conf = {**world.of_gc(network.config(), *sorted(valid - adding)), "cniVersion": "1.1.0"}
        program = f"{world.bin_dir}/onlink-ipam" if network.kind == "bridge" else None
        before = self.now.leases[net]
        call = self.call("GC", network, "-", conf=conf, program=program, kill=kill)
        unlisted = [key for key in self.attachments if key[0] == net and key[1] not in valid]
        if call.killed:
            self.count("killed")
            for key in unlisted:
                if self.attachments[key].state == "living":
                    self.attachments[key].state = "unknown"
            return None
        self.require(call.answer.ok, "GC fails", call.answer)
        owners = {owner for owner in before.values()}
        gone = {*unlisted, *(owner for owner in owners if owner[1] not in valid)}
        for key in unlisted:
            del self.attachments[key]
        self.after.append(lambda now: self.collected(now, net, valid, before, gone))

    def collected(self, now, net, valid, before, gone):
        for key in gone:
            self.left_nothing(now, key, "GC")
        for address, owner in before.items():
            if owner[1] in valid and owner not in self.waiting:
                self.require(now.leases[net].get(address) == owner, "GC takes a reservation that the runtime lists as valid",
                             f"{address} of {owner}")
        for text, link in now.links.items():
            _, network, container, _ = text.split()
            self.require(network != net or container in valid, "GC leaves an interface", text)
        if self.waiting:
            return
        # One whose container the runtime lists as valid stays: its ADD may be about to go on.
        listed = any(key[0] == net and key[1] in valid and a.state == "unknown" for key, a in self.attachments.items())
        if self.killed_in <= {net} and not listed:
            self.require(not now.unfinished(), "GC leaves an interface that a killed ADD has made", now.unfinished())
        if not listed:
            self.killed_in.discard(net)
        folder = f"{world.data_dir}/{net}"
        odd = [name for name in (os.listdir(folder) if os.path.isdir(folder) else ())
               if not is_address(name) and not re.fullmatch(r"lock|last_reserved_ip\.\d+|\.onlink-index", name)]
        self.require(not odd, "GC leaves a file", odd)

    def do_check(self, net, container):
        attachment = self.attachments.get((net, container))
        if not attachment or attachment.state != "living":
            return False
        network = self.networks[net]
        bridge = network.kind == "bridge"
        if attachment.lost or attachment.renamed or attachment.prefix != network.prefix or bridge:
            return False
        where = self.path_of(attachment.pod, "name")
        if not where:
            return False
        call = self.call("CHECK", network, container, where, {**network.config(), "prevResult": attachment.result})
        self.require(call.answer.ok, "CHECK of a living attachment fails", f"{attachment}: {call.answer}")

    # What is true after each step.

    def check(self):
        now = self.look()
        living = self.living()
        by_address = {}
        for attachment in living:
            for address in attachment.addresses:
                other = by_address.setdefault(address, attachment)
                self.require(other is attachment, "an address at two living pods", f"{other}, {attachment}")
            self.look_at(attachment, now)
        # bridge leaves the host with the MAC of who had an address before.
        if any(self.networks[attachment.key[0]].kind == "bridge" for attachment in living):
            world.subprocess.run(["ip", "neigh", "flush", "dev", "br0"], stderr=world.subprocess.DEVNULL)
        answers = self.echo.ask(list(by_address))
        for attachment in living:
            namespace = attachment.pod.open(self.directories)
            for address in attachment.addresses:
                self.judge_answers(attachment, answers.get(address, set()), now)
                reached = sandbox.reaches_host(namespace, address)
                self.require(reached, "a living pod does not reach the host", f"{attachment}: from {address}")
            os.close(namespace)
        self.count("pods asked", len(living))
        for attachment in self.elsewhere():
            self.require(all(now.leases[attachment.key[0]].get(address) == attachment.key for address in attachment.addresses),
                         "the reservation of a living pod of another host namespace is gone", attachment)
        for text in now.links:
            key = tuple(text.split()[1:3])
            self.require(key in self.attachments or key in self.waiting, "an interface of nobody", text)
        for must in self.after:
            must(now)

    def is_under_way(self, key):
        return key in self.waiting or (key in self.attachments and self.attachments[key].state == "unknown")

    def look_at(self, attachment, now):
        key = attachment.key
        owners = {now.leases[key[0]].get(address) for address in attachment.addresses}
        # Whoever made a lost one anew may have been killed: an empty file names nobody. And two ADDs that were under way had the
        # same address, where the folder was lost between their leases: the one that was behind may wait, or have been killed.
        if attachment.lost:
            owners = {None if owner == (key[0], "") or self.is_under_way(owner) else owner for owner in owners}
        self.require(owners <= {key, None}, "the reservation of a living pod is another's", f"{attachment}: {owners}")
        self.require(attachment.lost or None not in owners, "the reservation of a living pod is gone", attachment)
        attachment.lost = None in owners
        if self.networks[key[0]].kind == "bridge":
            return
        link = now.links.get(alias(key))
        self.require(link, "the host end of a living pod is gone", attachment)
        for address in attachment.addresses:
            devices = [route.get("dev") for route in now.routes.get(address, [])]
            self.require(devices == [link["ifname"]], "the route of a living pod is gone or another's", f"{attachment}: {devices}")
            known = now.neighbours.get((address, link["ifname"]))
            self.require(known == attachment.mac, "the host does not know a living pod's MAC", f"{attachment}: {known}")

    def judge_answers(self, attachment, answers, now):
        self.require(answers, "a living pod is not reached from the host", attachment)
        link = now.links.get(alias(attachment.key))
        for interface, mac in answers:
            right = mac == attachment.mac and (link is None or interface == link["ifname"])
            if not right and interface != "br0" or mac != attachment.mac:
                raise Fault("another answers for a living pod", f"{attachment}: {interface} {mac}")


# Random steps, as the model's state allows.

def choose(random, model, networks):
    """The next step; weights are such that pools are full now and then, and most pods live."""
    options = []

    def offer(weight, **step):
        options.append((weight, step))

    nets = [model.networks[name] for name in networks]
    pods, living = list(model.pods.values()), model.living()
    network = random.choice(nets)
    net = network.name
    chance = random.random()
    faults = {} if network.kind == "bridge" or chance > 0.35 else \
        {"kill" if chance < 0.2 else "stop": random.randint(8, calls_of_add)}
    kill = {"kill": random.randint(8, calls_of_others)} if random.random() < 0.2 else {}
    forms = ("name", "relative", "link", "pin", "descriptor", "self-descriptor", "thread", "process", "process-link")

    bare = [pod for pod in pods if all(a.pod is not pod for a in model.attachments.values()) and
            all(call.pod is not pod for call in model.waiting.values())]
    if bare:
        pod = random.choice(bare)
        dead = [a.key[1] for a in model.attachments.values() if a.key[0] == net and a.state != "living"]
        container = random.choice(dead) if dead and random.random() < 0.3 else pod.name
        offer(40, op="add", net=net, container=container, pod=pod.name, form=random.choice(sorted(pod.paths()) or forms), **faults)
        offer(3, op="add", net=net, container=pod.name, pod=pod.name, host="second")
    if not pods:
        offer(60, op="crowd", net=net, pod=f"crowd{random.randint(1, 99)}", count=random.randint(2, 6))
    if len(pods) < 9:
        ways = [random.choice(Pod.ways)] if random.random() < 0.6 else random.sample(Pod.ways, 2)
        name = next(f"pod{i}" for i in range(1, 1000) if f"pod{i}" not in model.pods and
                    all(key[1] != f"pod{i}" for key in model.attachments))
        offer(24 if not bare else 3, op="pod", pod=name, ways=",".join(ways))
    if random.random() < 0.08:
        offer(20, op="fill", net=net, pod=f"fill{random.randint(1, 99)}", count=random.randint(2, pool_size), ways="descriptor")
    if living:
        victim = random.choice(living)
        key = victim.key
        home = model.networks[key[0]]
        repeated = random.choice(pods).name if random.random() < 0.5 else victim.pod.name
        offer(6, op="add", net=key[0], container=key[1], pod=repeated, form=random.choice(forms),
              **({} if home.kind == "bridge" else kill))
        where = random.choice(("there", "there", "empty", "gone", "other"))
        offer(9, op="del", net=key[0], container=key[1], where=where,
              **({"other": random.choice(pods).name} if where == "other" else {}), **kill)
        offer(3, op="check", net=key[0], container=key[1])
        if home.kind == "own":
            offer(2, op="rename", net=key[0], container=key[1], name=f"other{random.randint(1, 9)}")
        way = random.choice(list(victim.pod.holders))
        offer(7, op="let-go", pod=victim.pod.name, way=way, wait=random.randint(0, 1))
        offer(5, op="destroy", pod=victim.pod.name, wait=random.randint(0, 1))
        offer(4, op="hold", pod=victim.pod.name, way=random.choice(Pod.ways))
        if "process" in victim.pod.holders:
            offer(8, op="end-main-thread", pod=victim.pod.name)
    others = [key for key, a in model.attachments.items() if a.state != "living"]
    if others:
        key = random.choice(others)
        offer(6, op="del", net=key[0], container=key[1], where=random.choice(("there", "empty", "gone")), **kill)
    if network.kind != "host-local":
        lacks = [a.key[1] for a in living if a.key[0] == net]
        dead = [key[1] for key in others if key[0] == net]
        step = {"op": "gc", "net": net}
        if lacks and random.random() < 0.3 and network.kind == "own":
            step["lacks"] = random.choice(lacks)
        if dead and random.random() < 0.3:
            step["adds"] = random.choice(dead)
        offer(7, **step, **kill)
    if network.kind in ("own", "host-local"):
        offer(3, op="lose", what=net if network.kind == "own" and random.random() < 0.6 else "run")
    if network.kind == "own":
        offer(4, op="range", net=net, index=1 - network.range)
        offer(3, op="prefix", net=net, value=random.choice(("onl", "abc", "cali")))
    offer(2, op="reboot")
    offer(3, op="boot-id", foreign=int(not model.foreign_boot))
    offer(3 if not model.covered else 8, op="uncover" if model.covered else "cover")
    for key in model.waiting:
        offer(10, op="go-on", net=key[0], container=key[1])
        offer(3, op="kill-waiting", net=key[0], container=key[1])
    weights, steps = zip(*options)
    return random.choices(steps, weights)[0]


def play(source):
    """Plays steps until source() has none or one shows a fault; returns what happened."""
    model, steps, fault = Model(), [], None
    try:
        while step := source(model):
            steps.append(step)
            model.log.append(to_text(step))
            if not model.step(step):
                del steps[-1], model.log[-1]
        model.finish()
    except Fault as shown:
        fault = {"kind": shown.kind, "detail": shown.detail}
    return {"steps": steps, "fault": fault, "counts": model.counts, "log": model.log}


def to_text(step):
    return " ".join([step["op"], *(f"{name}={value}" for name, value in step.items() if name != "op" and value != "")])


def from_text(line):
    op, *words = line.split()
    return {"op": op, **dict(word.split("=", 1) for word in words)}
