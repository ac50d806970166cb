"""A gateway's wall clock jumps by an hour while it leads (issue 3, "What it
must show" 3): leases run on CLOCK_BOOTTIME, so it goes on leading, under the
same epoch, and nothing stale is written.

SPDX-License-Identifier: Apache-2.0
"""
import mmap
import os
import struct
import time

import pytest

import store
from cluster import wait_for
from soak_live import leader, role
from watch import Load, Monitor

SHIM = os.path.join(os.path.dirname(store.BIN), "test", "clock", "jump.so")

pytestmark = pytest.mark.skipif(
    store.slow_build() != 1, reason="nothing is preloaded into a sanitizer")


class Clock:
    """The wall clock of a process that is started with its env."""

    def __init__(self, path):
        with open(path, "wb") as f:
            f.write(struct.pack("=q", 0))
        self.file = open(path, "r+b")
        self.at = mmap.mmap(self.file.fileno(), 8)
        self.env = {"LD_PRELOAD": SHIM, "JUMP_CLOCK": str(path)}

    def jump(self, seconds):
        self.at[:8] = struct.pack("=q", seconds * 1000000)

    def close(self):
        self.at.close()
        self.file.close()


def start(c, clock):
    """Two gateways, the one with the clock leads."""
    c.start_redis()
    c.start_admin()
    c.start_element("se-01", "edit")
    c.register("se-01", "edit", 1)
    short = {"CAPACITY_MONITOR_LEADER_RENEWAL_INTERVAL": 1,
             "CAPACITY_MONITOR_BASE_INTERVAL": 1}
    c.start_gateway(**short, **clock.env)
    assert leader(c) == 0
    c.start_gateway(**short)


def test_leaders_clock_jumps(cluster, tmp_path):
    """An hour ahead, back, an hour behind, back: it goes on leading and
    polling. Tokens are judged by the wall clock, so a gateway whose clock is
    behind says that they are not valid yet; nobody else notices."""
    c = cluster
    clock = Clock(tmp_path / "clock")
    c.extra.append(clock)
    start(c, clock)
    m = Monitor(c.redis.port)
    c.extra.append(m)
    epoch = c.redis.send("GET", "capacity_monitor:leader_lock:epoch")
    load = Load(c.gateways, 0.05)
    c.extra.append(load)

    def since(at, n):
        return [d for d in load.done if d[0] > at and d[1] == n]

    # Where its answers change, those are judged that it gives after it has
    # written under its new time.
    for offset, own, other in ((3600, 201, 201), (0, 201, 201),
                               (-3600, 401, 201), (0, 201, 401)):
        clock.jump(offset)
        at = time.time()
        wait_for("two writes of the leader at %d" % offset, lambda: len(
            [w for w in m.writes if w[0] > at and w[3]]) >= 2, 30)
        after = at if own == other else time.time()
        for n, begin, status in ((0, after, own), (1, at, 201)):
            wait_for("uploads at %d" % offset,
                     lambda: len(since(begin, n)) >= 10, 30)
            assert {d[2] for d in since(begin, n)} == {status}, [
                d for d in since(begin, n) if d[2] != status][:3]
        if own == 401:
            assert "token_not_yet_valid" in since(after, 0)[0][4]
    load.stop()
    assert [role(g) for g in c.gateways] == ["leader", "follower"]
    assert c.redis.send("GET", "capacity_monitor:leader_lock:epoch") == epoch
    assert m.acquired == [] and m.stale() == []
    assert all(w[3] for w in m.writes)  # none was refused, either
