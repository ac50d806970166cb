"""Every metric that the specification names is counted or set by something
that happens (ING-275...ING-300, CAP-073, REL-096, REL-106). The names come out
of the specification's own tables, so that none can be forgotten here.

SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import socket

import pytest
import requests

import store
from cluster import wait_for

SPEC = os.environ.get("SPEC_DIR") or os.path.join(
    store.ROOT, "..", "shared", "spec")
SECTIONS = (("ingester.md", 18), ("capacity.md", 9), ("reload.md", 8),
            ("reload.md", 6))
NAME = re.compile(r"`((?:artstore_|capacity_|ingester_|lazy_|leader_|storage_)"
                  r"\w+(?:_total|_seconds|_bytes|_ratio|_state|_available|"
                  r"_count))\b[^`]*`")

def names():
    found = set()
    for file, number in SECTIONS:
        with open(os.path.join(SPEC, file), encoding="utf-8") as f:
            text = f.read()
        m = re.search(r"^## %d\. .*?(?=^## )" % number, text, re.M | re.S)
        assert m, (file, number)
        found |= set(NAME.findall(m.group(0)))
    return found


def sums(g):
    """What each name adds up to; of a histogram, how often it was fed."""
    out = {}
    for line in requests.get(g.url + "/metrics",
                             timeout=60).text.splitlines():
        m = re.match(r"# TYPE (\S+)", line)
        if m:
            out[m.group(1)] = 0
        m = re.match(r"(\w+?)(?:_count)?(?:\{.*\})? (\S+)$", line)
        if m:
            for name in {line.split("{")[0].split(" ")[0], m.group(1)}:
                if name in out:
                    out[name] += float(m.group(2))
    return out


def test_each_metric_of_the_specification(cluster):
    if not os.path.isdir(SPEC):
        pytest.skip("the specification is not beside this checkout "
                    "(../shared/spec)")
    wanted = names()
    assert len(wanted) >= 27, sorted(wanted)
    c = cluster
    c.start_redis()
    c.start_admin()
    for n in (1, 2):
        c.start_element("se-0%d" % n, "edit")
        c.register("se-0%d" % n, "edit", n)
    g = c.start_gateway(CAPACITY_MONITOR_BASE_INTERVAL=1,
                        CAPACITY_MONITOR_HTTP_RETRIES=0,
                        CAPACITY_MONITOR_PUBSUB_ENABLED="on",
                        CIRCUIT_BREAKER_FAILURE_THRESHOLD=1)

    def counted(*some):
        now = sums(g)
        return all(now[x] > 0 for x in some)
    # Admin tells of a change.
    assert requests.patch(
        c.admin.url + "/api/v1/storage-elements/se-02", headers=c.head(),
        json={"priority": 3}, timeout=60).status_code == 200
    wait_for("it is heard of", lambda: counted(
        "ingester_se_config_pubsub_latency_seconds",
        "ingester_se_config_changes_total"))
    # A client goes away in the middle of its file: the element gives it up.
    with socket.create_connection(("127.0.0.1", g.port)) as client:
        client.sendall(("POST /api/files/upload?filename=half HTTP/1.1\r\n"
                        "Host: x\r\nAuthorization: %s\r\n"
                        "Content-Length: %d\r\n\r\n" % (
                            c.head()["Authorization"], 64 << 20)).encode())
        client.sendall(bytes(8 << 20))
    wait_for("it is taken back", lambda: counted(
        "artstore_ingester_saga_compensations_total"))
    # An upload finds its element dead.
    c.await_known(g, "se-01", "se-02")
    assert g.put(b"1", "a")["storage_element_id"] == "se-01"
    c.elements["se-01"].kill()
    assert g.put(b"2", "b")["storage_element_id"] == "se-02"
    wait_for("polls and uploads have failed there", lambda: counted(
        "capacity_poll_failures_total", "lazy_update_triggers_total",
        "ingester_lazy_se_config_reload_total",
        "artstore_ingester_circuit_breaker_state"))
    wait_for("the store was read", lambda: counted(
        "capacity_cache_hits_total"))
    before = sums(g)  # some are 0 again when nobody leads
    # Redis is gone: Admin says where.
    c.redis.stop()
    wait_for("choices go by Admin", lambda: g.put(b"3", "c") and counted(
        "ingester_capacity_fallback_total"))
    seen = {x: max(n, before.get(x, 0)) for x, n in sums(g).items()}
    absent = sorted(wanted - set(seen))
    silent = sorted(x for x in wanted & set(seen) if not seen[x])
    assert not absent and not silent, (absent, silent)
