# SPDX-License-Identifier: Apache-2.0
"""What packets cost between two pods of one host, and of two nodes: TCP through iperf3, round trips through ping. The
floor is a bare routed veth pair for each pod."""
import json
import os
import re
import statistics
import subprocess
import time

from host import ADDRESSES, WORK, make_pods, sh
from scenarios import BRIDGE, FLOOR, ONLINK, PTP

NAMES = (FLOOR, ONLINK, PTP, BRIDGE)


def address_of(each, pod, index):
    """Attaches a pod and tells its address."""
    if each.name == FLOOR:
        floor_address = ADDRESSES["IPv4"][0].rsplit(".", 1)[0] + f".{2 + index}"
        each_job = each.job("ADD", pod, index=index)
        return each_job, lambda: floor_address
    result = f"{WORK}/{pod}.result"

    def read():
        with open(result, encoding="utf-8") as file:
            return json.load(file)["ips"][0]["address"].split("/")[0]
    return each.job("ADD", pod, stdout=result), read


def wait_until_listening(pod):
    for _ in range(500):
        if sh("ip", "netns", "exec", pod, "ss", "-Hltn", "sport = 5201"):
            return
        time.sleep(0.01)
    raise RuntimeError(f"iperf3 in {pod} does not listen")


def gigabits(client, server, address, seconds):
    with subprocess.Popen(["ip", "netns", "exec", server, "iperf3", "-s", "-1"], stdout=subprocess.DEVNULL) as listener:
        try:
            wait_until_listening(server)
            told = sh("ip", "netns", "exec", client, "iperf3", "-c", address, "-t", str(seconds), "-J")
        finally:
            listener.kill()
    return json.loads(told)["end"]["sum_received"]["bits_per_second"] / 1e9


def round_trip_us(client, address, packets):
    told = sh("ip", "netns", "exec", client, "ping", "-q", "-c", str(packets), "-i", "0.002", address)
    return float(re.search(r"= [\d.]+/([\d.]+)/", told).group(1)) * 1e3


def measure(bench, rounds, seconds, packets):
    """By contestant: medians of Gbit/s and of the mean round trip in microseconds."""
    bench.empty_leases()
    figures = {name: ([], []) for name in NAMES}
    client, server = make_pods("data", 2)
    for _ in range(rounds):
        for name in bench.random.sample(NAMES, len(NAMES)):
            each = bench.everybody[name]
            each.prepare("IPv4")
            prepared = [address_of(each, pod, index) for index, pod in enumerate((client, server))]
            bench.timer.run([add for add, _ in prepared])
            address = prepared[1][1]()
            figures[name][0].append(gigabits(client, server, address, seconds))
            figures[name][1].append(round_trip_us(client, address, packets))
            bench.timer.run([each.job("DEL", pod) for pod in (client, server)])
    return {name: [statistics.median(series) for series in both] for name, both in figures.items()}


def between_nodes(programs, rounds, seconds, packets):
    """[way, contestant, Gbit/s, microseconds] on Debian's kernel in qemu, where IPIP is; empty where that cannot be had."""
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    command = [f"{tests}/kernel/run", "-t", "900", f"{tests}/bench/nodes", str(rounds), str(seconds), str(packets)]
    told = subprocess.run(command, capture_output=True, text=True, check=False,
                          env=os.environ | {"ONLINK_BIN": programs})
    if told.returncode == 77:
        return []
    if told.returncode != 0:
        raise RuntimeError(told.stdout + told.stderr)
    return [line.split("\t") for line in told.stdout.splitlines()]
