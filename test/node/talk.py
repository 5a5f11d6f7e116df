#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Traffic between pods, in one process: a socket belongs to the network namespace in which it was opened.

  talk.py pairs NAME=ADDRESS...             every pod with every other: one ping and 1 MB over TCP, compared
  talk.py stream SECONDS FROM ADDRESS...    pings from FROM to each address, 200 a second, until SECONDS are over or
                                            SIGTERM; prints {"address": {"sent": n, "lost": m}, ...}
"""
import ctypes
import hashlib
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
SO_RCVBUFFORCE = 33  # asm-generic/socket.h


def open_in(name, *kind):
    with open(f"/run/netns/{name}") as netns:
        if libc.setns(netns.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), f"setns {name}")
    return socket.socket(*kind)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def echo_request(identity, sequence):
    head = struct.pack("!BBHHH", 8, 0, 0, identity, sequence)
    return struct.pack("!BBHHH", 8, 0, checksum(head), identity, sequence)


def answers(ping):
    """(address, identity, sequence) of every echo reply that has arrived."""
    while select.select([ping], [], [], 0)[0]:
        packet, sender = ping.recvfrom(2048)
        kind, _, _, identity, sequence = struct.unpack("!BBHHH", packet[20:28])
        if kind == 0:
            yield sender[0], identity, sequence


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def answers6(ping):
    """The same of ICMPv6: the kernel gives no header of IPv6, and fills the checksum in."""
    while select.select([ping], [], [], 0)[0]:
        packet, sender = ping.recvfrom(2048)
        kind, _, _, identity, sequence = struct.unpack("!BBHHH", packet[:8])
        if kind == 129:
            yield sender[0], identity, sequence


def ping_once(name, address):
    v6 = family_of(address) == socket.AF_INET6
    protocol = socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP
    ping = open_in(name, family_of(address), socket.SOCK_RAW, protocol)
    ping.sendto(struct.pack("!BBHHH", 128, 0, 0, 1, 1) if v6 else echo_request(1, 1), (address, 0))
    end = time.monotonic() + 20
    while time.monotonic() < end:
        select.select([ping], [], [], 0.5)
        if (address, 1, 1) in (answers6(ping) if v6 else answers(ping)):
            return
    sys.exit(f"{name} gets no ping back from {address}")


def transfer(server, name, address, data):
    received = hashlib.sha256()

    def receive():
        connection, _ = server.accept()
        connection.settimeout(20)
        while block := connection.recv(65536):
            received.update(block)

    server.settimeout(20)
    receiver = threading.Thread(target=receive)
    receiver.start()
    client = open_in(name, family_of(address), socket.SOCK_STREAM)
    client.settimeout(20)
    client.connect((address, 5001))
    client.sendall(data)
    client.close()
    receiver.join(30)
    if received.digest() != hashlib.sha256(data).digest():
        sys.exit(f"1 MB from {name} to {address} did not arrive as it was")


def pairs(pods):
    servers = {}
    for name, address in pods.items():
        servers[name] = open_in(name, family_of(address), socket.SOCK_STREAM)
        servers[name].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        servers[name].bind((address, 5001))
        servers[name].listen()
    data = os.urandom(1 << 20)
    count = 0
    for name in pods:
        for other, address in pods.items():
            if other != name:
                ping_once(name, address)
                transfer(servers[other], name, address, data)
                count += 1
    print(f"{count} pairs")


def stream(seconds, name, addresses):
    ping = open_in(name, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    ping.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)  # none is lost here, however late this process gets to them
    sent = {address: 0 for address in addresses}
    got = {address: set() for address in addresses}
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))

    def collect():
        for address, identity, sequence in answers(ping):
            if identity == 7 and address in got:
                got[address].add(sequence)

    end = time.monotonic() + seconds
    while time.monotonic() < end and not ended:
        for address in addresses:
            sent[address] += 1
            try:
                ping.sendto(echo_request(7, sent[address] & 0xFFFF), (address, 0))
            except OSError:
                pass  # counts as lost
        time.sleep(0.005 * len(addresses))
        collect()
    last = time.monotonic() + 10  # the answers that are still under way
    while time.monotonic() < last and any(sent[a] > len(got[a]) for a in addresses):
        time.sleep(0.05)
        collect()
    print(json.dumps({a: {"sent": sent[a], "lost": sent[a] - len(got[a])} for a in addresses}))


if __name__ == "__main__":
    if sys.argv[1] == "pairs":
        pairs(dict(pod.split("=") for pod in sys.argv[2:]))
    else:
        stream(float(sys.argv[2]), sys.argv[3], sys.argv[4:])
