# SPDX-License-Identifier: Apache-2.0
# Makes two WireGuard interfaces each other's peer, with new keys (wg(8) may be missing; the kernel derives the public ones).
# Usage: wireguard.py NAMESPACE INTERFACE UNDERLAY ALLOWED,... NAMESPACE INTERFACE UNDERLAY ALLOWED,...
#   ALLOWED: what the other one may reach at this end
import ctypes
import os
import socket
import struct
import sys

port = 51820
libc = ctypes.CDLL(None, use_errno=True)
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 16, 3, 1, 2
GET_DEVICE, SET_DEVICE = 0, 1
IFNAME, PRIVATE_KEY, PUBLIC_KEY, LISTEN_PORT, PEERS = 2, 3, 4, 6, 8
PEER_PUBLIC_KEY, PEER_ENDPOINT, PEER_ALLOWED = 1, 4, 9
NESTED = 0x8000


def attribute(kind, payload):
    return struct.pack("HH", len(payload) + 4, kind) + payload + bytes(-len(payload) % 4)


def attributes(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack("HH", data[:4])
        found[kind & 0x3fff] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


def ask(generic, family, flags, command, payload):
    """The attributes of the first answer."""
    body = struct.pack("BBH", command, 1, 0) + payload
    generic.send(struct.pack("IHHII", len(body) + 16, family, flags | NLM_F_REQUEST, 1, 0) + body)
    answer = generic.recv(1 << 16)
    kind = struct.unpack("H", answer[4:6])[0]
    if kind == 2 and (error := struct.unpack("i", answer[16:20])[0]):
        raise OSError(-error, os.strerror(-error))
    return {} if kind == 2 else attributes(answer[20:struct.unpack("I", answer[:4])[0]])


class End:
    def __init__(self, namespace, interface, underlay, allowed):
        with open(f"/run/netns/{namespace}") as handle:
            if libc.setns(handle.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        self.underlay, self.allowed = underlay, allowed.split(",")
        self.name = attribute(IFNAME, interface.encode() + b"\0")
        self.generic, once = (socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) for _ in range(2))
        family = ask(self.generic, GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, attribute(CTRL_ATTR_FAMILY_NAME, b"wireguard\0"))
        self.family = struct.unpack("H", family[CTRL_ATTR_FAMILY_ID])[0]
        self.set(attribute(PRIVATE_KEY, os.urandom(32)) + attribute(LISTEN_PORT, struct.pack("H", port)))
        self.public = ask(once, self.family, NLM_F_DUMP, GET_DEVICE, self.name)[PUBLIC_KEY]

    def set(self, payload):
        ask(self.generic, self.family, NLM_F_ACK, SET_DEVICE, self.name + payload)

    def meet(self, other):
        allowed = b""
        for prefix in other.allowed:
            address, length = prefix.split("/")
            allowed += attribute(NESTED, attribute(1, struct.pack("H", socket.AF_INET)) + attribute(2, socket.inet_aton(address)) +
                                 attribute(3, struct.pack("B", int(length))))
        endpoint = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(other.underlay) + bytes(8)
        peer = attribute(PEER_PUBLIC_KEY, other.public) + attribute(PEER_ENDPOINT, endpoint) + attribute(PEER_ALLOWED | NESTED, allowed)
        self.set(attribute(PEERS | NESTED, attribute(NESTED, peer)))


one, two = End(*sys.argv[1:5]), End(*sys.argv[5:9])
one.meet(two)
two.meet(one)
