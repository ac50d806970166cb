"""artstore storage with STORAGE_BACKEND=s3, on a real S3 server (STO-008,
STO-021, STO-022, D31): what it takes through its remote API it gives back,
after kill -9 and without its index too.

SPDX-License-Identifier: Apache-2.0
"""
import fcntl
import os
import shutil
import signal
import sys
import time

import pytest
import requests

import store
from blob_client import BLOCK, Blobs, uuid7

sys.path.insert(0, os.path.join(store.ROOT, "test", "s3"))
import radosgw  # noqa: E402

MIB = store.MIB


@pytest.fixture(scope="module")
def s3():
    if radosgw.missing():
        pytest.skip("%s is not installed (tools/deps)" % radosgw.missing())
    server = radosgw.Radosgw()
    try:
        yield server.start()
    finally:
        server.stop()


class Element:
    """One in a bucket of S3, below a prefix of its own."""

    def __init__(self, s3, folder, **env):
        self.s3 = s3
        self.prefix = "%s/" % uuid7()
        self.env = {**s3.env(), "AUTH_ENABLED": "off",
                    "STORAGE_ELEMENT_ID": "se-s3-01", "STORAGE_MODE": "edit",
                    "STORAGE_BACKEND": "s3", "S3_PREFIX": self.prefix,
                    "S3_SOFT_CAPACITY_LIMIT": "1G", "S3_RETRIES": "1",
                    "S3_TIMEOUT": "10", **env}
        self.server = store.Server(folder, **self.env)
        self.server.role = "storage"
        os.makedirs(self.server.data)
        self.index = os.path.join(self.server.data, "element")

    def run(self, *words, code=0, **env):
        return store.run(store.BIN, "storage", *words, "--data-dir",
                         self.server.data, code=code, env={**self.env, **env})

    def init(self):
        return self.run("init", "--alone", "--id", "se-s3-01", "--mode", "edit")

    def start(self):
        self.server.start()
        self.blobs = Blobs(self.server.url)
        return self

    def get(self, path):
        return requests.get(self.server.url + path, timeout=60)

    def capacity(self):
        return self.get("/api/v1/capacity").json()

    def until(self, what, good, seconds=60):
        end = time.monotonic() + seconds * store.slow_build()
        while not good():
            assert time.monotonic() < end, what + "; " + self.server.tail()
            time.sleep(0.1)

    def metric(self, name):
        return next(float(line.split()[1])
                    for line in self.get("/metrics").text.splitlines()
                    if line.startswith(name + " "))

    def objects(self, query="list-type=2"):
        """Keys in the bucket below the prefix, or uploads in parts."""
        prefix = self.prefix.replace("/", "%2F")
        query += "&prefix=" + prefix if "=" in query else "=&prefix=" + prefix
        query = "&".join(sorted(query.split("&")))
        assert self.s3.request("GET", "/" + self.s3.bucket,
                               query=query) == 200, self.s3.answer
        return [k.split("</Key>")[0]
                for k in self.s3.answer.decode().split("<Key>")[1:]]


@pytest.fixture
def element(s3, tmp_path):
    e = Element(s3, tmp_path)
    e.init()
    e.start()
    yield e
    if e.server.process:
        e.server.stop()
    with open(e.server.log, encoding="utf-8") as f:
        assert s3.secret not in f.read()


def ok(r):
    assert r.status_code in (200, 201, 204), (r.status_code, r.text)


def refused(r):
    """For a reason for which gateways try another element."""
    assert r.status_code in (500, 503, 504), (r.status_code, r.text)
    assert store.error_code(r) in ("io", "again", "timeout"), r.text


def fill(blobs):
    """One put and two uploads, of which one has no length; {id: bytes}."""
    data = {uuid7(): store.pattern(n, n) for n in (
        1000, 9 * MIB + 123, 17 * BLOCK + 1)}
    small, large, unknown = data
    ok(blobs.put(small, data[small]))
    ok(blobs.upload(large, data[large]))
    ok(blobs.upload(unknown, data[unknown], False))
    return data


def check(blobs, data):
    assert blobs.list() == {i: len(d) for i, d in data.items()}
    for i, d in data.items():
        assert blobs.read(i, 0, len(d)) == d


def test_takes_and_gives(element):
    blobs = element.blobs
    data = fill(blobs)
    check(blobs, data)
    small, large, _ = data
    for off, n in ((BLOCK, 10), (8 * MIB, BLOCK + 5), (36 * BLOCK, 123)):
        assert blobs.read(large, off, n) == data[large][off:off + n]
    c = element.capacity()
    assert c["backend"] == "s3" and c["health"] == "healthy"
    assert c["total"] == 1 << 30 and c["files"] == 3  # STO-022
    assert c["used"] == sum(len(d) for d in data.values())
    assert c["available"] == c["total"] - c["used"]
    assert element.metric("artstore_s3_requests_total") > 10
    assert element.metric("artstore_s3_failures_total") == 0
    # The same again is the first result; something else is not.
    ok(blobs.put(small, data[small], 2))
    assert blobs.put(small, b"other", 3).status_code == 409
    ok(blobs.delete(small))
    assert blobs.read(small, 0, 1000) is None
    del data[small]
    check(blobs, data)
    assert element.capacity()["files"] == 2
    # Nobody else may touch its index.
    assert "another process" in element.run("rebuild", "--alone", code=None
                                            ).stderr
    assert not [k for k in element.objects() if small in k and "/data/" in k]


def test_killed(element):
    """Also in the middle of an upload, whose parts nobody then knows of."""
    data = fill(element.blobs)
    half = uuid7()
    ok(element.blobs.admit(half, 20 * MIB))
    assert element.blobs.append(half, 0, bytes(10 * MIB)).status_code == 200
    element.until("parts are on their way",
                  lambda: element.objects("uploads"))
    element.server.kill()
    element.start()
    assert element.objects("uploads") == []
    assert element.capacity()["boot"] == 2
    check(element.blobs, data)
    assert element.blobs.read(half, 0, 1) is None
    element.server.stop()
    # A clean stop leaves nothing to look at; a lost index is made anew.
    agrees = element.run("rebuild", "--alone", "--check", "--deep").stdout
    assert "3 files" in agrees and "agrees" in agrees
    shutil.rmtree(element.index)
    element.start()
    check(element.blobs, data)
    element.server.stop()
    shutil.rmtree(element.index)
    assert "3 files" in element.run("rebuild", "--alone").stdout
    element.start()
    check(element.blobs, data)


def test_store_away(element, s3):
    """No answer for longer than it takes to find out, and none of the readiness
    that balancers go by; both come back."""
    data = fill(element.blobs)
    s3.kill_gateway()
    refused(element.blobs.put(uuid7(), b"x"))
    element.until("unhealthy", lambda: element.capacity()[
        "health"].startswith("unhealthy"))
    element.until("not ready",
                  lambda: element.get("/health/ready").status_code == 503)
    assert element.get("/health/live").status_code == 200
    s3.start_gateway()
    element.until("ready",
                  lambda: element.get("/health/ready").status_code == 200)
    check(element.blobs, data)
    late = uuid7()
    ok(element.blobs.put(late, b"late"))
    data[late] = b"late"
    # What came while it was away leaves nothing behind, and a stop while it is
    # away again ends (the fixture), and costs nothing that was acknowledged.
    s3.kill_gateway()
    refused(element.blobs.put(uuid7(), b"y"))
    element.server.stop()
    s3.start_gateway()
    element.start()
    check(element.blobs, data)


def test_reload(s3, tmp_path):
    """STO-024, and keys that end."""
    secret, conf = tmp_path / "secret", tmp_path / "artstore.env"
    secret.write_text(s3.secret + "\n")
    e = Element(s3, tmp_path, ARTSTORE_CONFIG=str(conf),
                S3_SECRET_KEY_FILE=str(secret))
    for name in ("S3_SOFT_CAPACITY_LIMIT", "S3_SECRET_KEY"):
        e.env.pop(name)
        e.server.env.pop(name)
    conf.write_text("S3_SOFT_CAPACITY_LIMIT=0\n")
    e.init()
    e.start()

    def hup(text):
        before = len(list(e.server.log_lines()))
        conf.write_text(text)
        e.server.process.send_signal(signal.SIGHUP)

        def reloaded():
            nonlocal before
            lines = list(e.server.log_lines())[before:]
            if "try again" in str(lines):  # a loop had no turn for a second
                before += len(lines)
                e.server.process.send_signal(signal.SIGHUP)
            return "onfiguration reloaded" in str(lines)

        e.until("reloaded", reloaded)

    try:
        c = e.capacity()
        assert c["health"].startswith("degraded") and c["total"] == 0
        assert e.blobs.put(uuid7(), b"x").status_code == 507
        hup("S3_SOFT_CAPACITY_LIMIT=10M\n")
        assert e.capacity()["total"] == 10 * MIB
        ok(e.blobs.put(uuid7(), b"x"))
        secret.write_text("not the one\n")
        hup("S3_SOFT_CAPACITY_LIMIT=11M\n")
        refused(e.blobs.put(uuid7(), b"y"))
        assert "403 Signature" in e.capacity()["health"]
        secret.write_text(s3.secret + "\n")
        hup("S3_SOFT_CAPACITY_LIMIT=12M\n")
        ok(e.blobs.put(uuid7(), b"y"))
        assert s3.secret not in e.server.tail(1 << 20)
    finally:
        e.server.stop()


def test_refuses(s3, tmp_path):
    """What is wrong is named, and nothing is made where something is."""
    e = Element(s3, tmp_path)
    e.server.start(expect_ready=False)
    assert e.server.wait() == 1  # D31
    assert "storage init" in e.server.tail()
    assert e.objects() == []
    e.init()
    again = e.run("init", "--alone", "--id", "x", code=None)
    assert again.returncode != 0 and "exists already" in again.stderr
    # D31: a name is changed on purpose.
    e.run("rename", "--alone", "--id", "se-s3-02")
    e.run("rebuild", "--alone", STORAGE_ELEMENT_ID="se-s3-02")
    p = e.run("rebuild", "--alone", code=1)
    assert "se-s3-01 what by its superblock is se-s3-02 in " in p.stderr
    assert "storage rename" in p.stderr, p.stderr
    for name in ("S3_ENDPOINT", "S3_BUCKET", "S3_ACCESS_KEY",
                 "S3_SECRET_KEY"):
        p = e.run("init", "--alone", "--id", "x", code=78, **{name: ""})
        assert name + " is needed" in p.stderr
    wrong = e.run("init", "--alone", "--id", "x", code=None,
                  S3_SECRET_KEY="a-wrong-secret")
    assert "S3_SECRET_KEY" in wrong.stderr
    assert "a-wrong-secret" not in wrong.stderr
    p = e.run("init", "--alone", "--id", "x", code=None,
              STORAGE_BACKEND="local")
    assert p.returncode != 0 and "--path" in p.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="of root alone")
def test_root(s3, home):
    """What root's commands leave can be opened by the server's user: see
    test_root.py, which has the rest."""
    e = Element(s3, home)
    os.chown(e.server.data, store.NOBODY, store.NOBODY)
    e.init()
    assert "uid 65534" in e.run("rebuild", "--alone").stderr
    e.run("rename", "--alone", "--id", "se-s3-01")
    names = os.listdir(e.index)
    for at in (e.index, *(os.path.join(e.index, n) for n in names)):
        assert os.stat(at).st_uid == store.NOBODY, at
    # Another process of this host has it, and has not written so yet.
    lock = next(n for n in names if n.endswith(".lock"))
    with open(os.path.join(e.index, lock), "rb") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        p = e.run("rename", "--alone", "--id", "se-s3-02", code=8)
        assert "another process" in p.stderr, p.stderr
