"""`artstore redis-cleanup` on a real Redis: what it removes and what it leaves,
and what it says when it cannot (CAP-091 to CAP-095, CNF-022).

SPDX-License-Identifier: Apache-2.0
"""
import itertools
import json
import os
import socket
import struct
import threading
import time

import pytest

from redis_server import Redis, free_port
from store import BIN, run
pytestmark = pytest.mark.core

# Names with everything that a pattern, a shell or a terminal might trip over.
LEGACY = [b"storage:elements:se-01", b"storage:elements:se-02",
          b"storage:elements:", b"storage:elements:a b*[x]",
          b"storage:elements:line\nend", b"storage:elements:\xff\x00\xfe",
          b"storage:elements:registry2", b"storage:elements:Registry"]
SETS = [b"storage:rw:by_priority", b"storage:edit:by_priority"]
KEPT = {b"storage:elements:registry": b"hash",
        b"storage:elements:priorities": b"hash",
        b"artstore:storage_elements": b"string",
        b"capacity:se-01": b"hash", b"health:se-01": b"string",
        b"capacity:edit:available": b"zset",
        b"capacity:rw:available": b"zset",
        b"capacity_monitor:leader_lock": b"string",
        b"storage:ro:by_priority": b"zset",
        b"storage:rw:by_priority:old": b"zset",
        b"my:storage:elements:se-01": b"hash",
        b"storage:elementsx": b"string"}


@pytest.fixture
def redis(tmp_path):
    r = Redis(tmp_path / "redis")
    yield r
    r.stop()


def fill(redis, db=0):
    for key in LEGACY:
        redis.send("HSET", key, "endpoint", "http://old", db=db)
    for key in SETS:
        redis.send("ZADD", key, 1, "se-01", db=db)
    for key, kind in KEPT.items():
        command = {b"hash": ["HSET", key, "a", "b"],
                   b"zset": ["ZADD", key, 1, "a"],
                   b"string": ["SET", key, "a"]}[kind]
        redis.send(*command, db=db)


def keys(redis, db=0):
    return set(redis.send("KEYS", "*", db=db))


def cleanup(redis, *words, code=0, port=True, **env):
    where = ["--host", "127.0.0.1", "--port", str(redis.port)] if port else []
    return run(BIN, "redis-cleanup", *where, *words, code=code,
               env={**{k: v for k, v in os.environ.items()
                       if not k.startswith("REDIS_")}, **env})


def test_dry_run_changes_nothing(redis):
    fill(redis)
    before = {k: redis.send("DUMP", k) for k in keys(redis)}
    for words in ([], ["--dry-run"]):
        out = cleanup(redis, *words).stdout.splitlines()
        assert out[-1] == ("10 legacy keys found, 2 keys of today's list would "
                           "be kept; nothing was changed (--execute removes "
                           "them)")
        assert len(out) == 11
        assert "hash     storage:elements:se-01" in out
        assert "zset     storage:edit:by_priority" in out
        # A key cannot make lines of its own.
        assert "hash     storage:elements:line\\nend" in out
    assert before == {k: redis.send("DUMP", k) for k in keys(redis)}


def test_execute_removes_legacy_keys_only(redis):
    fill(redis)
    out = cleanup(redis, "--execute").stdout.splitlines()
    assert out[-1] == "10 legacy keys removed, 2 keys of today's list kept"
    assert keys(redis) == set(KEPT)
    for key, kind in KEPT.items():
        assert redis.send("TYPE", key) == kind
    again = cleanup(redis, "--execute").stdout  # harmless
    assert again == "0 legacy keys removed, 2 keys of today's list kept\n"
    assert keys(redis) == set(KEPT)


def test_empty_redis(redis):
    assert cleanup(redis).stdout == (
        "0 legacy keys found, 0 keys of today's list would be kept; nothing "
        "was changed\n")


def test_json(redis):
    fill(redis)
    rows = [json.loads(line)
            for line in cleanup(redis, "--json").stdout.splitlines()]
    assert rows[-1] == {"found": 10, "removed": 0, "kept": 2,
                        "executed": False, "more": False}
    assert {"key": "storage:elements:line\nend", "type": "hash",
            "removed": False} in rows
    rows = [json.loads(line) for line in
            cleanup(redis, "--json", "--execute").stdout.splitlines()]
    assert rows[-1]["removed"] == 10 and rows[-1]["executed"]
    assert all(r["removed"] for r in rows[:-1]) and len(rows) == 11


def test_many_keys_among_more(redis):
    """SCAN in many pages; each key once, in order."""
    redis.send("EVAL", """for i = 1, 6000 do
        redis.call('HSET', 'storage:elements:se-' .. i, 'a', 'b')
        redis.call('SET', 'other:' .. i, 'x') end""", 0)
    out = cleanup(redis).stdout.splitlines()
    assert len(out) == 6001 and len(set(out)) == 6001
    assert out[:-1] == sorted(out[:-1])
    cleanup(redis, "--execute")
    assert redis.send("DBSIZE") == 6000
    assert redis.send("KEYS", "storage:*") == []


def certificate(folder, name):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
        "/CN=" + name, "-addext", "subjectAltName=DNS:" + name,
        "-keyout", folder / (name + ".key"), "-out", folder / (name + ".pem"))
    return folder / (name + ".pem")


def test_over_tls(tmp_path):
    """REDIS_TLS and rediss://, a name that is not the host's (PRD-186)."""
    cert = certificate(tmp_path, "redis.test")
    port = free_port()
    redis = Redis(tmp_path / "redis", "tls-port %d" % port,
                  "tls-cert-file %s" % cert,
                  "tls-key-file %s" % cert.with_suffix(".key"),
                  "tls-ca-cert-file %s" % cert, "tls-auth-clients no")
    try:
        redis.send("EVAL", """for i = 1, 2000 do redis.call('HSET',
            'storage:elements:se-' .. i, 'a', 'b') end""", 0)
        url = {"REDIS_URL": "rediss://127.0.0.1:%d" % port,
               "REDIS_TLS_CA_FILE": str(cert)}
        said = cleanup(redis, code=7, port=False, **url).stderr
        assert "REDIS_TLS_SERVER_NAME" in said
        url["REDIS_TLS_SERVER_NAME"] = "redis.test"
        out = cleanup(redis, "--execute", port=False, **url).stdout
        assert "2000 legacy keys removed" in out and not keys(redis)
    finally:
        redis.stop()


def test_sentinels_that_hang_up_on_tls():
    """What one did not take any more is not left for the next one: of so many
    some hang up between the connection and the first byte."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def hang_up():
            for i in itertools.count():
                try:
                    peer = listener.accept()[0]
                except OSError:
                    return
                time.sleep(i % 20 / 10000)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0))
                peer.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        at = "127.0.0.1:%d" % listener.getsockname()[1]
        try:
            p = cleanup(None, port=False, code=7, REDIS_TLS="on",
                        REDIS_SENTINELS=",".join([at] * 50),
                        REDIS_SENTINEL_MASTER="main",
                        REDIS_CONNECT_TIMEOUT_MS="60000",
                        REDIS_OPERATION_TIMEOUT_MS="60000")
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
        assert at in p.stderr and p.stdout == ""


def test_one_database_only(redis):
    fill(redis)
    fill(redis, db=3)
    assert "10 legacy keys removed" in cleanup(redis, "--db", "3",
                                               "--execute").stdout
    assert keys(redis, db=3) == set(KEPT)
    assert len(keys(redis)) == len(KEPT) + 10
    # The same by the settings of a gateway.
    out = cleanup(redis, "--execute", port=False, REDIS_HOST="127.0.0.1",
                  REDIS_PORT=str(redis.port)).stdout
    assert "10 legacy keys removed" in out
    assert keys(redis) == set(KEPT)
    fill(redis, db=2)
    out = cleanup(redis, port=False, REDIS_URL="redis://127.0.0.1:%d/2" %
                  redis.port).stdout
    assert "10 legacy keys found" in out


def test_settings_from_a_file(redis, tmp_path):
    fill(redis)
    conf = tmp_path / "artstore.conf"
    conf.write_text("REDIS_HOST=127.0.0.1\nREDIS_PORT=%d\n" % redis.port)
    out = cleanup(redis, "--config", str(conf), port=False).stdout
    assert "10 legacy keys found" in out


def test_password(tmp_path):
    r = Redis(tmp_path / "redis", "requirepass open-sesame-7")
    try:
        fill(r)
        for password in ("", "open-sesame-8"):
            p = cleanup(r, "--execute", code=4, REDIS_PASSWORD=password)
            assert p.stdout == ""
            assert "127.0.0.1:%d" % r.port in p.stderr
            assert "see REDIS_USERNAME, REDIS_PASSWORD" in p.stderr
            assert "sesame" not in p.stderr
        p = cleanup(r, "--execute", REDIS_PASSWORD="open-sesame-7")
        assert "10 legacy keys removed" in p.stdout
        assert "sesame" not in p.stdout + p.stderr
    finally:
        r.stop()


def test_says_which_option(redis, tmp_path):
    """The same words as those of the roles (redis_fault.h)."""
    assert "REDIS_DB" in cleanup(redis, "--db", "99", code=7).stderr
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        p = cleanup(redis, "--port", str(closed.getsockname()[1]), code=7)
    assert "REDIS_HOST" in p.stderr
    p = cleanup(redis, code=7, REDIS_TLS="on",
                REDIS_OPERATION_TIMEOUT_MS="200")
    assert "REDIS_TLS" in p.stderr
    for url in ("http://127.0.0.1", "redis://:x@"):
        p = cleanup(redis, code=7, REDIS_URL=url)
        assert "redis://[[user]:password@]host" in p.stderr
    p = cleanup(redis, code=7, REDIS_TLS="on",
                REDIS_TLS_CA_FILE=str(tmp_path / "none.pem"))
    assert "no such thing" in p.stderr and "REDIS_TLS_CA_FILE" in p.stderr


def test_not_allowed_to_remove(redis):
    """What it may not do is said, and what it has done so far too."""
    fill(redis)
    assert redis.send("ACL", "SETUSER", "default", "-unlink") == b"OK"
    p = cleanup(redis, "--execute", code=4)
    assert "NOPERM" in p.stderr
    assert len(keys(redis)) == len(KEPT) + 10


def test_read_only_replica(redis, tmp_path):
    fill(redis)
    replica = Redis(tmp_path / "replica",
                    "replicaof 127.0.0.1 %d" % redis.port)
    try:
        for _ in range(1200):
            if len(keys(replica)) == len(KEPT) + 10:
                break
            time.sleep(0.05)
        p = cleanup(replica, "--execute", code=7)
        assert "READONLY" in p.stderr
        assert len(keys(redis)) == len(KEPT) + 10
    finally:
        replica.stop()


def test_no_redis():
    class Nobody:
        port = free_port()

    p = cleanup(Nobody, "--execute", code=7)
    assert p.stdout == ""
    assert "connect to Redis 127.0.0.1:%d" % Nobody.port in p.stderr


def test_sentinel_names_the_master(redis, tmp_path):
    fill(redis)
    s = Redis(tmp_path / "sentinel",
              "sentinel monitor main 127.0.0.1 %d 1" % redis.port,
              sentinel=True)
    try:
        dead = free_port()
        p = cleanup(redis, "--execute", port=False,
                    REDIS_SENTINELS="127.0.0.1:%d,127.0.0.1:%d" %
                    (dead, s.port), REDIS_SENTINEL_MASTER="main")
        assert "10 legacy keys removed" in p.stdout
        assert keys(redis) == set(KEPT)
        p = cleanup(redis, port=False, code=7,
                    REDIS_SENTINELS="127.0.0.1:%d" % s.port,
                    REDIS_SENTINEL_MASTER="other")
        assert p.stdout == ""
    finally:
        s.stop()


@pytest.mark.parametrize("words, why", [
    (["--dry-run", "--execute"], "which of the two"),
    (["--port", "0"], "port"),
    (["--delete"], "delete"),
    (["storage:*"], "redis-cleanup"),
])
def test_usage(words, why):
    p = run(BIN, "redis-cleanup", *words, code=2)
    assert why in p.stderr
