"""A free port on loopback that stays free until its server listens.

A port that the system names (bind to 0) comes from the range that it also
takes the near ends of connections from: between the look and the listen, or
while a server is down to be started again, any connection of this machine may
have it. So ports are taken from below that range, where only who asks for a
number by name gets it, and each is claimed: an abstract socket of the port's
name is held until the process ends, so that tests side by side differ.

SPDX-License-Identifier: Apache-2.0
"""
import random
import socket

FIRST, TRIES = 10000, 1000
claims = []


def below():
    """The first port of the system's own range."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range",
                  encoding="ascii") as f:
            return max(int(f.read().split()[0]), FIRST + TRIES)
    except OSError:
        return 32768


def free_port():
    end = below()
    for _ in range(TRIES):
        port = random.randrange(FIRST, end)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind("\0artstore-port-%d" % port)
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        claims.append(claim)
        return port
    raise OSError("no free port from %d to %d" % (FIRST, end - 1))
