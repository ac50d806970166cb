"""Rotation of the keys that sign tokens: published before it signs, the old one
kept until its tokens have ended, restarts in between. ADM-026, ING-188,
PRD-233.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import json
import os
import signal
import subprocess

import pytest
import requests

from store import BIN, run, until
from wire import Wire


def keys(s):
    r = s.http("GET", "/api/v1/keys")
    assert r.status_code == 200, r.text
    return r.json()["keys"]


def kids(s):
    """As everybody sees them."""
    r = requests.get(s.url + "/.well-known/jwks.json", timeout=60)
    assert "d" not in r.json()["keys"][0]
    return [k["kid"] for k in r.json()["keys"]]


def rotate(s, *words):
    """The kid of the new key."""
    out = run(BIN, "keys", "rotate", "--data-dir", s.data, "--json", *words)
    return json.loads(out.stdout.splitlines()[-1])["kid"]


def token(s):
    """From the token endpoint; and which key has signed it."""
    with open(os.path.join(s.data, "credentials.json"),
              encoding="ascii") as f:
        cred = json.load(f)
    r = requests.post(s.url + "/api/v1/auth/token", timeout=60, data={
        "grant_type": "client_credentials", **{
            k: cred[k] for k in ("client_id", "client_secret")}})
    t = r.json()["access_token"]
    head = t.split(".")[0]
    head = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return t, head["kid"]


def refused(s, t):
    r = s.http("GET", "/api/v1/storage-elements", token=t)
    return r.status_code == 401 and \
        r.json()["details"]["reason"] == "token_key_unknown"


@pytest.mark.parametrize("role", ["server", "admin"])
def test_rotation(make_server, role):
    s = make_server(start=False)
    s.role = role
    s.start()
    first, kid1 = token(s)
    assert kids(s) == [kid1]
    assert [k["state"] for k in keys(s)] == ["signing"]
    assert keys(s)[0]["verifies_until"] is None

    # Published at once, and not before its time used; also after a restart.
    kid2 = rotate(s)
    for _ in range(2):
        assert kids(s) == [kid1, kid2]
        assert token(s)[1] == kid1
        assert [k["state"] for k in keys(s)] == ["signing", "next"]
        old, new = keys(s)
        assert new["signs_from"] < old["verifies_until"]
        s.stop()
        s.start()

    # The next is in more of a hurry: it signs in a second, and the others end
    # when all of their tokens have, here said to be five seconds later.
    kid3 = rotate(s, "--lead", "1", "--keep", "5")
    assert kids(s) == [kid1, kid2, kid3]
    until(lambda: token(s)[1] == kid3)
    last = token(s)[0]
    s.stop()
    s.start()
    assert token(s)[1] == kid3
    until(lambda: kids(s) == [kid3])
    assert refused(s, first)
    assert s.http("GET", "/api/v1/storage-elements",
                  token=last).status_code == 200
    s._token = {}  # of the old key
    # Left out, but a clock that was wrong must not have removed it.
    assert sorted(f for f in os.listdir(os.path.join(s.data, "keys"))
                  if f.startswith("key-")) == [
                      "key-000%d.pem" % i for i in (1, 2, 3)]
    assert [k["state"] for k in keys(s)] == ["signing"]

    # A stolen key is worth nothing from the next moment on.
    kid4 = rotate(s, "--lead", "0", "--keep", "0")
    assert kids(s) == [kid4]
    assert refused(s, last)
    until(lambda: sorted(f for f in os.listdir(os.path.join(s.data, "keys"))
                         if f.startswith("key-")) == ["key-0004.pem"])
    s._token = {}
    assert token(s)[1] == kid4
    assert keys(s)[0]["kid"] == kid4

    said = s.http("GET", "/api/v1/audit?order=asc").json()["entries"]
    assert [r["object"] for r in said if r["action"] == "key.rotate"] == [
        kid2, kid3, kid4]
    until(lambda: kid1 in [r["object"] for r in s.http(
        "GET", "/api/v1/audit?action=key.remove").json()["entries"]])
    out = run(BIN, "keys", "ls", "--data-dir", s.data).stdout
    assert kid4 in out and "signing" in out


def test_not_for_everybody(server):
    s = server
    for method, path in (("GET", "/api/v1/keys"),
                         ("POST", "/api/v1/keys/rotate")):
        r = s.http(method, path, token=s.token("read", "write", "delete"))
        assert r.status_code == 403
    for body, status in (("[]", 400), ('{"lead_s": -1}', 422),
                         ('{"keep_s": "x"}', 422), ('{"lead_s": 1e9}', 422)):
        r = s.http("POST", "/api/v1/keys/rotate", data=body)
        assert r.status_code == status, r.text
    assert len(keys(s)) == 1


def test_two_admins(pg, two_admins):
    """Each signs with a key of its own and knows the other's (D37)."""
    a, b = two_admins

    def accepts(s, t):
        r = requests.get(s.url + "/api/v1/storage-elements", timeout=60,
                         headers={"Authorization": "Bearer " + t})
        return r.status_code == 200

    until(lambda: len(kids(a)) == 2 and set(kids(a)) == set(kids(b)))
    assert kids(a) != kids(b)  # its own first
    of_a, of_b = a.token(), b.token()
    for s in two_admins:
        assert accepts(s, of_a) and accepts(s, of_b)
    assert sorted(k["state"] for k in keys(a)) == ["peer", "signing"]
    # A stolen key is over at the other one too.
    kid = rotate(a, "--lead", "0", "--keep", "0")
    until(lambda: not accepts(b, of_a) and kid in kids(b))
    a._token = {}
    of_a = a.token()
    assert accepts(b, of_a)
    # Who is away for a while is not forgotten, nor does it forget.
    a.stop()
    assert accepts(b, of_a)
    a.start()
    assert accepts(a, of_b)
    assert len(pg.sql("SELECT key FROM setting WHERE key LIKE 'jwk:%'",
                      "artstore")) == 2
    rows = pg.sql("SELECT encode(value, 'escape') FROM setting",
                  "artstore")
    assert "PRIVATE" not in str(rows) and '"d"' not in str(rows)


def test_elements_hear_of_a_rotation(cluster):
    """D36: elements cannot ask Admin; the gateway that polls brings them
    its signed word. Files go on; who was away hears of it later; what a stolen
    key has signed is refused by all."""
    c = cluster
    c.start_redis()
    a = c.start_admin()
    for n in (1, 2):
        c.start_element("se-0%d" % n)
        c.register("se-0%d" % n, priority=n)
    env = {"CAPACITY_MONITOR_LEADER_TTL": 3,
           "CAPACITY_MONITOR_LEADER_RENEWAL_INTERVAL": 1,
           "CAPACITY_MONITOR_BASE_INTERVAL": 1,
           "CAPACITY_MONITOR_MAX_INTERVAL": 1}
    g = c.start_gateway(**env)
    one, two = c.elements["se-01"], c.elements["se-02"]

    def status(e, t):
        return requests.get(e.url + "/api/v1/capacity", timeout=30, headers={
            "Authorization": "Bearer " + t}).status_code

    def at_gateway(t):
        return requests.get(g.url + "/api/files?limit=1", timeout=30, headers={
            "Authorization": "Bearer " + t}).status_code

    def documents():
        r = requests.get(a.url + "/.well-known/key-documents", timeout=30)
        return r.json()

    def through_the_gateway():
        """By a gateway whose token is of the key of now."""
        g.stop()
        g.start()
        c.await_ready(g)
        g._token = a._token = {}
        data = os.urandom(5000)
        f = g.put(data)
        assert g.get(f["file_id"]).content == data
        return f

    first, kid1 = token(a)
    assert status(one, first) == status(two, first) == 200
    two.stop()

    # While one of them is away, a rotation with all that follows.
    kid2 = rotate(a, "--lead", "1", "--keep", "3")
    until(lambda: token(a)[1] == kid2)
    second = token(a)[0]
    until(lambda: status(one, second) == 200)
    through_the_gateway()
    until(lambda: status(one, first) == 401)  # over at Admin, and here
    assert at_gateway(second) == 200
    assert kids(a) == [kid2]
    assert {d["kid"] for d in documents()["documents"]} == {kid1, kid2}

    # A stolen key; and the one of before is there to say who is next.
    kid3 = rotate(a, "--lead", "0", "--keep", "0")
    until(lambda: status(one, second) == 401)
    until(lambda: at_gateway(second) == 401)  # which has seen no token of kid3
    until(lambda: sorted(os.listdir(os.path.join(a.data, "keys")))
          .count("key-0002.pem") == 0)
    third, kid = token(a)
    assert kid == kid3
    until(lambda: status(one, third) == 200)
    through_the_gateway()
    assert {d["kid"] for d in documents()["documents"]} == {kid1, kid2, kid3}

    # It comes back, with a jwks.json of two rotations ago.
    two.start(port=two.port)
    until(lambda: status(two, third) == 200)
    assert status(two, first) == status(two, second) == 401
    for _ in range(2):  # also after a restart without anybody's help
        two.stop()
        two.start(port=two.port)
        assert status(two, third) == 200
        assert status(two, first) == 401

    # A file that an operator has brought is what holds, until it is told more.
    with open(c.jwks, encoding="ascii") as f:
        before = f.read()
    g.stop()
    with open(c.jwks, "w", encoding="ascii") as f:
        f.write(before + " ")
    two.process.send_signal(signal.SIGHUP)
    until(lambda: status(two, first) == 200)
    assert status(two, third) == 401

    # Nobody needs a token to bring keys; who is slow keeps nobody out.
    slow = [Wire(two.port) for _ in range(24)]
    for s in slow:
        s.request("PUT", "/api/v1/trusted-keys", "Content-Length: 100000",
                  "Expect: 100-continue")
        assert s.head().status == 100

    # Whoever brings what nobody trusted has signed is told so.
    for body, code in (("{}", 400), ("no", 400), (json.dumps({
            "version": 2 ** 62, "documents": [{
                "kid": kid3, "jws": [d["jws"] for d in
                                     documents()["documents"]
                                     if d["kid"] == kid3][0]}]}), 403)):
        r = requests.put(two.url + "/api/v1/trusted-keys", timeout=30,
                         data=body)
        assert r.status_code == code, r.text
    assert status(two, first) == 200
    g.start()
    until(lambda: status(two, third) == 200 and status(two, first) == 401)
    for s in slow:
        s.sock.close()

    # With another Admin's file nothing helps, and that can be seen.
    with open(c.jwks, "wb") as f:
        f.write(subprocess.run("openssl genpkey -algorithm RSA | "
                               "openssl pkey -pubout", shell=True, check=True,
                               capture_output=True).stdout)
    two.process.send_signal(signal.SIGHUP)
    until(lambda: "unhealthy: token_refused" in requests.get(
        g.url + "/health/ready", timeout=30).text)
    told = [l for l in g.log_lines() if "does not take Admin's" in str(l)]
    assert len(told) == 1, told
