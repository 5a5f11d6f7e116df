# SPDX-License-Identifier: Apache-2.0
"""What is measured. Every function gives a table: rows by what was varied, in them the figures of each contestant.
Within a table the contestants take turns in an order that is drawn anew for each round, so that whatever else the
machine does meets all of them alike; only ratios within a table mean anything."""
import json
import random
import re

from host import WORK, Timer, contestants, job, make_pods, sh, write

WARM_UP = 2
FLOOR, ONLINK, DELEGATED, PTP, BRIDGE = ("floor", "onlink", "onlink + host-local", "ptp + host-local",
                                         "bridge + host-local")
NOTHING = "nothing"
EVERYBODY = (FLOOR, ONLINK, DELEGATED, PTP, BRIDGE)
NEWEST = ("newest ptp + host-local", "newest bridge + host-local")  # where they can be had


class Bench:
    def __init__(self, folder, runs):
        self.folder, self.runs = folder, runs
        self.everybody, self.timer = contestants(folder), Timer(folder)
        self.random = random.Random(1)

    def rounds(self, names, jobs_of, runs):
        """The jobs of all rounds: jobs_of(contestant, timed) in a new order each time."""
        jobs = []
        for round_number in range(WARM_UP + runs):
            order = list(names)
            self.random.shuffle(order)
            for name in order:
                jobs += jobs_of(self.everybody[name], round_number >= WARM_UP)
        return jobs

    def add_and_del(self, names, family="IPv4", runs=None):
        for name in names:
            self.everybody[name].prepare(family)
        pods = dict(zip(names, make_pods("pod", len(names))))

        def jobs_of(contestant, timed):
            return [contestant.job(command, pods[contestant.name], timed=timed) for command in ("ADD", "DEL")]
        return self.timer.run(self.rounds(names, jobs_of, runs or self.runs))

    def empty_leases(self):
        for name in (ONLINK, PTP):
            self.everybody[name].fill(0)


def one_attachment(bench):
    bench.empty_leases()
    return {"nothing attached": bench.add_and_del(bench.everybody)}


def families(bench):
    bench.empty_leases()
    table = {}
    for family in ("IPv4", "IPv6", "dual"):
        # ptp waits about two seconds until an IPv6 address is no longer tentative: a few rounds show it.
        table[family] = bench.add_and_del((PTP,), family, bench.runs if family == "IPv4" else 3)
        table[family].update(bench.add_and_del((FLOOR, ONLINK), family))
    return table


def leases(bench, counts):
    table = {}
    for count in counts:
        for name in (ONLINK, PTP):
            bench.everybody[name].prepare("IPv4")
            bench.everybody[name].fill(count)
        # The peer needs seconds for a round when many addresses are taken: the others get more rounds.
        table[count] = bench.add_and_del((FLOOR, ONLINK, PTP), runs=max(bench.runs // (4 if count > 5000 else 1), 5))
        if count > 5000:
            own = bench.add_and_del((FLOOR, ONLINK))
            table[count].update({key: figures for key, figures in own.items()})
    bench.empty_leases()
    return table


def attached(bench, counts):
    bench.empty_leases()
    table = {}
    floor = bench.everybody[FLOOR]
    for count in counts:
        floor.prepare("IPv4")
        # Addresses far from those that are given out meanwhile.
        others = [floor.job("ADD", pod, index=0x8000 + i, timed=False)
                  for i, pod in enumerate(make_pods("other", count))]
        bench.timer.run(others)
        table[count] = bench.add_and_del((FLOOR, ONLINK, PTP, BRIDGE))
        bench.timer.run([floor.job("DEL", f"other{i}", timed=False) for i in range(count)])
    return table


def check(bench):
    bench.empty_leases()
    names = (ONLINK, PTP, BRIDGE)
    pods = dict(zip(names, make_pods("pod", len(names))))
    asked = {}
    for name in names:
        each = bench.everybody[name]
        each.prepare("IPv4")
        result, asked[name] = f"{WORK}/result", f"{WORK}/{pods[name]}.check.json"
        bench.timer.run([each.job("ADD", pods[name], stdout=result)])
        with open(result, encoding="utf-8") as file:
            write(asked[name], json.dumps({**each.configuration, "prevResult": json.load(file)}))
    figures = bench.timer.run(bench.rounds(
        names, lambda each, timed: [each.job("CHECK", pods[each.name], stdin=asked[each.name], timed=timed)],
        bench.runs))
    bench.timer.run([bench.everybody[name].job("DEL", pods[name]) for name in names])
    return {"one attachment": figures}


def version(bench):
    question = f"{WORK}/version.json"
    write(question, '{"cniVersion":"1.0.0"}')
    jobs = []
    names = ["nothing", "onlink", "onlink-ipam", "ptp", "host-local"]
    for round_number in range(WARM_UP + bench.runs):
        bench.random.shuffle(names)
        jobs += [job(f"{name} VERSION", [f"{bench.folder}/{name}"], question, environment=["CNI_COMMAND=VERSION"],
                     timed=round_number >= WARM_UP) for name in names]
    return {"": bench.timer.run(jobs)}


def parallel(bench, widths, attachments, rounds):
    """Attachments and detachments per second. Each is a process: how many of those that do nothing there can be in a
    second is the most that anybody reaches."""
    names = (FLOOR, ONLINK, PTP)
    bench.empty_leases()
    table = {}
    for width in widths:
        rates = table[width] = {}
        pods = make_pods("parallel", max(width, attachments))
        for name in names:
            bench.everybody[name].prepare("IPv4")

        def measure(what, jobs):
            seconds = bench.timer.run(jobs, width)["total"][0][0] / 1e3
            rates.setdefault(what, []).append(len(jobs) / seconds)
        for _ in range(rounds):
            for name in bench.random.sample((NOTHING, *names), len(names) + 1):
                if name == NOTHING:
                    measure(NOTHING, [job(NOTHING, [f"{bench.folder}/nothing"]) for _ in pods])
                    continue
                for command in ("ADD", "DEL"):
                    measure(f"{name} {command}", [bench.everybody[name].job(command, pod, index=i)
                                                  for i, pod in enumerate(pods)])
    return table


def first_packet(bench):
    """Milliseconds from the return of ADD to the first answered ping, and requests lost meanwhile."""
    names = (FLOOR, ONLINK, PTP, BRIDGE)
    bench.empty_leases()
    figures = {}
    pods = dict(zip(names, make_pods("pod", len(names))))
    for name in names:
        bench.everybody[name].prepare("IPv4")
    for _ in range(max(bench.runs // 4, 5)):
        for name in bench.random.sample(names, len(names)):
            each, pod, result, told = bench.everybody[name], pods[name], f"{WORK}/result", f"{WORK}/told"
            whom = each.addresses[0] if name == FLOOR else result
            bench.timer.run([each.job("ADD", pod, stdout=result),
                             job("probe", [f"{bench.folder}/probe", whom], stdout=told), each.job("DEL", pod)])
            with open(told, encoding="utf-8") as file:
                microseconds, lost = file.read().split()
            figures.setdefault(name, []).append((int(microseconds) / 1e3, int(lost)))
    return figures


def trace(bench, name, command, pod):
    """(system calls, netlink messages sent) of one call, the programs that it starts included."""
    fields = bench.everybody[name].job(command, pod).rstrip("\n").split("\t")
    behind = fields.index("--")
    output = f"{WORK}/strace"
    with open(fields[2] if fields[2] != "-" else "/dev/null", encoding="utf-8") as stdin:
        sh("strace", "-f", "-qq", "-e", "signal=none", "-o", output, *fields[behind + 1:], stdin=stdin,
           env=dict(field.split("=", 1) for field in fields[4:behind]))
    with open(output, encoding="utf-8", errors="replace") as file:
        lines = [line for line in file if "resumed>" not in line and "exited with" not in line]
    sent = [line for line in lines if re.search(r"\b(sendto|sendmsg)\(", line)]
    return len(lines), sum(line.count("nlmsg_len=") for line in sent)


def instructions(bench, name, command, pod):
    """Instructions in user space (valgrind), of programs in C and C++ only."""
    fields = bench.everybody[name].job(command, pod).rstrip("\n").split("\t")
    behind = fields.index("--")
    log = f"{WORK}/callgrind"
    with open(fields[2] if fields[2] != "-" else "/dev/null", encoding="utf-8") as stdin:
        sh("valgrind", "--tool=callgrind", f"--callgrind-out-file={log}.out", f"--log-file={log}",
           *fields[behind + 1:], stdin=stdin, env=dict(field.split("=", 1) for field in fields[4:behind]))
    with open(log, encoding="utf-8") as file:
        return int(re.search(r"Collected\s*:\s*(\d+)", file.read()).group(1))


def counters(bench):
    """What does not depend on the machine's other work, for ADD and DEL of one IPv4 attachment."""
    table = {}
    bench.empty_leases()
    for name in EVERYBODY:
        each = bench.everybody[name]
        each.prepare("IPv4")
        pod = make_pods("pod", 1)[0]
        timed = bench.timer.run([each.job(command, pod) for command in ("ADD", "DEL") * 5])
        calls = {command: trace(bench, name, command, pod) for command in ("ADD", "DEL")}
        count = {}
        if name in (FLOOR, ONLINK):
            count = {command: instructions(bench, name, command, pod) for command in ("ADD", "DEL")}
        for command in ("ADD", "DEL"):
            runs = timed[f"{name} {command}"]
            table[f"{name} {command}"] = {
                "system calls": calls[command][0], "netlink messages": calls[command][1],
                "instructions": count.get(command), "peak memory, MiB": max(run[2] for run in runs) / 1024,
                "page faults": min(run[3] for run in runs)}
    return table
