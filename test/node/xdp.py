#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Drops all IPv4 that comes in on an interface, by an XDP program, until it is ended.

Usage: xdp.py INTERFACE
"""
import ctypes
import platform
import signal
import socket
import struct
import sys

NR_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
PROG_LOAD, LINK_CREATE = 5, 28
TYPE_XDP, ATTACH_XDP = 6, 37


def instruction(code, registers=0, offset=0, value=0):
    return struct.pack("=BBhi", code, registers, offset, value)


program = b"".join([
    instruction(0x61, 0x12, 0),             # r2 = data
    instruction(0x61, 0x13, 4),             # r3 = data_end
    instruction(0xbf, 0x24),                # r4 = r2
    instruction(0x07, 0x04, 0, 14),         # r4 += an Ethernet header
    instruction(0x2d, 0x34, 2),             # beyond the end: passes
    instruction(0x69, 0x25, 12),            # r5 = its protocol
    instruction(0x15, 0x05, 2, socket.htons(0x0800)),
    instruction(0xb7, 0x00, 0, 2),          # XDP_PASS
    instruction(0x95),
    instruction(0xb7, 0x00, 0, 1),          # XDP_DROP
    instruction(0x95),
])
libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    attributes = ctypes.create_string_buffer(attributes.ljust(128, b"\0"))
    result = libc.syscall(NR_BPF, command, attributes, len(attributes))
    if result < 0:
        sys.exit(f"bpf: error {ctypes.get_errno()}")
    return result


text, words = ctypes.create_string_buffer(program), ctypes.create_string_buffer(b"Apache-2.0")
loaded = bpf(PROG_LOAD, struct.pack("=IIQQ", TYPE_XDP, len(program) // 8, ctypes.addressof(text), ctypes.addressof(words)))
attached = bpf(LINK_CREATE, struct.pack("=IIII", loaded, socket.if_nametoindex(sys.argv[1]), ATTACH_XDP, 0))
signal.pause()
