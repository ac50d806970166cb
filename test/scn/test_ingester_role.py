"""artstore ingester: a gateway whose elements and Admin are other processes
(D02, ING-001...ING-027, CAP-008, D25).

SPDX-License-Identifier: Apache-2.0
"""
import base64
import datetime
import json
import os
import re
import signal
import time

import pytest
import requests

import store
from cluster import wait_for
from watch import Way


def test_files_go_in_and_out(cluster, loop):
    """Redis, Admin, two elements and a gateway: a file in, listed, out, and
    deleted; then all of them end as they should."""
    c = cluster
    c.loop = loop
    c.start_redis()
    c.start_admin()
    for ident, mode in (("se-01", "edit"), ("se-02", "rw")):
        c.start_element(ident, mode, DURABILITY="relaxed" if mode == "rw"
                        else "strict")
        c.register(ident, mode)  # Admin asks the element itself, no force
    g = c.start_gateway()
    c.await_known(g, "se-01")
    c.await_known(g, "se-02", policy="PERMANENT")
    for policy, durable in (("TEMPORARY", "strict"), ("PERMANENT", "relaxed")):
        r = g.http("POST", store.UPLOAD + "?filename=d&retention_policy=" +
                   policy, data=b"d")  # D10: what the element does is told
        assert r.headers["X-Artstore-Durability"] == durable, policy
    for size in (20, 300 * store.KIB, 9 * store.MIB):
        body = store.pattern(size)
        up = g.put(body, "report-%d.pdf" % size)
        assert up["storage_element_id"] == "se-01"
        assert up["sha256_hash"] == store.sha256(body)
        got = g.get(up["file_id"])
        assert got.status_code == 200
        assert store.sha256(got.content) == store.sha256(body)
        assert up["file_id"] in g.ids()
        assert g.metadata(up["file_id"])["size_bytes"] == size
        r = g.http("DELETE", "/api/files/" + up["file_id"])
        assert r.status_code == 204
        assert up["file_id"] not in g.ids()
        assert g.get(up["file_id"]).status_code == 404
    wait_for("deletions are in the audit log", lambda: len([
        e for e in requests.get(
            c.admin.url + "/api/v1/audit?action=file.delete",
            headers=c.head(), timeout=60).json()["entries"]
        if e["source"] == "ingester-service" and e["result"] == "ok" and
        e["element_id"] == "se-01"]) == 3)
    kept = g.put(b"x" * 1000, "kept.txt", "&retention_policy=PERMANENT")
    assert kept["storage_element_id"] == "se-02"
    assert g.http("DELETE", "/api/files/" + kept["file_id"]).status_code == 400
    why = g.http("GET", "/api/v1/selection/explain?size=5").json()
    assert why["choice"] == "se-01" and why["source"] == "adaptive_monitor"
    assert [e["verdict"] for e in why["elements"]] == ["chosen", "wrong_mode"]
    ls = store.run(store.BIN, "se", "ls", "--url", g.url, "--json", env={
        "ARTSTORE_TOKEN": g.token()}).stdout.splitlines()
    assert [json.loads(x)["element_id"] for x in ls] == ["se-01", "se-02"]
    status = store.run(store.BIN, "status", "--url", g.url, env={
        "ARTSTORE_TOKEN": g.token()}).stdout
    assert "2 elements" in status and "se-02" in status
    items = g.http("GET", "/health/ready").json()["checks"][
        "storage_elements"]["detail"]["items"]
    assert [i["element_id"] for i in items] == ["se-01", "se-02"]  # ING-094
    # Nobody without a token, and no other role's routes.
    assert requests.get(g.url + "/api/files", timeout=60).status_code == 401
    r = g.http("GET", "/api/v1/capacity")
    assert r.status_code == 404 and r.json()["details"] == {"role": "ingester"}
    c.stop()


# Failover within seconds, so that a test need not wait for half a minute.
QUICK = {"CAPACITY_MONITOR_LEADER_TTL": 3,
         "CAPACITY_MONITOR_LEADER_RENEWAL_INTERVAL": 1,
         "CAPACITY_MONITOR_BASE_INTERVAL": 2}


def start(c, elements=(("se-01", "edit", 1), ("se-02", "edit", 2)), gateways=1,
          **env):
    """Redis, Admin, ELEMENTS by (id, mode, priority), and gateways; the
    first of these, or all."""
    c.start_redis()
    c.start_admin()
    for ident, mode, priority in elements:
        c.start_element(ident, mode, **env)
        c.register(ident, mode, priority)
    for _ in range(gateways):
        c.start_gateway(**QUICK)
    for g in c.gateways:
        c.await_known(g, *[e[0] for e in elements])
    return c.gateways[0] if gateways == 1 else c.gateways


def explain(g):
    return g.http("GET", "/api/v1/selection/explain?size=1").json()


def test_redis_and_admin_lost(cluster):
    """CNF-004, CNF-014, ING-197: without Redis by Admin's list, at once;
    without both 503 with the reason, and all by itself when they are back."""
    c = cluster
    g = start(c)
    wait_for("choices go by what is polled",
             lambda: explain(g)["source"] == "adaptive_monitor")
    c.redis.stop()
    for i in range(3):
        assert g.put(b"x" * 100, "a-%d" % i)["storage_element_id"] == "se-01"
    wait_for("choices go by Admin's list",
             lambda: explain(g)["source"] == "admin_module")
    assert g.put(b"y", "by-admin")["storage_element_id"] == "se-01"
    ready = requests.get(g.url + "/health/ready", timeout=60)
    assert ready.status_code == 200
    wait_for("Admin misses Redis, too", lambda: requests.get(
        c.admin.url + "/health/ready", timeout=60).json()["checks"]["redis"][
            "status"] == "degraded")
    port = c.admin.port
    c.admin.stop()
    for _ in range(3):  # from the first
        r = g.http("GET", "/api/files?limit=1")
        assert r.status_code == 503 and "Admin" in r.text, r.text
        assert store.error_code(r) == "unavailable"
    wait_for("nobody knows how full they are",
             lambda: explain(g)["source"] == "none")
    r = g.http("POST", store.UPLOAD + "?filename=b", data=b"x")
    assert r.status_code == 503 and store.error_code(r) == \
        "no_available_storage", r.text
    m = metrics(g)
    for source, status in (("adaptive_monitor", "failed"),
                           ("admin_module", "success"), ("none", "failed")):
        assert m['storage_selection_source_total{source="%s",status="%s"}' % (
            source, status)] > 0, source
    assert "Retry-After" in r.headers
    wait_for("it is not ready", lambda: requests.get(
        g.url + "/health/ready", timeout=60).status_code == 503)
    c.redis.start()
    c.admin.start(port=port)
    wait_for("it chooses by what is polled again", lambda: explain(g)[
        "source"] == "adaptive_monitor" and explain(g)["choice"], 60)
    body = store.pattern(3000)
    up = g.put(body, "again.pdf")
    assert g.get(up["file_id"]).content == body
    c.stop()


def test_keys_come_late(cluster):
    """A gateway that has no keys of Admin's yet cannot tell a right token from
    a wrong one: 503, and not ready, until Admin is there (ING-183, ING-198)."""
    c = cluster
    c.start_admin()
    token = c.admin.token()
    port = c.admin.port
    c.admin.stop()
    g = c.start_gateway(ready=False)

    def ask(t=token):
        return requests.get(g.url + "/api/v1/selection/explain?size=1",
                            headers={"Authorization": "Bearer " + t},
                            timeout=60)

    def admin_check(of=g, message=False):
        r = requests.get(of.url + "/health/ready", timeout=60)
        if message:
            return next(x["message"] for x in r.json()["components"]
                        if x["name"] == "admin_module")
        return r.status_code, r.json()["checks"]["admin_module"]["status"]

    r = ask()
    assert r.status_code == 503 and "Retry-After" in r.headers
    assert r.json()["details"]["reason"] == "token_keys_absent"
    wait_for("it is not ready without a key",
             lambda: admin_check() == (503, "fail"))
    wait_for("the address is named", lambda: "AUTH_ADMIN_MODULE_URL" in
             admin_check(message=True))
    c.admin.start(port=port)
    wait_for("the token is good", lambda: ask().status_code == 200)
    wait_for("Admin is well", lambda: admin_check()[1] == "ok")
    g = c.start_gateway(ready=False, SERVICE_ACCOUNT_CLIENT_SECRET="wrong")
    wait_for("the account is wrong", lambda: "SERVICE_ACCOUNT_CLIENT_SECRET" in
             admin_check(g, message=True))
    # It has keys, but nothing to show to elements: neither way works.
    wait_for("it is not ready", lambda: admin_check(g) == (503, "fail"))
    g = c.start_gateway(ready=False, SERVICE_ACCOUNT_CLIENT_ID="",
                        SERVICE_ACCOUNT_CLIENT_SECRET="")
    wait_for("there is no account", lambda: "SERVICE_ACCOUNT_CLIENT_ID is empty"
             in admin_check(g, message=True))
    g = c.gateways[0]
    head = base64.urlsafe_b64encode(
        b'{"alg":"RS256","kid":"nobody"}').decode().rstrip("=")
    r = ask(head + token[token.index("."):])
    assert r.status_code == 401
    assert r.json()["details"]["reason"] == "token_key_unknown"
    c.stop()


def test_admin_alone_lost(cluster):
    """D25: without Admin files go in and out; it learns of them later."""
    c = cluster
    g = start(c)
    port = c.admin.port
    c.admin.stop()
    body = store.pattern(5000)
    r = g.http("POST", store.UPLOAD + "?filename=alone.pdf", data=body)
    assert r.status_code == 201 and r.headers["X-Artstore-Route"] == "se-01"
    up = r.json()
    assert g.get(up["file_id"]).content == body
    c.admin.start(port=port)
    wait_for("Admin has heard of it", lambda: listed(g, up["file_id"]))
    c.stop()


def listed(g, file_id):
    r = g.http("GET", "/api/files?limit=1000")
    return r.status_code == 200 and file_id in [
        f["file_id"] for f in r.json()["files"]]


def test_killed_before_the_registry_knows(cluster):
    """Issue 3, 11: the element has published, the gateway dies before Admin
    has heard: another gateway brings it from the element's log."""
    c = cluster
    first, second = start(c, gateways=2)
    body = store.pattern(1000)
    auth, port = first.auth(), c.admin.port
    # Admin takes the connection and nothing more.
    c.admin.process.send_signal(signal.SIGSTOP)
    with first.wire() as w:
        w.request("POST", "/api/files/upload?filename=lost.pdf", auth,
                  body=body)
        wait_for("the element has it",
                 lambda: files(c.elements["se-01"]) == 1)
        first.kill()
    c.admin.kill()  # and what the gateway has told it
    c.admin.start(port=port)
    wait_for("it is listed", lambda: second.ids(), 60)
    (ident,) = second.ids()
    assert second.get(ident).content == body


def files(element):
    """Number of files that ELEMENT has published."""
    n = 0
    top = element.env["STORAGE_PATH"]
    for _, _, names in os.walk(top):
        n += sum(name.endswith(".attr.json") for name in names)
    return n


def test_two_poll_as_one(cluster):
    """CAP-005, CAP-006: with two gateways elements are polled as often as
    with one."""
    c = cluster
    start(c, gateways=2)
    begin = time.time()
    time.sleep(8.5)

    def polls(ident):
        return [t for t in (
            timestamp(line) for line in c.elements[ident].log_lines()
            if line.get("path") == "/api/v1/capacity" and
            line["user_agent"] == "artstore-ingester") if t > begin]

    for ident in c.elements:
        # every 2 s, give or take the random shift; on a busy machine later
        n = len([t for t in polls(ident) if t <= begin + 8.5])
        assert n <= 6, (ident, n)
        wait_for(ident + " is polled", lambda: len(polls(ident)) >= 3)

    def leads():
        roles = [x.http("GET", "/health/ready").json()["checks"][
            "capacity_monitor"]["detail"]["role"] for x in c.gateways]
        states = [metrics(x)['capacity_monitor_leader_state{instance_id="%s"}'
                             % x.env["INGESTER_INSTANCE_ID"]]
                  for x in c.gateways]  # CAP-074
        return sorted(zip(roles, states)) == [("follower", 0), ("leader", 1)]

    wait_for("one of them leads", leads)
    for x in c.gateways:
        assert metrics(x)["ingester_se_endpoints_count"] == 2
        wait_for("both are available", lambda: metrics(x)[
            'storage_elements_available{mode="edit"}'] == 2)  # CAP-075
    c.stop()


def metrics(g):
    """Samples of /metrics by name and labels."""
    text = requests.get(g.url + "/metrics", timeout=60).text
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in text.splitlines() if line and line[0] != "#"}


def timestamp(line):
    return datetime.datetime.fromisoformat(
        line["timestamp"].replace("Z", "+00:00")).timestamp()


def test_element_dies(cluster):
    """ING-131...ING-143: the upload goes to another element, and the first
    is used again when it is back."""
    c = cluster
    g = start(c)
    assert g.put(b"1", "a")["storage_element_id"] == "se-01"
    port = c.elements["se-01"].port
    c.elements["se-01"].kill()
    for size in (10, 3 * store.MIB):
        body = store.pattern(size)
        up = g.put(body, "b")
        assert up["storage_element_id"] == "se-02"
        assert g.get(up["file_id"]).content == body
    c.elements["se-01"].start(port=port)
    wait_for("se-01 is used again", lambda: g.put(b"2", "c")[
        "storage_element_id"] == "se-01", 90)
    c.stop()


def test_full_element(cluster):
    """D06, D28, CAP-068: an element that refuses for lack of room is no
    failure: the next one takes it."""
    c = cluster
    c.start_redis()
    c.start_admin()
    c.start_element("se-01", "edit", STORAGE_QUOTA_BYTES=5 * store.MIB)
    c.start_element("se-02", "edit")
    for n, ident in enumerate(c.elements):
        c.register(ident, "edit", n)
    g = c.start_gateway(CAPACITY_MONITOR_BASE_INTERVAL=30)
    c.await_known(g, *c.elements)
    where = [g.put(store.pattern(2 * store.MIB, n), "f%d" % n)[
        "storage_element_id"] for n in range(4)]
    assert where[0] == "se-01" and where[3] == "se-02", where
    c.stop()


def test_element_left_alone(cluster):
    """ING-096: an element that has failed uploads is told of at once, not
    when polls have failed, too."""
    c = cluster
    start(c, gateways=0)
    g = c.start_gateway(**{**QUICK, "CAPACITY_MONITOR_BASE_INTERVAL": 60,
                           "CIRCUIT_BREAKER_FAILURE_THRESHOLD": 1})
    c.await_known(g, "se-01", "se-02")
    wait_for("all is well", lambda: g.http("GET", "/health/ready").json()[
        "checks"]["storage_elements"]["status"] == "ok")
    c.elements["se-01"].stop()
    assert g.put(b"x", "elsewhere")["storage_element_id"] == "se-02"
    status = store.run(store.BIN, "status", "--url", g.url, env={
        "ARTSTORE_TOKEN": g.token()}).stdout
    assert re.search("! se-01: .*degraded: failed too often of late\n",
                     status), status  # a disk that is rather full is told, too
    wait_for("readiness tells of it", lambda: "se-01 is degraded: failed too" in
             requests.get(g.url + "/health/ready", timeout=60).text)
    c.stop()


def test_elements_come_and_go(cluster):
    """REL-065: the operator's word, over HTTP and by signal. A mode set at
    Admin counts from the answer on, whatever the element says of itself."""
    c = cluster
    g = start(c, elements=(("se-01", "edit", 5),))
    c.start_element("se-00", "edit")
    c.register("se-00", "edit", 1)
    r = g.http("POST", "/api/v1/config/reload")
    assert r.status_code == 200, r.text
    assert r.json()["se_count"] == 2 and r.json()["added"] == 1, r.text
    wait_for("the new one is used", lambda: explain(g)["choice"] == "se-00")
    up = g.put(b"x", "kept")
    assert up["storage_element_id"] == "se-00"
    url = c.admin.url + "/api/v1/storage-elements/se-00"
    r = requests.patch(url, json={"mode": "ro"}, headers=c.head(), timeout=60)
    assert r.status_code == 200, r.text
    assert g.http("POST", "/api/v1/config/reload").json()["updated"] == 1
    assert explain(g)["choice"] == "se-01"
    e = g.http("GET", "/api/v1/storage-elements").json()["storage_elements"][0]
    assert (e["element_id"], e["mode"], e["listed_mode"],
            e["reported_mode"]) == ("se-00", "ro", "ro", "edit"), e
    assert g.put(b"y", "elsewhere")["storage_element_id"] == "se-01"
    r = g.http("DELETE", "/api/files/" + up["file_id"])
    assert r.status_code == 400 and store.error_code(r) == \
        "file_in_readonly_storage", r.text
    assert r.json()["details"] == {"element_id": "se-00", "mode": "ro"}
    assert g.get(up["file_id"]).content == b"x"
    r = requests.delete(url + "?force=true", headers=c.head(), timeout=60)
    assert r.status_code == 204, r.text
    g.process.send_signal(signal.SIGHUP)
    wait_for("it is known no more", lambda: [
        e["element_id"] for e in explain(g)["elements"]] == ["se-01"])
    assert g.http("POST", "/api/v1/config/reload", token=c.admin.token(
        "read")).status_code == 403
    c.stop()


def test_mode_of_admin_without_redis(cluster):
    """ING-056: nobody polls, so a gateway has Admin's word of a mode only; it
    counts from the answer on here, too."""
    c = cluster
    c.start_admin()
    c.start_element("se-01", "edit")
    c.register("se-01", "edit", 1)
    g = c.start_gateway()
    up = g.put(b"x", "kept")
    r = requests.patch(c.admin.url + "/api/v1/storage-elements/se-01",
                       json={"mode": "ro"}, headers=c.head(), timeout=60)
    assert r.status_code == 200, r.text
    assert g.http("POST", "/api/v1/config/reload").status_code == 200
    r = g.http("DELETE", "/api/files/" + up["file_id"])
    assert r.status_code == 400 and store.error_code(r) == \
        "file_in_readonly_storage", r.text
    assert g.get(up["file_id"]).content == b"x"
    c.stop()


def test_told_at_once(cluster):
    """ADM-005, REL-080...REL-099: over pub/sub gateways use an element that
    Admin has registered, and leave one that it has removed, with no word of
    the operator; and what Redis has lost Admin writes again."""
    c = cluster
    c.start_redis()
    c.start_admin()
    for n in range(2):
        c.start_element("se-0%d" % n, "edit")
    c.register("se-01", "edit", 5)
    gateways = [c.start_gateway(CAPACITY_MONITOR_PUBSUB_ENABLED="on",
                                CAPACITY_MONITOR_CONFIG_RELOAD_INTERVAL=600,
                                **QUICK) for _ in range(2)]
    c.register("se-00", "edit", 1)
    for g in gateways:
        wait_for("the new one is used", lambda: explain(g)["choice"] == "se-00")
    r = requests.delete(c.admin.url + "/api/v1/storage-elements/se-00",
                        headers=c.head(), timeout=60)
    assert r.status_code == 204, r.text
    for g in gateways:
        wait_for("it is used no more", lambda: explain(g)["choice"] == "se-01")
        assert metrics(g)["ingester_se_config_pubsub_latency_seconds_count"] \
            >= 2
    old = int(c.redis.send("GET", "artstore:storage_elements:version"))
    c.redis.send("FLUSHALL")
    wait_for("the list is there again", lambda: int(c.redis.send(
        "GET", "artstore:storage_elements:version") or 0) > old)
    listed = json.loads(c.redis.send("GET", "artstore:storage_elements"))
    assert [e["element_id"] for e in listed["storage_elements"]] == ["se-01"]
    assert json.loads(c.redis.send("GET", "storage:elements:priorities")) == \
        {"se-01": 5}
    c.stop()


@pytest.fixture
def way():
    ways = []

    def make(port):
        ways.append(Way(port))
        return ways[-1]
    yield make
    for w in ways:
        w.close()


def test_cut_off_and_back(cluster, way):
    """Issue 3, 11: an element that nobody reaches, and that is back: what was
    deleted does not return, also where nobody has learned of it. The log and
    the positions in it have no time in them, so it is all one how long it
    lasts."""
    c = cluster
    c.start_redis()
    c.start_admin()
    e = c.start_element("se-01", "edit")
    w = way(e.port)
    c.register("se-01", "edit", url="http://127.0.0.1:%d" % w.port)
    g = c.start_gateway(**QUICK)
    ids = [g.put(store.pattern(100 + n), "f%d" % n)["file_id"]
           for n in range(3)]
    before, lost, kept = ids
    assert g.http("DELETE", "/api/files/" + before).status_code == 204
    w.answers = False  # what is asked arrives, and nobody learns of it
    with g.wire() as x:
        x.request("DELETE", "/api/files/" + lost, g.auth())
        wait_for("the element has done it", lambda: files(e) == 1)
        w.open = False
        # All who knew of them forget what is not on a disk.
        g.kill()
    port = c.admin.port
    c.admin.kill()
    c.admin.start(port=port)
    e.kill()
    e.start(port=e.port)
    w.mend()
    g.start()
    c.await_ready(g)
    wait_for("Admin has what is there", lambda: listed_ids(g) == [kept], 60)
    for ident in (before, lost):
        assert g.get(ident).status_code == 404
        assert g.http("DELETE", "/api/files/" + ident).status_code == 404
    assert g.get(kept).content == store.pattern(102)
    c.stop()


def test_index_made_anew(cluster):
    """D25, D35: while Admin is away an element loses its index, and with it
    the log of what Admin has missed: all that it holds is told again."""
    c = cluster
    g = start(c, elements=(("se-01", "edit", 1),))
    kept = [g.put(store.pattern(100 + n), "f%d" % n)["file_id"]
            for n in range(3)]
    gone = g.put(b"x", "gone")["file_id"]
    admin_port = c.admin.port
    c.admin.stop()
    kept.append(g.put(b"later", "later")["file_id"])
    assert g.http("DELETE", "/api/files/" + gone).status_code == 204
    e = c.elements["se-01"]
    port = e.port
    e.stop()
    disk = e.env["STORAGE_PATH"]
    for name in os.listdir(disk):
        if name.startswith("index.db"):
            os.unlink(os.path.join(disk, name))
    e.start(port=port)
    c.admin.start(port=admin_port)
    wait_for("Admin has what is there", lambda: listed_ids(g) == sorted(kept),
             60)
    for ident in kept:
        assert g.get(ident).status_code == 200
    assert any("told anew" in line["message"] for line in g.log_lines())
    c.stop()


def listed_ids(g):
    r = g.http("GET", "/api/files?limit=1000")
    return sorted(f["file_id"] for f in r.json()["files"]) \
        if r.status_code == 200 else None
