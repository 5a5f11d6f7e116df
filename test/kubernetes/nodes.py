#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many Nodes at an API server, as kubelets would make them. Environment: SERVER host:port, CA file, TOKEN.

  nodes.py create COUNT         node-0 ... with address 172.16.16.0 + n, pod subnet 10.64.0.0/24 + n, and as much besides as a
                                real one has
  nodes.py heartbeat COUNT RATE one heartbeat for each of the nodes in turn, so many a second; prints how many were sent
"""
import http.client
import ipaddress
import json
import os
import ssl
import sys
import threading
import time
from datetime import datetime, timezone

HOST, PORT = os.environ["SERVER"].split(":")
CONTEXT = ssl.create_default_context(cafile=os.environ["CA"])
HEADERS = {"Authorization": "Bearer " + os.environ["TOKEN"]}


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def conditions():
    reasons = {"MemoryPressure": "KubeletHasSufficientMemory", "DiskPressure": "KubeletHasNoDiskPressure",
               "PIDPressure": "KubeletHasSufficientPID", "Ready": "KubeletReady"}
    return [{"type": kind, "status": "True" if kind == "Ready" else "False", "reason": reason,
             "message": "kubelet says " + reason, "lastHeartbeatTime": now()} for kind, reason in reasons.items()]


def node(number):
    name = f"node-{number}"
    cidr = str(ipaddress.ip_address("10.64.0.0") + (number << 8)) + "/24"
    images = [{"names": [f"registry.test/some/image-{i}@sha256:{'0123456789abcdef' * 4}", f"registry.test/some/image-{i}:v1"],
               "sizeBytes": 123456789 + i} for i in range(40)]
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": str(ipaddress.ip_address("172.16.16.0") + number)},
                          {"type": "Hostname", "address": name}],
            "capacity": {"cpu": "8", "memory": "32Gi", "pods": "110"}, "allocatable": {"cpu": "8", "memory": "31Gi", "pods": "110"},
            "conditions": conditions(), "images": images}}


def each(count, action, workers=4):
    """action(connection, number) for 0 ... count - 1, on a few connections."""
    failures = []

    def work(first):
        connection = http.client.HTTPSConnection(HOST, int(PORT), context=CONTEXT, timeout=60)
        for number in range(first, count, workers):
            try:
                action(connection, number)
            except Exception as failure:  # told at the end
                failures.append(f"{number}: {failure}")
                return

    threads = [threading.Thread(target=work, args=(first,)) for first in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        sys.exit("; ".join(failures))


def ask(connection, method, path, body, kind):
    connection.request(method, path, json.dumps(body), {**HEADERS, "Content-Type": kind})
    answer = connection.getresponse()
    words = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {words[:200]}")


def create(count):
    each(count, lambda connection, number: ask(connection, "POST", "/api/v1/nodes", node(number), "application/json"))


def heartbeat(count, rate):
    start = time.monotonic()

    def beat(connection, number):
        time.sleep(max(0, start + number / rate - time.monotonic()))
        ask(connection, "PATCH", f"/api/v1/nodes/node-{number}/status", {"status": {"conditions": conditions()}},
            "application/strategic-merge-patch+json")

    each(count, beat)
    print(json.dumps({"heartbeats": count, "seconds": round(time.monotonic() - start, 1)}))


if __name__ == "__main__":
    if sys.argv[1] == "create":
        create(int(sys.argv[2]))
    else:
        heartbeat(int(sys.argv[2]), float(sys.argv[3]))
