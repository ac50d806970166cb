"""ARTSTORE_SANDBOX=on: the start says what is in force, the kernel confirms it
for every thread, files go in and out, and a file outside of the folders of the
role is refused although the user may open it (PRD-236). What is refused call by
call is src/sec/sandbox_test.c.

SPDX-License-Identifier: Apache-2.0
"""
import os
import signal

import pytest
import requests

import store
from cluster import Cluster, wait_for


pytestmark = pytest.mark.skipif(
    store.slow_build() > 1, reason="the leak checker traces its own process, "
    "which a sandbox refuses")


def threads(server):
    """{field: set of values} of all threads, as the kernel has them."""
    found = {}
    folder = "/proc/%d/task" % server.process.pid
    for task in os.listdir(folder):
        with open(os.path.join(folder, task, "status"), encoding="ascii") as f:
            for line in f:
                name, _, value = line.partition(":")
                found.setdefault(name, set()).add(value.strip())
    return found


def in_force(server):
    """The line of the start."""
    for line in server.log_lines():
        if line["message"] == "Sandbox":
            return line
    raise AssertionError(server.tail())


def confined(server):
    seen = threads(server)
    # The filter is on all threads, also on those of before.
    assert seen["Seccomp"] == {"2"}, seen["Seccomp"]
    assert seen["NoNewPrivs"] == {"1"}
    caps = int(seen["CapEff"].pop(), 16)
    assert not caps & 1 << 21  # CAP_SYS_ADMIN


def start(make):
    try:
        return make()
    except AssertionError as e:
        if "auto takes what this kernel has" in str(e):
            pytest.skip("this kernel has no Landlock or no seccomp")
        raise


def test_server(make_server, tmp_path, loop):
    logs, outside = tmp_path / "logs", tmp_path / "outside"
    os.makedirs(logs)
    os.makedirs(outside)
    s = start(lambda: make_server(loop=loop, ARTSTORE_SANDBOX="on",
                                  ACCESS_LOG=str(logs / "access.log")))
    line = in_force(s)
    assert line["files"] and line["calls"]
    confined(s)
    body = store.pattern(3 * store.MIB + 5)
    assert s.get(s.put(body)["file_id"]).content == body
    assert s.get(s.put(b"small")["file_id"]).content == b"small"

    # The log is opened anew, at a place that is not the server's.
    os.rename(logs, tmp_path / "logs.old")
    os.symlink(outside, logs)
    s.process.send_signal(signal.SIGHUP)
    wait_for("the refusal is in the log", lambda: [
        x for x in s.log_lines() if "EACCES" in str(x)], 60)
    assert os.listdir(outside) == []
    assert s.alive()


def test_roles(tmp_path):
    c = Cluster(tmp_path)
    try:
        start(lambda: c.start_admin(ARTSTORE_SANDBOX="on"))
        element = c.start_element("se-01", ARTSTORE_SANDBOX="on")
        c.register("se-01")
        gateway = c.start_gateway(ARTSTORE_SANDBOX="on")
        for p in c.processes():
            confined(p)
        assert in_force(element)["network"]  # it never calls out
        assert not in_force(gateway)["network"]
        r = requests.post(gateway.url + store.UPLOAD + "?filename=a",
                          data=b"hello", headers={
                              **c.head(), "Content-Type": "text/plain"},
                          timeout=60)
        assert r.status_code == 201, r.text
        c.stop()
    finally:
        c.close()
