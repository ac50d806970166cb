"""The audit log: what is written, that it is a chain, and that every way to
tamper with it is found and named. ADM-034, ADM-037, ING-060, ING-314.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import json
import os
import sqlite3
import struct
import subprocess
import threading
import uuid
from datetime import datetime, timedelta, timezone

import requests

from store import BIN, run, until

TEXTS = ["actor", "action", "object", "element_id", "result", "request_id",
         "source"]


def rows(s, **query):
    """All rows, oldest first."""
    found, cursor = [], None
    while True:
        r = s.http("GET", "/api/v1/audit", params={
            "order": "asc", "limit": 50, "cursor": cursor, **query})
        assert r.status_code == 200, r.text
        found += r.json()["entries"]
        cursor = r.json()["next_cursor"]
        if not cursor:
            return found


def said(s, action, n=1, **query):
    """The rows of ACTION, when there are N."""
    until(lambda: len(rows(s, action=action, **query)) >= n)
    return rows(s, action=action, **query)


def refused_token(s, name="nobody"):
    r = requests.post(s.url + "/api/v1/auth/token", timeout=60, data={
        "grant_type": "client_credentials", "client_id": name,
        "client_secret": "no-such-secret"})
    assert r.status_code == 401, r.text


def verify(s, *words, code=0):
    out = run(BIN, "audit", "verify", "--data-dir", s.data, "--json", *words,
              code=code)
    return json.loads(out.stdout)


def test_what_is_written(make_server):
    s = make_server()
    file_id = s.put(b"x", query="&retention=temporary")["file_id"]
    assert s.http("DELETE", "/api/files/" + file_id).status_code == 204
    gone = said(s, "file.delete")
    assert gone[0]["object"] == file_id and gone[0]["result"] == "ok"
    assert gone[0]["actor"] == "artstore-bootstrap"
    assert gone[0]["element_id"].startswith("se-")
    assert gone[0]["source"] == ""
    assert s.http("DELETE", "/api/files/" + file_id).status_code == 404
    assert s.http("PATCH", "/api/v1/storage-elements/se-01",
                  json={"priority": 7}).status_code == 200
    assert said(s, "element.change")[0]["object"] == "se-01"
    refused_token(s)
    with open(os.path.join(s.data, "credentials.json"),
              encoding="ascii") as f:
        cred = json.load(f)
    r = requests.post(s.url + "/oauth/token", timeout=60, data={
        "grant_type": "client_credentials", "client_id": cred["client_id"],
        "client_secret": cred["client_secret"]})
    assert r.status_code == 200
    tokens = said(s, "token.issue", 2)
    assert [(t["actor"], t["result"]) for t in tokens] == [
        ("nobody", "invalid_client"), ("artstore-bootstrap", "issued")]
    assert cred["client_secret"] not in json.dumps(rows(s))
    assert r.json()["access_token"] not in json.dumps(rows(s))

    # Not for everybody.
    r = s.http("GET", "/api/v1/audit", token=s.token("read", "write"))
    assert r.status_code == 403
    assert s.http("GET", "/api/v1/audit", token="").status_code == 401

    # The same for people, and over a restart.
    out = run(BIN, "audit", "ls", "--data-dir", s.data, "--action",
              "file.delete").stdout
    assert file_id in out and "ACTION" in out
    s.stop()
    s.start()
    out = run(BIN, "audit", "ls", "--data-dir", s.data, "--all", "--oldest",
              "--json").stdout
    assert [json.loads(x) for x in out.splitlines()] == rows(s)


def seal(prev, r):
    """The sum that doc/audit.md describes."""
    at = datetime.fromisoformat(r["at"].replace("Z", "+00:00"))
    ms = (at - datetime(1970, 1, 1, tzinfo=timezone.utc)) // \
        timedelta(milliseconds=1)
    data = prev + struct.pack(">QQ", r["n"], ms) + uuid.UUID(r["id"]).bytes
    for t in TEXTS:
        b = r[t].encode()
        data += struct.pack(">I", len(b)) + b
    return hashlib.sha256(data).digest()


def test_sums_done_elsewhere(make_server):
    """Python comes to the same hashes."""
    s = make_server()
    for i in range(12):
        refused_token(s, "client-%d" % i)
    found = said(s, "token.issue", 12)
    prev = bytes(32)
    for i, r in enumerate(found):
        assert r["n"] == i + 1
        prev = seal(prev, r)
        assert r["hash"] == prev.hex()


def test_refusals_are_counted(make_server):
    """Somebody without credentials fills nobody's log."""
    s = make_server()
    for i in range(30):
        requests.post(s.url + "/api/v1/auth/token", timeout=60, data={
            "grant_type": "client_credentials", "client_id": "mallory",
            "client_secret": "no-such-secret"})
    s.stop()  # what was counted is told then, if not before
    s.start()
    found = rows(s, action="token.issue")
    assert sum(int(r["result"].partition(" x")[2] or 1) for r in found) == 30
    assert len(found) < 12
    assert verify(s)["rows"] == len(found)


def signed(s, n):
    """When the end of the log is signed up to row N."""
    until(lambda: verify(s)["signed"] >= n)


class Lite:
    """The rows of a server with SQLite, as its thief sees them."""
    blob = "X'%s'"

    def __init__(self, s):
        self.path = os.path.join(s.data, "admin.db")

    def sql(self, text):
        db = sqlite3.connect(self.path, timeout=60)
        with db:
            db.execute(text)
        db.close()


class Pg:
    blob = "'\\x%s'"

    def __init__(self, pg, name="artstore"):
        self.pg, self.name = pg, name

    def sql(self, text):
        self.pg.sql(text, self.name)


def head_to(db, r):
    text = "1 %d %s" % (r["n"], r["hash"])
    return "UPDATE setting SET value = %s WHERE key = 'audit_head'" % (
        db.blob % text.encode().hex())


def forged(db, found):
    """What makes the log say that mallory never did row 5."""
    text, prev = [], bytes(32)
    for r in found:
        r = {**r, "actor": "alice"} if r["n"] == 5 else dict(r)
        prev = seal(prev, r)
        r["hash"] = prev.hex()
        text.append("UPDATE audit SET actor = '%s', hash = %s WHERE n = %d" % (
            r["actor"], db.blob % r["hash"], r["n"]))
    return text + [head_to(db, r)]


def tampering(s, db):
    """Each tampering is found, and after it was undone all is well."""
    for i in range(12):
        refused_token(s, "client-%d" % i)
    said(s, "token.issue", 12)
    v = verify(s)
    assert v["verdict"] == "sound" and v["rows"] == 12, v
    anchor = v["last"]
    signed(s, 12)
    found = rows(s)
    db.sql("CREATE TABLE kept AS SELECT * FROM audit")
    db.sql("CREATE TABLE kept_head AS SELECT * FROM setting"
           " WHERE key = 'audit_head'")
    swap = "UPDATE audit SET n = CASE n WHEN -5 THEN 6 ELSE 5 END WHERE n < 0"
    cases = [
        ("a changed row", ["UPDATE audit SET actor = 'mallory' WHERE n = 5"],
         "changed", 5),
        ("another time", ["UPDATE audit SET at = at - 3600000 WHERE n = 7"],
         "changed", 7),
        ("a removed row", ["DELETE FROM audit WHERE n = 5"], "missing", 5),
        ("the first removed", ["DELETE FROM audit WHERE n = 1"], "missing", 1),
        ("the last removed", ["DELETE FROM audit WHERE n = 12"], "missing",
         12),
        ("two swapped", ["UPDATE audit SET n = -n WHERE n IN (5, 6)", swap],
         "changed", 5),
        ("a hole that was closed",
         ["DELETE FROM audit WHERE n = 5"] +
         ["UPDATE audit SET n = %d WHERE n = %d" % (n - 1, n)
          for n in range(6, 13)], "changed", 5),
        ("no hash", ["UPDATE audit SET hash = NULL WHERE n = 5"], "unsealed",
         5),
        ("the head is gone", ["DELETE FROM setting WHERE key = 'audit_head'"],
         "changed", 1),
        # Who does all the sums anew has no key to sign them with.
        ("as if there had never been a chain",
         ["UPDATE audit SET hash = NULL",
          "DELETE FROM setting WHERE key = 'audit_head'"], "changed", 12),
        ("nothing at all",
         ["DELETE FROM audit",
          "DELETE FROM setting WHERE key = 'audit_head'"], "missing", 12),
        ("its end cut off",
         ["DELETE FROM audit WHERE n > 10", head_to(db, found[9])],
         "missing", 12),
        ("all of it written anew", forged(db, found), "changed", 12),
    ]
    for why, statements, verdict, at in cases:
        for text in statements:
            db.sql(text)
        v = verify(s, code=6)
        assert (v["verdict"], v["at"]) == (verdict, at), why
        db.sql("DELETE FROM audit")
        db.sql("INSERT INTO audit SELECT * FROM kept")
        db.sql("DELETE FROM setting WHERE key = 'audit_head'")
        db.sql("INSERT INTO setting SELECT * FROM kept_head")
        assert verify(s)["verdict"] == "sound", why
    db.sql("DROP TABLE kept")
    db.sql("DROP TABLE kept_head")

    # A log that was written anew as a whole is sound, but not the one that
    # was noted.
    assert verify(s, "--anchor", anchor)["verdict"] == "sound"
    n, digest = anchor.split(":")
    other = "%s:%s%s" % (n, "f" if digest[0] != "f" else "0", digest[1:])
    v = verify(s, "--anchor", other, code=6)
    assert (v["verdict"], v["at"]) == ("changed", 12)
    v = verify(s, "--anchor", "99:" + digest, code=6)
    assert (v["verdict"], v["at"]) == ("missing", 99)
    out = run(BIN, "audit", "verify", "--data-dir", s.data).stdout
    assert out.splitlines()[-1] == anchor
    run(BIN, "audit", "verify", "--data-dir", s.data, "--anchor", "x", code=2)

    # And it goes on.
    refused_token(s, "later")
    said(s, "token.issue", 13)
    assert verify(s, "--anchor", anchor)["rows"] == 13


def test_tampering(make_server):
    s = make_server()
    tampering(s, Lite(s))


def metric(s, name):
    text = requests.get(s.url + "/metrics", timeout=60).text
    return float([x.split()[-1] for x in text.splitlines()
                  if x.startswith(name + " ")][0])


def part(s, name):
    """What readiness says of one part; it is ready all the same."""
    r = requests.get(s.url + "/health/ready", timeout=60)
    assert r.status_code == 200, r.text
    return [c for c in r.json()["components"] if c["name"] == name][0]


def test_signed(make_server, tmp_path):
    """Admin signs only what goes on from where it has signed, also when it
    was stopped meanwhile; and a signature of somebody else is none."""
    s = make_server()
    for i in range(4):
        refused_token(s, "client-%d" % i)
    said(s, "token.issue", 4)
    s.stop()  # the last tick signs
    db = Lite(s)
    kept = sqlite3.connect(db.path).execute(
        "SELECT hash FROM audit WHERE n = 2").fetchone()[0].hex()
    db.sql("CREATE TABLE kept AS SELECT * FROM audit")
    db.sql("CREATE TABLE kept_head AS SELECT * FROM setting"
           " WHERE key = 'audit_head'")
    db.sql("DELETE FROM audit WHERE n > 2")
    db.sql(head_to(db, {"n": 2, "hash": kept}))
    s.start()
    until(lambda: metric(s, "artstore_audit_broken") == 1)
    until(lambda: part(s, "audit")["status"] == "degraded")
    assert "artstore audit verify" in part(s, "audit")["message"]
    assert "audit verify" in run(BIN, "status", "--data-dir", s.data,
                                 "--url", s.url).stdout
    for i in range(5):  # it goes on, and is longer than it was
        refused_token(s, "later-%d" % i)
    said(s, "token.issue", 7)
    v = verify(s, code=6)
    assert (v["verdict"], v["at"]) == ("changed", 4)
    # The rows are put back.
    db.sql("DELETE FROM audit")
    db.sql("INSERT INTO audit SELECT * FROM kept")
    db.sql("DELETE FROM setting WHERE key = 'audit_head'")
    db.sql("INSERT INTO setting SELECT * FROM kept_head")
    assert verify(s)["signed"] == 4
    until(lambda: metric(s, "artstore_audit_broken") == 0)
    refused_token(s, "at-last")
    signed(s, 5)

    good, bad = str(tmp_path / "good.json"), str(tmp_path / "bad.pem")
    with open(good, "w", encoding="ascii") as f:
        f.write(requests.get(s.url + "/.well-known/jwks.json",
                             timeout=60).text)
    assert verify(s, "--keys", good)["verdict"] == "sound"
    subprocess.run(["sh", "-c", "openssl genpkey -algorithm RSA 2> /dev/null"
                    " | openssl pkey -pubout -out '%s'" % bad], check=True)
    assert verify(s, "--keys", bad, code=6)["verdict"] == "unsigned"


def test_older_rows(make_server):
    """What was written before there was a chain stays, and is told apart."""
    s = make_server()
    for i in range(3):
        refused_token(s, "client-%d" % i)
    said(s, "token.issue", 3)
    s.stop()
    db = Lite(s)
    os.unlink(os.path.join(s.data, "keys", "audit.seal"))
    db.sql("UPDATE audit SET id = NULL, hash = NULL")
    db.sql("DELETE FROM setting WHERE key = 'audit_head'")
    s.start()
    assert verify(s)["verdict"] == "sound"
    refused_token(s, "later")
    said(s, "token.issue", 4)
    v = verify(s)
    assert (v["verdict"], v["older"], v["rows"]) == ("sound", 3, 1)
    assert "3 rows are from before" in run(
        BIN, "audit", "verify", "--data-dir", s.data).stdout
    # The border between the two does not move.
    db.sql("UPDATE audit SET hash = NULL WHERE n = 4")
    v = verify(s, code=6)
    assert (v["verdict"], v["at"]) == ("unsealed", 4)


def test_admin_alone(make_server):
    """The same of `artstore admin`, with a gateway that tells what it did."""
    s = make_server(start=False)
    s.role = "admin"
    s.start()
    one = {"id": str(uuid.uuid4()), "at": "2025-01-02T15:30:45.123Z",
           "actor": "alice", "action": "file.delete", "object": "f-1",
           "element_id": "se-01", "result": "ok", "request_id": "r-1"}
    gateway = s.token("gateway")
    for _ in range(2):  # the answer may have been lost
        r = s.http("POST", "/api/v1/internal/audit", token=gateway,
                   json={"entries": [one]})
        assert r.status_code == 204, r.text
    got = said(s, "file.delete")
    assert len(got) == 1
    assert {k: got[0][k] for k in one} == one
    assert got[0]["source"] == "artstore-bootstrap"  # whose token it was
    # It may not speak for Admin, and nobody else may speak at all.
    for action in ("account.create", "element.add", "key.rotate"):
        r = s.http("POST", "/api/v1/internal/audit", token=gateway,
                   json={"entries": [{**one, "action": action}]})
        assert r.status_code == 400, r.text
    r = s.http("POST", "/api/v1/internal/audit", json={"entries": [one]})
    assert r.status_code == 403
    assert verify(s)["rows"] == 1


def test_tampering_postgres(pg, make_server):
    s = make_server(start=False, DATABASE_URL=pg.database(),
                    DB_AUTO_MIGRATE="on")
    s.role = "admin"
    s.start()
    tampering(s, Pg(pg))


def test_two_admins(two_admins):
    """Both append at once: one chain, nothing lost."""
    def fill(s, who):
        gateway = s.token("gateway")
        for i in range(15):
            r = s.http("POST", "/api/v1/internal/audit", token=gateway,
                       json={"entries": [
                           {"id": str(uuid.uuid4()), "actor": who,
                            "at": "2025-01-02T15:30:45Z", "result": "ok",
                            "action": "file.delete", "object": "%d" % k}
                           for k in (i, i)]})
            assert r.status_code == 204, r.text

    threads = [threading.Thread(target=fill, args=(s, "gw-%d" % i),
                                daemon=True)
               for i, s in enumerate(two_admins)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for s in two_admins:
        found = rows(s)
        assert len(found) == 60
        for who in ("gw-0", "gw-1"):
            mine = [int(r["object"]) for r in found if r["actor"] == who]
            assert mine == sorted(mine) and len(mine) == 30
        assert verify(s)["rows"] == 60
