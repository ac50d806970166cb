"""A cluster in trouble, with the settings that it has by default: who leads,
what is written, how long each thing takes (issue 3, "What it must show" 3, 4,
6). Minutes, so it is not in make test: make soak-live. Figures go to
LIVE_FIGURES, or build/results/live.json.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal
import time

import requests

import redis_server
import store
from cluster import wait_for
from watch import Load, Monitor, Way, percentile

FIGURES = os.environ.get("LIVE_FIGURES", os.path.join(
    store.ROOT, "build", "results", "live.json"))


def figure(name, value):
    print("%s: %s" % (name, value))
    os.makedirs(os.path.dirname(FIGURES), exist_ok=True)
    try:
        with open(FIGURES, encoding="utf-8") as f:
            have = json.load(f)
    except OSError:
        have = {}
    have[name] = value
    with open(FIGURES, "w", encoding="utf-8") as f:
        json.dump(have, f, indent=1, sort_keys=True)


def start(c, gateways=4, elements=2, ways=(), **env):
    """WAYS: gateways that reach Redis by a way that can be cut."""
    c.start_redis()
    c.start_admin()
    for n in range(elements):
        ident = "se-0%d" % (n + 1)
        c.start_element(ident, "edit")
        c.register(ident, "edit", n)
    c.ways = {}
    for n in range(gateways):
        own = {}
        if n in ways:
            c.ways[n] = Way(c.redis.port)
            c.extra.append(c.ways[n])
            own["REDIS_PORT"] = c.ways[n].port
        c.start_gateway(**{**env, **own})
    return c.gateways


def role(g):
    try:
        return requests.get(g.url + "/health/ready", timeout=2).json()[
            "checks"]["capacity_monitor"]["detail"]["role"]
    except requests.RequestException:
        return "none"


def leader(c, but=None):
    """The number of the gateway that leads, once there is one."""
    def found():
        return [n for n, g in enumerate(c.gateways)
                if n != but and g.alive() and role(g) == "leader"]
    return wait_for("a gateway leads", found, 60)[0]


def explain(g):
    return g.http("GET", "/api/v1/selection/explain?size=1").json()


def taken_after(m, at, what, seconds=60):
    """The first taking of the lock after AT: its delay and its epoch."""
    got = wait_for(what, lambda: [a for a in m.acquired if a[0] > at],
                   seconds)[0]
    return got[0] - at, got


def test_leader_in_trouble(cluster):
    """3: paused for 35 s, killed, cut off, ended in order; uploads go on."""
    c = cluster
    start(c, ways=(0,))
    m = Monitor(c.redis.port)
    c.extra.append(m)
    assert leader(c) == 0
    epoch = [int(c.redis.send("GET", "capacity_monitor:leader_lock:epoch"))]
    load = Load(c.gateways)
    c.extra.append(load)
    begin = time.time()

    def failed_over(what, at, most=33.0):
        took, got = taken_after(m, at, what)
        figure("failover_%s_s" % what, round(took, 2))
        assert took <= most, (what, took)
        assert got[2] > epoch[-1], (what, got, epoch)
        epoch.append(got[2])

    # cut off: it leads no more, and takes uploads by Admin's list
    c.ways[0].open = False
    at = time.time()
    failed_over("cut_off", at)
    wait_for("the one cut off knows", lambda: role(c.gateways[0]) !=
             "leader", 30)
    assert explain(c.gateways[0])["source"] == "admin_module"
    c.ways[0].open = True
    wait_for("it is back", lambda: explain(c.gateways[0])["source"] ==
             "adaptive_monitor", 60)

    # paused for longer than its lease
    n = leader(c)
    load.away.add(n)
    at = time.time()
    c.gateways[n].process.send_signal(signal.SIGSTOP)
    failed_over("paused", at)
    time.sleep(max(0.0, at + 35 - time.time()))
    c.gateways[n].process.send_signal(signal.SIGCONT)
    load.away.discard(n)
    wait_for("the paused one knows", lambda: role(c.gateways[n]) ==
             "follower", 30)

    # killed
    n = leader(c)
    load.away.add(n)
    at = time.time()
    c.gateways[n].kill()
    failed_over("killed", at)

    # ended in order: the lock is given back
    n = leader(c)
    load.away.add(n)
    time.sleep(1)
    at = time.time()
    c.gateways[n].process.send_signal(signal.SIGTERM)
    freed = wait_for("the lock is free", lambda: [
        x for x in m.freed if x > at])[0]
    took, got = taken_after(m, freed, "released")
    figure("handover_released_s", round(took, 3))
    assert took <= 1.0 and got[2] > epoch[-1]
    c.gateways[n].wait()

    time.sleep(12)  # a renewal and a poll more
    load.stop()
    span = time.time() - begin
    writes = [w for w in m.writes if w[3]]
    figure("leader_guarded_writes", len(writes))
    figure("leader_refused_writes", len(m.writes) - len(writes))
    figure("leader_stale_writes_accepted", len(m.stale()))
    figure("leader_uploads", load.count())
    figure("leader_uploads_failed", len(load.bad()))
    figure("leader_upload_p99_ms", round(1000 * percentile(
        [d[3] for d in load.done], 99)))
    for ident, e in c.elements.items():
        polls = sum(line.get("path") == "/api/v1/capacity" and
                    line["user_agent"] == "artstore-ingester"
                    for line in e.log_lines())
        # every 30 s, and at once by each who has taken over; Admin's own
        # questions have another name
        figure("polls_%s" % ident, "%d in %d s with %d changes of leader" % (
            polls, span, len(m.acquired)))
        assert polls <= span / 27 + len(m.acquired) + 3
    assert writes and not m.stale(), m.stale()
    assert not load.bad(), load.bad()[:3]


def test_redis_killed(cluster):
    """3, 6: Redis dies and begins anew: choices go by Admin at once, one TTL
    nobody leads, and the epoch is a new one."""
    c = cluster
    start(c)
    leader(c)
    old = int(c.redis.send("GET", "capacity_monitor:leader_lock:epoch"))
    load = Load(c.gateways, 0.05)
    c.extra.append(load)
    time.sleep(2)
    at = time.time()
    c.redis.stop()
    wait_for("500 uploads without it", lambda: load.count(at) >= 500, 120)
    slow = [d[3] for d in load.done if d[0] >= at]
    figure("redis_stopped_uploads", len(slow))
    figure("redis_stopped_upload_p50_ms", round(1000 * percentile(slow, 50)))
    figure("redis_stopped_upload_p99_ms", round(1000 * percentile(slow, 99)))
    figure("redis_stopped_upload_max_ms", round(1000 * max(slow)))
    decisions = []
    for i in range(500):
        g = c.gateways[i % 4]
        begin = time.time()
        e = explain(g)
        decisions.append(time.time() - begin)
        assert e["choice"], e
    figure("redis_stopped_decision_p99_ms",
           round(1000 * percentile(decisions, 99)))
    c.redis.start()
    m = Monitor(c.redis.port)
    c.extra.append(m)
    up = time.time()
    took, got = taken_after(m, up, "somebody leads again", 90)
    figure("redis_killed_leads_again_s", round(took, 2))
    assert got[2] > old, (got, old)
    load.stop()
    figure("redis_killed_uploads", load.count())
    figure("redis_killed_uploads_failed", len(load.bad()))
    assert not load.bad(), load.bad()[:3]
    assert percentile(decisions, 99) < 0.5
    assert percentile(slow, 99) < 0.5


def test_both_stopped(cluster):
    """6: neither Redis nor Admin: 503 with the reason, and all by itself."""
    c = cluster
    start(c, gateways=2)
    port = c.admin.port
    c.redis.stop()
    c.admin.stop()
    at = time.time()
    wait_for("nobody knows", lambda: all(
        explain(g)["source"] == "none" for g in c.gateways), 60)
    figure("both_stopped_until_503_s", round(time.time() - at, 2))
    for g in c.gateways:
        r = g.http("POST", store.UPLOAD + "?filename=b", data=b"x")
        assert r.status_code == 503, r.text
        assert store.error_code(r) == "no_available_storage"
        figure("both_stopped_says", r.json()["message"])
        assert "Retry-After" in r.headers
    c.redis.start()
    c.admin.start(port=port)
    at = time.time()
    wait_for("files go in again", lambda: all(
        g.http("POST", store.UPLOAD + "?filename=b", data=b"x").status_code ==
        201 for g in c.gateways), 90)
    figure("both_back_until_201_s", round(time.time() - at, 2))
    assert all(g.alive() for g in c.gateways)


def test_sentinel_loses_the_last_write(cluster):
    """3, D32: the master gives an epoch that its replica never hears of, and
    dies: the next epoch is higher still, whatever the replica remembers."""
    c = cluster
    master = c.start_redis()
    replica = redis_server.Redis(c.sub("replica"), "replicaof 127.0.0.1 %d" %
                                 master.port)
    c.extra.append(replica)
    sentinels = []
    for n in range(3):
        s = redis_server.Redis(
            c.sub("sentinel-%d" % n),
            "sentinel monitor artstore 127.0.0.1 %d 2" % master.port,
            "sentinel down-after-milliseconds artstore 2000",
            "sentinel failover-timeout artstore 10000", sentinel=True)
        sentinels.append(s)
        c.extra.append(s)
    wait_for("the replica follows", lambda: b"state=online" in master.send(
        "INFO", "replication"))
    wait_for("the Sentinels know each other and it", lambda: all(
        b"slaves=1,sentinels=3" in s.send("INFO", "sentinel")
        for s in sentinels), 60)
    c.start_admin(REDIS_HOST="")
    for n in (1, 2):
        c.start_element("se-0%d" % n, "edit")
        c.register("se-0%d" % n, "edit", n)
    sent = {"REDIS_HOST": "", "REDIS_PORT": 6379, "REDIS_SENTINELS": ",".join(
        "127.0.0.1:%d" % s.port for s in sentinels),
            "REDIS_SENTINEL_MASTER": "artstore"}
    for _ in range(3):
        c.start_gateway(**sent)
    key = "capacity_monitor:leader_lock:epoch"
    n = leader(c)
    load = Load(c.gateways)
    c.extra.append(load)
    wait_for("the replica has the epoch", lambda: replica.send("GET", key))
    # Where Sentinels are, a gateway that is new leads after one TTL at the
    # earliest, since the store may have forgotten before it came.
    time.sleep(35)
    # Everything from here on is unknown to the replica.
    replica.process.send_signal(signal.SIGSTOP)
    master.send("CLIENT", "KILL", "TYPE", "replica")
    before = int(master.send("GET", key))
    load.away.add(n)
    c.gateways[n].stop()  # gives the lock back: another takes it
    begin = time.time()
    wait_for("another leads", lambda: int(master.send("GET", key)) > before)
    figure("sentinel_handover_s", round(time.time() - begin, 2))
    lost = int(master.send("GET", key))
    at = time.time()
    master.stop()
    replica.process.send_signal(signal.SIGCONT)
    remembered = int(wait_for("the replica speaks",
                              lambda: replica.send("GET", key)))
    # Before, as Sentinel ends all connections when it makes a master of it.
    wait_for("the replica is the master", lambda: b"role:master" in
             replica.send("INFO", "replication"), 60)
    m = Monitor(replica.port)
    c.extra.append(m)
    took, got = taken_after(m, at, "somebody leads again", 150)
    figure("sentinel_epoch_remembered_lost_next", [remembered, lost, got[2]])
    figure("sentinel_leads_again_s", round(took, 2))
    assert remembered < lost < got[2]
    time.sleep(5)
    load.stop()
    figure("sentinel_uploads", load.count())
    figure("sentinel_uploads_failed", len(load.bad()))
    figure("sentinel_upload_p99_ms", round(1000 * percentile(
        [d[3] for d in load.done], 99)))
    assert not m.stale() and not load.bad(), (m.stale(), load.bad()[:3])
