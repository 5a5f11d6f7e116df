# SPDX-License-Identifier: Apache-2.0
"""From figures to RESULTS.md and plots."""
import re
import statistics

import plot
from datapath import NAMES as DATA_PATH_NAMES
from scenarios import BRIDGE, EVERYBODY, FLOOR, NEWEST, NOTHING, ONLINK, PTP

WALL, CPU = 0, 1


def median(runs, column=WALL):
    return statistics.median(run[column] for run in runs)


def p99(runs):
    ordered = sorted(run[WALL] for run in runs)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def ratio(figures, name, base, command, column=WALL):
    return median(figures[f"{name} {command}"], column) / median(figures[f"{base} {command}"], column)


def growth(leases):
    """Of an ADD with the most leases against one with the fewest."""
    return median(leases[max(leases)][f"{ONLINK} ADD"]) / median(leases[min(leases)][f"{ONLINK} ADD"])


def rate_ratio(rates, command):
    return statistics.median(rates[f"{ONLINK} {command}"]) / statistics.median(rates[f"{FLOOR} {command}"])


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def goal_rows(results):
    """(what, goal, measured, whether it is reached)"""
    one, version, leases, counters = (results[key] for key in ("one", "version", "leases", "counters"))
    plain, asked = one["nothing attached"], version[""]
    most = max(leases)
    crowds = [(width, rates) for width, rates in results["parallel"].items() if width > 8]
    peak = max(counters[f"{ONLINK} {command}"]["peak memory, MiB"] for command in ("ADD", "DEL"))
    few = [figures for count, figures in leases.items() if count <= 4096]
    worst_wall = max(ratio(figures, ONLINK, FLOOR, "ADD") for figures in [plain, *few])
    rows = [
        ("ADD, wall, up to 4,096 leases", "at most", 1.25, worst_wall, "x floor"),
        (f"ADD, wall, {most:,} leases", "at most", 2, growth(leases), "x its own without leases"),
        ("ADD, user + system time", "at most", 1.25, ratio(plain, ONLINK, FLOOR, "ADD", CPU), "x floor"),
        ("DEL, wall", "at most", 1.1, ratio(plain, ONLINK, FLOOR, "DEL"), "x floor"),
        ("ADD, ptp + host-local against onlink, no leases", "at least", 5, 1 / ratio(plain, ONLINK, PTP, "ADD"), "x"),
        (f"the same, {most:,} leases", "at least", 150, 1 / ratio(leases[most], ONLINK, PTP, "ADD"), "x"),
        *((f"{command}s per second, {width} in parallel", "at least", goal, rate_ratio(rates, command), "x floor")
          for command, goal in (("ADD", 0.9), ("DEL", 2)) for width, rates in crowds),
        ("peak memory", "at most", 1.5, peak, "MiB"),
        ("binary", "at most", 2, results["binary"], "MiB"),
        ("VERSION", "at most", 1.2, median(asked[f"{ONLINK} VERSION"]) / median(asked["nothing VERSION"]),
         "x a program that does nothing"),
    ]
    cells = []
    for what, sense, goal, got, unit in rows:
        reached = got <= goal if sense == "at most" else got >= goal
        cells.append((what, f"{sense} {goal:g} {unit}", f"{got:.2f}", "yes" if reached else "**no**"))
    return cells


def goals(results):
    return table(("what", "goal", "measured", "reached"), goal_rows(results))


def attachments(figures, names):
    rows = []
    for name in names:
        if f"{name} ADD" not in figures:
            continue
        cells = [name]
        for command in ("ADD", "DEL"):
            runs = figures[f"{name} {command}"]
            cells += [f"{median(runs):.2f}", f"{p99(runs):.2f}", f"{median(runs, CPU):.2f}",
                      f"{ratio(figures, name, FLOOR, command):.2f}"]
        rows.append(cells)
    return table(("", "ADD ms", "p99", "user+sys", "x floor", "DEL ms", "p99", "user+sys", "x floor"), rows)


def varied(what, measured, names):
    """A row for each value of what was varied: medians, and onlink's ratios."""
    rows = []
    for value, figures in measured.items():
        cells = [f"{value:,}" if isinstance(value, int) else value]
        for command in ("ADD", "DEL"):
            cells += [f"{median(figures[f'{name} {command}']):.2f}" for name in names]
            cells += [f"{ratio(figures, ONLINK, FLOOR, command):.2f}", f"{1 / ratio(figures, ONLINK, PTP, command):.1f}"]
        rows.append(cells)
    heads = [what]
    for command in ("ADD", "DEL"):
        heads += [f"{name} {command} ms" for name in names] + ["onlink / floor", "ptp / onlink"]
    return table(heads, rows)


def rates(measured):
    names = (FLOOR, ONLINK, PTP)
    rows = []
    for width, figures in measured.items():
        cells = [width, f"{statistics.median(figures[NOTHING]):.0f}"]
        for command in ("ADD", "DEL"):
            cells += [f"{statistics.median(figures[f'{name} {command}']):.0f}" for name in names]
            cells.append(f"{rate_ratio(figures, command):.2f}")
        rows.append(cells)
    heads = ["in parallel", "processes/s"]
    for command in ("ADD", "DEL"):
        heads += [f"{name} {command}/s" for name in names] + ["onlink / floor"]
    return table(heads, rows)


def calls(measured):
    return table(("", "ms", "p99", "user+sys"),
                 [(name.rsplit(" ", 1)[0], f"{median(runs):.2f}", f"{p99(runs):.2f}", f"{median(runs, CPU):.2f}")
                  for name, runs in measured.items() if name != "total"])


def first_packet(measured):
    rows = []
    for name, probes in measured.items():
        waits = [probe[0] for probe in probes]
        rows.append((name, len(probes), f"{statistics.median(waits):.2f}", f"{max(waits):.2f}",
                     sum(probe[1] for probe in probes)))
    return table(("", "attachments", "median ms", "longest ms", "requests lost"), rows)


def counted(measured):
    heads = ("system calls", "netlink messages", "instructions", "peak memory, MiB", "page faults")
    rows = []
    for command in ("ADD", "DEL"):
        for name in EVERYBODY:
            figures = measured[f"{name} {command}"]
            cells = [f"{figures[head]:.2f}" if isinstance(figures[head], float) else
                     "" if figures[head] is None else f"{figures[head]:,}" for head in heads]
            rows.append((f"{name} {command}", *cells))
    return table(("", *heads), rows)


def data_path(measured):
    return table(("", "TCP, Gbit/s", "round trip, us"),
                 [(name.replace(FLOOR, "bare routed veth"), f"{measured[name][0]:.1f}", f"{measured[name][1]:.1f}")
                  for name in DATA_PATH_NAMES])


def node_path(measured):
    return table(("Debian's 6.1 in qemu, emulated", "", "TCP, Gbit/s", "round trip, us"), measured)


SECTIONS = (
    ("One attachment, IPv4, no leases", "one", lambda measured: attachments(measured["nothing attached"], (*EVERYBODY, *NEWEST))),
    ("Addresses taken", "leases", lambda measured: varied("leases", measured, (FLOOR, ONLINK, PTP))),
    ("Address families", "families", lambda measured: varied("", measured, (FLOOR, ONLINK, PTP))),
    ("Pods attached already", "attached", lambda measured: varied("pods", measured, (FLOOR, ONLINK, PTP, BRIDGE))),
    ("In parallel: attachments per second", "parallel", rates),
    ("CHECK", "check", lambda measured: calls(measured["one attachment"])),
    ("VERSION", "version", lambda measured: calls(measured[""])),
    ("From the return of ADD to the first answered ping", "first_packet", first_packet),
    ("Counted", "counters", counted),
    ("Between two pods of one host", "data_path", data_path),
    ("Between pods of two nodes", "node_path", node_path),
)


def document(results, remarks):
    parts = ["# Measured\n", "Written by `hack/bench`; `test/bench/README.md` tells how.\n",
             "\n".join(f"- {key}: {value}" for key, value in results["machine"].items()) + "\n",
             "Whole processes from fork to exit, in turns; medians. What matters is each table's ratios: the contestants "
             "of a table shared the machine with the same other work.\n", "## The goals\n", goals(results)]
    for title, key, make in SECTIONS:
        if key in results:
            parts += [f"## {title}\n", make(results[key])]
    return "\n".join(parts) + "\n" + remarks


def readme(results, text):
    """README.md with these figures in it: a row of its table, how many goals are missed, and what is under "How fast"."""
    plain, leases, counters = results["one"]["nothing attached"], results["leases"], results["counters"]
    rows, most = goal_rows(results), max(results["leases"])

    def took(name):
        return f"{median(plain[f'{name} ADD']):.1f}"

    def memory(name):
        return f"{counters[f'{name} ADD']['peak memory, MiB']:.1f}"

    missed = [row for row in rows if row[3] != "yes"]
    paragraph = (
        f"Whole processes in turns on one machine, medians ([test/bench/RESULTS.md](test/bench/RESULTS.md), made by `hack/bench`, which\n"
        f"also writes this paragraph; {results['machine']['machine']}):\n"
        f"an ADD takes {took(ONLINK)} ms, {ratio(plain, ONLINK, FLOOR, 'ADD'):.1f} times a bare C program that makes the same kernel objects and asks nothing; ptp with\n"
        f"host-local takes {1 / ratio(plain, ONLINK, PTP, 'ADD'):.1f} times onlink's time with an empty pool and {1 / ratio(leases[most], ONLINK, PTP, 'ADD'):.0f} times with {most:,} addresses taken, where\n"
        f"onlink takes {growth(leases):.1f} times its own. A DEL takes {ratio(plain, ONLINK, FLOOR, 'DEL'):.1f} times the bare program. Peak memory {memory(ONLINK)} MiB, binary {results['binary']:.1f} MiB.")
    for pattern, words in (
            (r"^\| an ADD, memory of one \|.*$",
             f"| an ADD, memory of one | {took(ONLINK)} ms, {memory(ONLINK)} MiB | not measured | as bridge + host-local, which it calls | not measured "
             f"| {took(PTP)} and {took(BRIDGE)} ms, {memory(PTP)} and {memory(BRIDGE)} MiB |"),
            (r"[0-9a-z]+ of whose [0-9a-z]+ goals\s+are missed", f"{len(missed)} of whose {len(rows)} goals are missed"),
            (r"(?<=## How fast\n\n)(?:.+\n)*?.*(?=\n\n)", paragraph)):
        text, count = re.subn(pattern, lambda _: words, text, count=1, flags=re.MULTILINE)
        if count != 1:
            raise ValueError(f"README.md has no place for the figures: {pattern}")
    return text


def plots(results):
    """{file name: SVG}"""
    leases, parallel = results["leases"], results["parallel"]
    drawn = {}
    for command in ("ADD", "DEL"):
        drawn[f"leases-{command}.svg"] = plot.chart(
            f"{command} against addresses taken", "addresses taken", "milliseconds", [f"{n:,}" for n in leases],
            {name: [median(figures[f"{name} {command}"]) for figures in leases.values()]
             for name in (FLOOR, ONLINK, PTP)})
        drawn[f"parallel-{command}.svg"] = plot.chart(
            f"{command} against parallelism", "in parallel", "per second", [str(width) for width in parallel],
            {name: [statistics.median(figures[f"{name} {command}"]) for figures in parallel.values()]
             for name in (FLOOR, ONLINK, PTP)})
    return drawn
