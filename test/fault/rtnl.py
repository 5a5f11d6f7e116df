# SPDX-License-Identifier: Apache-2.0
# A few rtnetlink requests without a process for each: for tests that ask thousands of times.
import ipaddress
import os
import socket
import struct

RTM_NEWLINK, RTM_DELLINK, RTM_NEWROUTE, RTM_GETROUTE = 16, 17, 24, 26
REQUEST, ACK, EXCL, CREATE = 1, 4, 0x200, 0x400
IFLA_IFNAME, IFLA_LINKINFO, IFLA_GROUP = 3, 18, 27
RTA_DST, RTA_OIF = 1, 4
UP = 1


def attribute(kind, data):
    return struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def message(kind, flags, body):
    return struct.pack("IHHII", 16 + len(body), kind, REQUEST | flags, 0, 0) + body


def link(kind, flags, device_flags, *attributes):
    return message(kind, flags, struct.pack("BxHiII", 0, 0, 0, device_flags, device_flags) + b"".join(attributes))


def new_pair(name, peer, group):
    peer_half = struct.pack("BxHiII", 0, 0, 0, 0, 0) + attribute(IFLA_IFNAME, peer.encode() + b"\0")
    info = attribute(1, b"veth") + attribute(2, attribute(1, peer_half))
    return link(RTM_NEWLINK, ACK | CREATE | EXCL, UP, attribute(IFLA_IFNAME, name.encode() + b"\0"),
                attribute(IFLA_GROUP, struct.pack("I", group)), attribute(IFLA_LINKINFO, info))


def delete_group(group):
    return link(RTM_DELLINK, ACK, 0, attribute(IFLA_GROUP, struct.pack("I", group)))


class Conversation:
    """Belongs to the network namespace in which it was opened."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self.socket.bind((0, 0))

    def answers(self):
        data = self.socket.recv(1 << 16)
        while data:
            length, kind = struct.unpack_from("IH", data)
            yield kind, data[16:length]
            data = data[(length + 3) & ~3:]

    def do(self, messages):
        """Sends messages that are acknowledged; OSError of the first that is refused."""
        self.socket.send(b"".join(messages))
        errors = []
        while len(errors) < len(messages):
            errors += [-struct.unpack_from("i", body)[0] for _, body in self.answers()]
        for error in errors:
            if error:
                raise OSError(error, os.strerror(error))

    def device_of(self, address):
        """The name of the interface to which the kernel's route for the address leads; None where there is no route."""
        destination = ipaddress.ip_address(address)
        family = socket.AF_INET if destination.version == 4 else socket.AF_INET6
        bits = destination.max_prefixlen
        self.socket.send(message(RTM_GETROUTE, 0, struct.pack("BBBBBBBBI", family, bits, 0, 0, 0, 0, 0, 0, 0) +
                                 attribute(RTA_DST, destination.packed)))
        (kind, body), = self.answers()
        if kind != RTM_NEWROUTE:
            return None
        body = body[12:]
        while body:
            length, attribute_kind = struct.unpack_from("HH", body)
            if attribute_kind == RTA_OIF:
                return socket.if_indextoname(struct.unpack_from("I", body, 4)[0])
            body = body[(length + 3) & ~3:]
        return None
