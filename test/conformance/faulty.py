# SPDX-License-Identifier: Apache-2.0
"""A CNI plugin of all versions that does everything right, main or IPAM, except for the faults named in the file `faults`
beside the program. It exists to test the suite: each fault must make the expected cases fail, and no other (faults.tsv).
A module, so that it is compiled once; selftest makes the two programs that import it."""
import fcntl
import json
import os
import re
import signal
import sys
import zlib

HERE, ME = os.path.split(os.path.abspath(sys.argv[0]))
FAULTS = set(open(HERE + "/faults").read().split()) if os.path.exists(HERE + "/faults") else set()
VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
ENV = {k: os.environ.get("CNI_" + k, "") for k in ("COMMAND", "CONTAINERID", "NETNS", "IFNAME", "ARGS", "PATH")}
NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]*"


def fault(name):
    return name in FAULTS


class Refused(Exception):
    def __init__(self, code, msg, details="none"):
        super().__init__(msg)
        self.code, self.msg, self.details = code, msg, details


def number(version):
    return [int(n) for n in version.split(".")]


def run(*argv, stdin=None):
    """Runs a command; its exit status and output."""
    r, w = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(w, 1)
        if stdin is not None:
            i, o = os.pipe()
            os.write(o, stdin)
            os.close(o)
            os.dup2(i, 0)
        os.dup2(os.open("/dev/null", os.O_WRONLY), 2) if stdin is None or fault("delegate-stderr-lost") else None
        os.execvp(argv[0], argv)
    os.close(w)
    with os.fdopen(r, "rb") as pipe:
        output = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output


def host(*argv):
    return run("ip", *argv)


def pod(*argv):
    return run("nsenter", "--net=" + ENV["NETNS"], "ip", *argv)


def pod_json(*argv):
    rc, output = pod("-j", *argv)
    return json.loads(output) if rc == 0 and output else []


# --- what is common to main and IPAM


def read_conf():
    try:
        text = sys.stdin.buffer.read()
    except OSError as e:
        raise Refused(100 if fault("code-of-io") else 5, "standard input: %s" % e)
    try:
        conf = json.loads(text)
    except ValueError as e:
        raise Refused(100 if fault("code-of-decoding") else 6, "configuration: %s" % e)
    conf_version = conf.setdefault("cniVersion", "0.1.0")
    if conf_version not in VERSIONS:
        if not fault("any-version"):
            raise Refused(7 if fault("code-of-version") else 1, "incompatible version", conf_version)
        conf["cniVersion"] = "1.1.0"
    if conf["cniVersion"] == "0.3.0" and fault("listed-version-refused"):
        raise Refused(1, "incompatible version", conf_version)
    if "name" not in conf:
        raise Refused(100 if fault("code-of-no-name") else 7, "the network has no name")
    if not re.fullmatch(NAME, conf["name"]) and not fault("any-network-name"):
        raise Refused(7, "invalid network name", conf["name"])
    if conf["name"][0] == "0" and fault("letters-only-names"):
        raise Refused(7, "invalid network name", conf["name"])
    check_keys(conf)
    return conf, text


def check_keys(conf):
    unknown = [k for k in conf if k not in ("cniVersion name type ipam dns ipMasq args runtimeConfig prevResult".split())]
    for key in unknown:
        if fault("cni-dev-keys-refused") and key.startswith("cni.dev/of"):
            raise Refused(2, "unknown key %s" % key, str(conf[key]))
        if fault("unknown-key-unnamed") and key.startswith("conformance"):
            raise Refused(2, "unknown key")
    if fault("args-refused") and "args" in conf and "ips" not in str(conf["args"]):
        raise Refused(7, "args are not understood")
    if fault("cni-args-refused") and "K8S" in ENV["ARGS"]:
        raise Refused(4, "CNI_ARGS are not understood")
    if fault("capabilities-refused") and "conformance.test" in conf.get("runtimeConfig", {}):
        raise Refused(7, "runtimeConfig is not understood")


def check_environment():
    needed = {"ADD": "CONTAINERID NETNS IFNAME", "CHECK": "CONTAINERID NETNS IFNAME", "DEL": "CONTAINERID IFNAME"}
    command = ENV["COMMAND"]
    if command not in ("ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"):
        raise Refused(100 if fault("code-of-environment") else 4, "CNI_COMMAND is %s" % command)
    extra = " NETNS" if fault("del-needs-netns") and command == "DEL" else ""
    extra += " PATH" if fault("cni-path-needed") and command != "VERSION" else ""
    missing = [n for n in (needed.get(command, "") + extra).split() if not ENV[n]]
    if missing:
        raise Refused(100 if fault("code-of-environment") else 4,
                      "a variable is missing" if fault("variables-unnamed") else "missing: CNI_" + ", CNI_".join(missing))
    if command == "DEL" and fault("del-needs-the-namespace") and not os.path.exists(ENV["NETNS"]):
        raise Refused(100, "the namespace is gone")
    if ENV["CONTAINERID"] and not re.fullmatch(NAME, ENV["CONTAINERID"]) and not fault("any-container-id"):
        raise Refused(4, "invalid CNI_CONTAINERID")
    if len(ENV["CONTAINERID"]) > 60 and fault("short-container-ids"):
        raise Refused(4, "CNI_CONTAINERID is too long")


def version_reply():
    text = sys.stdin.read()
    asked = "1.0.0" if fault("version-constant") else json.loads(text)["cniVersion"]
    supported = "all" if fault("supported-no-list") else VERSIONS
    if fault("version-with-text"):
        print("plugin faulty")
    print(json.dumps({"cniVersion": asked, "supportedVersions": supported}))


def in_version(result, version):
    """The result in the form of its version."""
    n = number(version)
    if fault("one-form-for-all"):
        return dict(result, cniVersion=version)
    if n < [0, 3, 0]:
        old = {"cniVersion": version, "dns": result.get("dns", {})}
        for ip in result["ips"]:
            key = "ip6" if ":" in ip["address"] else "ip4"
            routes = [r for r in result.get("routes", []) if (":" in r["dst"]) == (key == "ip6")]
            old[key] = {"ip": ip["address"], "gateway": ip.get("gateway"), "routes": [{"dst": r["dst"]} for r in routes]}
        result = old
    elif n < [1, 0, 0]:
        for ip in result["ips"]:
            ip["version"] = "6" if ":" in ip["address"] else "4"
    if n < [1, 1, 0]:
        for interface in result.get("interfaces", []):
            interface.pop("mtu", None)
    result["cniVersion"] = "0.4.0" if fault("result-version-constant") else version
    return result


def attachment_key(conf):
    names = "/".join((conf["name"], ENV["CONTAINERID"], ENV["IFNAME"])).encode()
    return "%08x%02x" % (zlib.crc32(names), zlib.adler32(names) & 255)


# --- delegation


def delegate(conf, text, verb, must=True):
    """Executes the IPAM plugin; its answer. None if there is none to execute."""
    kind = conf.get("ipam", {}).get("type", "")
    skip = {"DEL": "no-delegated-del", "CHECK": "no-delegated-check", "GC": "no-delegated-gc", "STATUS": "no-delegated-status"}
    if not kind or fault(skip.get(verb, "")):
        return None
    if "/" in kind and not fault("ipam-type-with-path"):
        raise Refused(7, "ipam.type is a path", kind)
    paths = ENV["PATH"].split(":")
    if fault("last-directory-skipped") and len(paths) > 1:
        paths.pop()
    if fault("other-directories"):
        paths.append("/run/cni-conformance/recorder/bin")
    program = next((p + "/" + kind for p in paths if os.access(p + "/" + kind, os.X_OK)), None)
    if not program:
        raise Refused(100, "%s is not in CNI_PATH" % kind)
    if fault("configuration-cut") and verb == "ADD":
        text = json.dumps({k: conf[k] for k in ("cniVersion", "name", "type", "ipam") if k in conf}).encode()
    if fault("environment-cut"):
        os.environ.pop("CNI_ARGS", None)
    os.environ["CNI_COMMAND"] = verb
    rc, output = run(program, stdin=text)
    if rc != 0 and must:
        answer = json.loads(output or b"{}")
        raise Refused(answer.get("code", 100), "%s: %s" % (kind, answer.get("msg", "failed")), answer.get("details", ""))
    return json.loads(output) if output.strip() else {}


def lenient(verb):
    return not fault("delegate-error-ignored-in-" + verb.lower())


def modern(answer):
    """An IPAM answer of any version with ips and routes."""
    if answer is None:
        return {"ips": [], "routes": []}
    for key in ("ip4", "ip6"):
        if key in answer:
            old = answer.pop(key)
            answer.setdefault("ips", []).append({"address": old["ip"], "gateway": old.get("gateway")})
            answer.setdefault("routes", []).extend(old.get("routes", []))
    for ip in answer.get("ips", []):
        ip.pop("version", None)
    return answer


# --- main: a veth pair, addresses, routes, masquerade on request


class Main:
    STATE = "/run/faulty/"

    def __init__(self, conf, text):
        self.conf, self.text = conf, text
        self.key = attachment_key(conf)
        self.host_name = "fy" + self.key
        self.host_mac, self.pod_mac = ("02:%s:%s:%s:%s:%s" % tuple(d + self.key[i:i + 1] for i in range(5)) for d in "01")
        wanted = conf.get("runtimeConfig", {}).get("mac")
        if wanted:
            if re.fullmatch("([0-9a-f]{2}:){5}[0-9a-f]{2}", wanted):
                self.pod_mac = wanted
            elif not fault("malformed-mac-ignored"):
                raise Refused(7, "malformed mac", wanted)

    def add(self):
        name = ENV["IFNAME"][:15] if fault("interface-name-cut") else ENV["IFNAME"]
        if fault("status-first") and os.path.exists("/run/faulty-status-failed"):
            raise Refused(50, "STATUS said no")
        if not re.fullmatch(r"(?!\.{1,2}$)[^/:\s]{1,15}", name) and not fault("interface-name-cut"):
            raise Refused(4, "CNI_IFNAME cannot be used", ENV["IFNAME"])
        if pod("link", "show", "dev", "lo")[0] and not fault("any-namespace"):
            raise Refused(42 if fault("code-reserved") else 100, "CNI_NETNS is no namespace", ENV["NETNS"])
        if pod("link", "show", "dev", name)[0] == 0:
            if fault("existing-interface-replaced"):
                pod("link", "del", "dev", name)
            elif fault("existing-interface-changed"):
                pod("link", "set", "dev", name, "address", "02:00:00:00:00:99")
                raise Refused(100, "interface exists", name)
            else:
                raise Refused(100, "interface exists", name)
        if fault("one-interface-only") and name == "net1" and pod("link", "show", "dev", "eth0")[0] == 0:
            raise Refused(100, "the container has an interface already")
        if fault("one-at-a-time"):
            self.exclusive()
        try:
            ipam = modern(delegate(self.conf, self.text, "ADD", lenient("ADD")))
        except Refused:
            if not fault("no-del-after-failed-add"):
                delegate(self.conf, self.text, "DEL", False)
            raise
        if "code" in ipam:
            ipam = {"ips": [], "routes": []}
        self.make_link(name)
        self.configure(name, ipam)
        os.makedirs(self.STATE, exist_ok=True)
        with open(self.STATE + self.key, "w") as f:
            json.dump({"containerID": ENV["CONTAINERID"], "ifname": ENV["IFNAME"]}, f)
        result = self.result(name, ipam)
        self.spoil(result)
        print(("created %s\n" % name if fault("text-before-result") else "") + json.dumps(result))

    def exclusive(self):
        lock = open("/run/faulty.lock", "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused(11, "another ADD is running")
        self.lock = lock
        run("sleep", "0.1")

    def make_link(self, name):
        peer = "wrong0" if fault("interface-name-wrong") else name
        host("link", "add", self.host_name, "address", self.host_mac, "mtu", "1400", "type", "veth",
             "peer", "name", peer, "netns", ENV["NETNS"], "address", self.pod_mac, "mtu", "1400")
        host("link", "set", self.host_name, "up")
        pod("link", "set", peer, "up")

    def configure(self, name, ipam):
        for ip in ipam["ips"][:1 if fault("first-address-only") else None]:
            pod("addr", "add", ip["address"], "dev", name)
            host("route", "add", ip["address"].split("/")[0], "dev", self.host_name)
        gateways = {":" in ip["address"]: ip.get("gateway") for ip in ipam["ips"]}
        for r in ipam.get("routes", []):
            if fault("routes-with-gw-left-out") and r.get("gw"):
                continue
            via = r.get("gw") or gateways.get(":" in r["dst"])
            words = [w for k, word in (("priority", "metric"), ("table", "table"), ("mtu", "mtu"), ("advmss", "advmss"))
                     if r.get(k) and not fault("route-keys-ignored") for w in (word, str(r[k]))]
            pod("route", "add", r["dst"], *(["via", via] if via else []), "dev", name, *words)
        if fault("route-unlisted"):
            pod("route", "add", "233.252.0.0/25", "dev", name)
        if fault("address-unlisted"):
            pod("addr", "add", "233.252.0.5/32", "dev", name)
        if self.conf.get("ipMasq"):
            masqueraded = "10.10.0.0/16" if fault("masquerade-first-subnet") else "10.0.0.0/8"
            run("nft", "add table ip fy%s; add chain ip fy%s post { type nat hook postrouting priority 100; }; "
                "add rule ip fy%s post ip saddr %s oif != %s masquerade" % (self.key, self.key, self.key, masqueraded, self.host_name))
            open("/proc/sys/net/ipv4/ip_forward", "w").write("1")
            for gateway in filter(None, gateways.values()):
                host("addr", "add", gateway, "dev", self.host_name)

    def result(self, name, ipam):
        before = self.conf.get("prevResult", {}) if not fault("prev-result-dropped") else {}
        interfaces = list(before.get("interfaces", []))
        if not fault("host-interface-unlisted"):
            interfaces.append({"name": self.host_name, "mac": self.host_mac, "mtu": 1400})
        interfaces.append({"name": name, "mac": self.pod_mac, "mtu": 1400, "sandbox": ENV["NETNS"]})
        ips = [dict(ip, interface=len(interfaces) - 1) for ip in ipam["ips"]]
        asked = self.conf.get("runtimeConfig", {}).get("dns", {})
        if not fault("keys-of-another-case"):
            asked = {key.lower(): value for key, value in asked.items()}
        wanted = {"nameservers": asked["servers"], "search": asked.get("searches"), "options": asked.get("options")} if "servers" in asked else {}
        dns = before.get("dns") or wanted or self.conf.get("dns") or ({} if fault("ipam-dns-dropped") else ipam.get("dns", {}))
        if fault("own-interface-dropped") and before:
            interfaces = list(before["interfaces"])
        if fault("prev-index-lost") and before:
            interfaces.reverse()
        if fault("dns-cut"):
            dns = {k: v for k, v in dns.items() if k != "options"}
        result = {"interfaces": interfaces, "ips": before.get("ips", []) + ips,
                  "routes": before.get("routes", []) + ipam.get("routes", []), "dns": dns}
        return in_version(result, self.conf["cniVersion"])

    def spoil(self, result):
        """Faults of what ADD says, not of what it does."""
        if "interfaces" not in result:
            return
        mine, ips, routes = result["interfaces"][-1], result["ips"], result["routes"]
        if fault("phantom-interface"):
            result["interfaces"].append({"name": "phantom0", "mac": "02:00:00:00:00:00", "mtu": 1400, "sandbox": ENV["NETNS"]})
        if fault("mac-wrong"):
            mine["mac"] = "02:00:00:00:00:00"
        if fault("socket-path-relative"):
            mine["socketPath"] = "relative"
        if fault("mtu-missing"):
            mine.pop("mtu", None)
        if fault("sandbox-wrong"):
            mine["sandbox"] = "/proc/%d/ns/net" % os.getppid()
        if fault("prefix-wrong"):
            ips[-1]["address"] = ips[-1]["address"].split("/")[0] + "/9"
        if fault("prefix-missing"):
            ips[-1]["address"] = ips[-1]["address"].split("/")[0]
        if fault("index-out-of-range"):
            ips[-1]["interface"] = 7
        if fault("gateway-far"):
            ips[-1]["gateway"] = "233.252.0.1" if ":" not in ips[-1]["address"] else "2001:db8:ffff::1"
        if fault("route-gw-wrong") and routes:
            routes[0]["gw"] = "10.10.0.77"
        if fault("route-default-word"):
            routes.append({"dst": "default"})
        if fault("dns-a-list"):
            result["dns"] = ["192.0.2.53"]
        if fault("nameserver-a-name"):
            result["dns"] = dict(result["dns"], nameservers=["resolver.test"])

    def delete(self):
        marker = "/run/faulty-deleted-" + self.key
        if fault("del-fails-the-second-time") and os.path.exists(marker):
            raise Refused(3, "deleted before")
        if fault("del-needs-prev-result") and "prevResult" not in self.conf:
            raise Refused(7, "prevResult is missing")
        if fault("del-refuses-empty-prev-result") and self.conf.get("prevResult") == {}:
            raise Refused(7, "prevResult is empty")
        exists = host("link", "show", "dev", self.host_name)[0] == 0
        if fault("del-needs-the-interface") and not exists and os.path.exists(ENV["NETNS"]) and os.path.exists(self.STATE + self.key):
            raise Refused(100, "the interface is gone")
        if fault("del-needs-add") and not os.path.exists(self.STATE + self.key):
            raise Refused(3, "never added")
        if not (fault("delegated-del-needs-namespace") and not os.path.exists(ENV["NETNS"])):
            delegate(self.conf, self.text, "DEL", lenient("DEL"))
        if fault("del-deletes-all-veths"):
            for link in pod_json("link", "show", "type", "veth"):
                pod("link", "del", "dev", link["ifname"])
        if fault("del-deletes-the-chain"):
            for interface in self.conf.get("prevResult", {}).get("interfaces", []):
                if interface.get("sandbox"):
                    pod("link", "del", "dev", interface["name"])
        if fault("del-fails-the-second-time"):
            open(marker, "w").close()
        if fault("own-things-left-without-namespace") and not os.path.exists(ENV["NETNS"]):
            return
        self.clean(self.key)

    def clean(self, key):
        if not fault("interface-left"):
            host("link", "del", "dev", "fy" + key)
        if fault("host-rule-left"):
            host("rule", "add", "fwmark", str(int(key[:6], 16)), "lookup", "main")
        if not fault("masquerade-left"):
            run("nft", "delete table ip fy" + key)
        if os.path.exists(self.STATE + key) and not fault("state-left"):
            os.unlink(self.STATE + key)

    def check(self):
        if fault("check-later-only") and not os.path.exists("/run/faulty-checked"):
            open("/run/faulty-checked", "w").close()
            raise Refused(11, "not yet converged")
        delegate(self.conf, self.text, "CHECK", lenient("CHECK"))
        if fault("check-nothing"):
            return
        if self.conf.get("ipMasq") and run("nft", "list table ip fy" + self.key)[0] and not fault("check-no-firewall"):
            raise Refused(100, "the masquerade rules are missing")
        before = self.conf["prevResult"]
        if fault("check-asks-nobody"):
            before = {}
        names = [i["name"] for i in before.get("interfaces", []) if i.get("sandbox")]
        links = {link["ifname"]: link for link in pod_json("addr", "show")}
        mine = links.get(ENV["IFNAME"])
        if not mine:
            raise Refused(100, "interface %s is missing" % ENV["IFNAME"])
        if names and ENV["IFNAME"] not in names and not fault("check-no-names"):
            raise Refused(100, "prevResult has no %s" % ENV["IFNAME"])
        if "UP" not in mine["flags"]:
            raise Refused(100, "interface %s is down" % ENV["IFNAME"])
        if fault("check-own-mac") and mine["address"] != self.pod_mac:
            raise Refused(100, "the MAC is %s" % mine["address"])
        if fault("check-own-mtu") and mine["mtu"] != 1400:
            raise Refused(100, "the MTU is %s" % mine["mtu"])
        if fault("check-rp-filter") and open("/proc/sys/net/ipv4/conf/%s/rp_filter" % self.host_name).read().strip() == "2":
            raise Refused(100, "rp_filter is loose")
        held = [a["local"] for a in mine["addr_info"]]
        for ip in before.get("ips", []):
            owner = {i: n["name"] for i, n in enumerate(before["interfaces"])}.get(ip["interface"], ENV["IFNAME"])
            if (owner == ENV["IFNAME"] or fault("check-all-addresses")) and ip["address"].split("/")[0] not in held:
                raise Refused(100, "address %s is missing" % ip["address"])
        self.check_routes(before.get("routes", []))

    def check_routes(self, listed):
        there = [r["dst"] + ("6" if "pref" in r else "") for r in pod_json("route", "show", "table", "all")]
        wanted = [{"0.0.0.0/0": "default", "::/0": "default6"}.get(r["dst"], r["dst"]) for r in listed]
        if not fault("check-no-routes") and any(r not in there for r in wanted):
            raise Refused(100, "a route is missing")
        if fault("check-no-other-routes") and any(r.startswith("233.252.0.0/24") for r in there):
            raise Refused(100, "a route that is not ours")

    def status(self):
        if fault("status-always-fails"):
            raise Refused(50, "not ready")
        try:
            delegate(self.conf, self.text, "STATUS", lenient("STATUS"))
        except Refused:
            if fault("status-first"):
                open("/run/faulty-status-failed", "w").close()
            raise

    def gc(self):
        valid = [(a["containerID"], a["ifname"]) for a in self.conf.get("cni.dev/valid-attachments", [])]
        if fault("gc-empty-list-refused") and not valid:
            raise Refused(7, "no attachments")
        forwarded = self.text
        if fault("gc-list-dropped"):
            forwarded = json.dumps(dict(self.conf, **{"cni.dev/valid-attachments": []})).encode()
        error = None
        try:
            delegate(self.conf, forwarded, "GC", lenient("GC"))
        except Refused as e:
            error = e
            if fault("gc-stops-at-error"):
                raise
        for key in os.listdir(self.STATE) if os.path.isdir(self.STATE) else []:
            with open(self.STATE + key) as f:
                mine = json.load(f)
            if ((mine["containerID"], mine["ifname"]) not in valid and not fault("gc-own-things-left")) or fault("gc-removes-all-links"):
                self.clean(key)
        if fault("gc-second-time-fails"):
            if os.path.exists("/run/faulty-gc"):
                raise Refused(100, "collected before")
            open("/run/faulty-gc", "w").close() if valid else None
        if fault("gc-prints"):
            print("{}")
        if error:
            raise error


# --- IPAM: files in host-local's layout


def ipv4(text):
    parts = [int(p) for p in text.split(".")]
    return (parts[0] << 24) + (parts[1] << 16) + (parts[2] << 8) + parts[3]


def dotted(n):
    return ".".join(str(n >> s & 255) for s in (24, 16, 8, 0))


class Ipam:
    def __init__(self, conf, _text):
        self.conf = conf
        self.ranges = conf["ipam"].get("ranges") or [[conf["ipam"]]]
        given = conf.get("runtimeConfig", {}).get("ipRanges")
        if given and not fault("ip-ranges-ignored"):
            self.ranges = given
        self.dir = os.path.join(conf["ipam"].get("dataDir", "/var/lib/cni/networks"), conf["name"])
        os.makedirs(self.dir, exist_ok=True)
        self.lock = open(self.dir + "/lock", "w")
        if not fault("no-lock"):
            fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.owner = ENV["CONTAINERID"] + "\r\n" + ENV["IFNAME"]

    def pool(self):
        """(address, prefix length) of every range, in order."""
        for one in self.ranges[0]:
            try:
                net, bits = one["subnet"].split("/")
                base, size = ipv4(net), 1 << (32 - int(bits))
            except (ValueError, IndexError):
                if fault("malformed-ranges-ignored"):
                    yield "192.0.2.9", "24"
                    return
                raise Refused(7, "malformed subnet", one["subnet"])
            first = ipv4(one["rangeStart"]) if "rangeStart" in one else base + 2
            last = ipv4(one["rangeEnd"]) if "rangeEnd" in one else base + size - 2
            yield from ((dotted(n), bits) for n in range(first, last + 1))

    def requested(self):
        args = dict(p.split("=", 1) for p in ENV["ARGS"].split(";") if "=" in p)
        by_args = self.conf.get("args", {}).get("cni", {}).get("ips", [])
        by_capability = self.conf.get("runtimeConfig", {}).get("ips", [])
        by_env = [args["IP"]] if "IP" in args and not fault("cni-args-ip-ignored") else []
        if fault("cni-args-first"):
            wanted = by_env or by_args or by_capability
        else:
            wanted = ([] if fault("args-ips-ignored") else by_args) or by_env or ([] if fault("ips-ignored") else by_capability)
        for ip in wanted:
            if not re.fullmatch(r"[0-9.]+(/[0-9]+)?", ip):
                if fault("malformed-ips-ignored"):
                    return None
                raise Refused(7, "malformed address", ip)
        return wanted[0].split("/")[0] if wanted else None

    def reservations(self):
        for name in os.listdir(self.dir):
            if name != "lock":
                try:
                    with open(self.dir + "/" + name) as f:
                        yield name, f.read().replace("\n\n", "\r\n")
                except FileNotFoundError:
                    pass

    def add(self):
        wanted = self.requested()
        taken = {name for name, _ in self.reservations()}
        for ip, bits in self.pool():
            if ip in taken or (wanted and ip != wanted):
                continue
            if fault("no-lock"):
                run("sleep", "0.1")
            with open(self.dir + "/" + ip, "w", newline="") as f:
                f.write(self.owner)
            return self.answer(ip, bits)
        raise Refused(100, "no address is left")

    def answer(self, ip, bits):
        one = {"address": "%s/%s" % (ip, bits), "gateway": dotted(ipv4(ip) & -256 | 1)}
        if fault("ipam-interface-index"):
            one["interface"] = 0
        result = {"ips": [] if fault("ipam-no-address") else [one], "routes": self.conf["ipam"].get("routes", []), "dns": {}}
        if fault("ipam-interfaces"):
            result["interfaces"] = []
        if fault("ipam-prefix-missing"):
            one["address"] = ip
        print(json.dumps(in_version(result, self.conf["cniVersion"])))

    def release(self, wrong):
        for name, owner in list(self.reservations()):
            if wrong(owner):
                os.unlink(self.dir + "/" + name)

    def delete(self):
        if fault("lease-left") or (fault("lease-left-without-namespace") and not os.path.exists(ENV["NETNS"])):
            return
        if fault("lease-of-all-interfaces"):
            return self.release(lambda owner: owner.startswith(ENV["CONTAINERID"]))
        if fault("lease-of-all"):
            return self.release(lambda owner: True)
        return self.release(lambda owner: owner.replace("\n", "").replace("\r", "") == self.owner.replace("\r\n", ""))

    def check(self):
        mine = [n for n, owner in self.reservations() if owner.split() == self.owner.split()]
        if not mine and not fault("ipam-check-nothing"):
            raise Refused(100, "no reservation")
        listed = [ip["address"].split("/")[0] for ip in self.conf["prevResult"]["ips"]]
        if mine and not set(mine) & set(listed) and not fault("check-asks-nobody"):
            raise Refused(100, "prevResult has none of %s" % mine)

    def status(self):
        taken = {name for name, _ in self.reservations()}
        if all(ip in taken for ip, _ in self.pool()) and not fault("status-unaware"):
            raise Refused(7 if fault("status-code") else 50, "no address is left")

    def gc(self):
        valid = {(a["containerID"], a["ifname"]) for a in self.conf.get("cni.dev/valid-attachments", [])}
        if fault("gc-leases-left"):
            return
        ids = {v[0] for v in valid}
        if fault("gc-by-container"):
            return self.release(lambda owner: owner.split()[0] not in ids)
        return self.release(lambda owner: tuple(owner.split()) not in valid or fault("gc-releases-all"))


def is_ipam(conf):
    return conf.get("ipam", {}).get("type") == ME and conf.get("type") != ME


def act():
    check_environment()
    if ENV["COMMAND"] == "VERSION":
        return version_reply()
    conf, text = read_conf()
    plugin = (Ipam if is_ipam(conf) else Main)(conf, text)
    verb = {"ADD": plugin.add, "DEL": plugin.delete, "CHECK": plugin.check, "STATUS": plugin.status, "GC": plugin.gc}
    return verb[ENV["COMMAND"]]()


def report(e):
    error = {"cniVersion": "1.1.0", "code": e.code, "msg": e.msg, "details": e.details}
    for key in ("cniVersion", "code", "msg", "details"):
        if fault("error-without-" + key):
            del error[key]
    if fault("text-before-error"):
        print("error:")
    print(json.dumps(error), file=sys.stderr if fault("error-on-stderr") else sys.stdout)
    return 0 if fault("exit-0-on-error") else 1


try:
    act()
except Refused as e:
    if fault("killed-by-error"):
        os.kill(os.getpid(), signal.SIGABRT)
    sys.exit(report(e))
