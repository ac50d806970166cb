"""Service accounts: made, listed, disabled, given another secret, removed; what
they may do; and that a secret is seen once. ADM-023, ADM-025, ADM-028, PRD-233.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import time

import requests

from store import BIN, error_code, run


def account(s, *words, code=0, **kw):
    return run(BIN, "account", *words, "--data-dir", s.data, code=code, **kw)


def create(s, name, scope="read write"):
    return json.loads(account(s, "create", name, "--scope", scope,
                              "--json").stdout)


def token(s, cred, secret=None, **form):
    return requests.post(s.url + "/api/v1/auth/token", timeout=60, data={
        "grant_type": "client_credentials", "client_id": cred["client_id"],
        "client_secret": secret or cred["client_secret"], **form})


def may(s, cred, method, path):
    r = s.http(method, path, token=token(s, cred).json()["access_token"])
    return r.status_code


def life(s):
    """The whole life of an account, over the command line and the API."""
    ci = create(s, "ci")
    assert ci["client_secret"].startswith("artsec_")
    assert ci["scope"] == "read write" and not ci["disabled"]
    assert may(s, ci, "GET", "/api/v1/storage-elements") == 200
    assert may(s, ci, "GET", "/api/v1/accounts") == 403
    assert token(s, ci, scope="admin").status_code == 400
    assert token(s, ci).json()["scope"] == "read write"
    assert "ACCOUNT" in account(s, "ls").stdout

    # Once only, and nowhere else.
    r = s.http("GET", "/api/v1/accounts/ci")
    assert r.status_code == 200 and "client_secret" not in r.json()
    for text in (r.text, s.http("GET", "/api/v1/accounts").text,
                 s.http("GET", "/api/v1/audit").text, s.tail(10 ** 6),
                 requests.get(s.url + "/metrics", timeout=60).text):
        assert ci["client_secret"] not in text
        assert "sha256$" not in text

    # Who is there is not replaced.
    out = account(s, "create", "ci", "--scope", "admin", code=1)
    assert "account_exists" in out.stderr or "already" in out.stderr
    assert s.http("GET", "/api/v1/accounts/ci").json()["scope"] == "read write"

    # Disabled: no token, whatever the secret; enabled: as before.
    account(s, "disable", "ci")
    assert token(s, ci).status_code == 401
    assert [a["disabled"] for a in s.http("GET", "/api/v1/accounts").json()[
        "accounts"] if a["client_id"] == "ci"] == [True]
    account(s, "enable", "ci")
    assert token(s, ci).status_code == 200

    # Other scopes hold from the next token on.
    r = s.http("PATCH", "/api/v1/accounts/ci", json={"scope": "read"})
    assert r.status_code == 200 and r.json()["scope"] == "read"
    assert token(s, ci).json()["scope"] == "read"

    # Another secret: both for a while, then one.
    began = time.monotonic()
    new = json.loads(account(s, "rotate-secret", "ci", "--keep", "2",
                             "--json").stdout)
    assert new["client_secret"] != ci["client_secret"]
    assert token(s, new).status_code == 200
    assert token(s, ci).status_code == 200 or time.monotonic() - began > 1
    end = time.monotonic() + 60
    while token(s, ci).status_code == 200:
        assert time.monotonic() < end
        time.sleep(0.2)
    assert token(s, new).status_code == 200
    last = json.loads(account(s, "rotate-secret", "ci", "--at-once",
                              "--json").stdout)
    assert token(s, new).status_code == 401
    assert token(s, last).status_code == 200

    # Removed, and the name may be had again.
    account(s, "rm", "ci")
    assert token(s, last).status_code == 401
    account(s, "rm", "ci", code=3)
    create(s, "ci")
    account(s, "rm", "ci")
    # What the next start would make again is not removed.
    account(s, "rm", "artstore-bootstrap", code=1)
    account(s, "rm", "ingester-service", code=1)

    # All of it is in the audit log before it was acknowledged.
    said = [(r["action"], r["result"]) for r in s.http(
        "GET", "/api/v1/audit?object=ci&order=asc").json()["entries"]
        if r["action"].startswith("account.")]
    assert said == [
        ("account.create", "read write"), ("account.create", "exists"),
        ("account.change", "disabled"), ("account.change", "enabled"),
        ("account.change", "read"), ("account.rotate", "ok"),
        ("account.rotate", "at once"), ("account.remove", "ok"),
        ("account.remove", "not_found"), ("account.create", "read write"),
        ("account.remove", "ok")]
    assert json.loads(run(BIN, "audit", "verify", "--data-dir", s.data,
                          "--json").stdout)["verdict"] == "sound"


def test_life(make_server):
    life(make_server())


def test_life_admin_alone(make_server):
    s = make_server(start=False)
    s.role = "admin"
    life(s.start())


def test_two_admins(two_admins):
    """What is done at one holds at the other at once."""
    a, b = two_admins
    ci = create(a, "ci")
    assert token(b, ci).status_code == 200
    account(b, "disable", "ci")
    assert token(a, ci).status_code == 401
    account(b, "create", "ci", "--scope", "read", code=1)
    account(b, "rm", "ci")
    assert a.http("GET", "/api/v1/accounts/ci").status_code == 404
    # An element is registered once, whoever is asked.
    at = {"uuid": "7c7c0000-0000-4000-8000-000000000009", "force": True}
    answers = [s.http("POST", "/api/v1/storage-elements", json=dict(
        at, element_id=ident, api_url="http://127.0.0.1:9/" + ident,
        mode=mode)) for s, ident, mode in ((a, "se-09", "ar"),
                                           (b, "se-11", "edit"))]
    assert [r.status_code for r in answers] == [201, 409], answers[1].text
    assert "se-09 (7c7c0000-" in answers[1].json()["message"]
    for s in two_admins:
        assert s.http("GET", "/api/v1/storage-elements/se-09").json()[
            "mode"] == "ar"


def test_mistakes(server):
    s = server
    for body, why in (
            ({}, "nothing"),
            ({"client_id": "x"}, "no scope"),
            ({"client_id": "x", "scope": ""}, "an empty scope"),
            ({"client_id": "x", "scope": "root"}, "an unknown scope"),
            ({"client_id": "a b", "scope": "read"}, "a blank in the id"),
            ({"client_id": "x" * 65, "scope": "read"}, "a long id"),
            ({"client_id": "x", "scope": "read", "name": "n" * 65}, "name"),
            ({"client_id": 7, "scope": "read"}, "a number")):
        r = s.http("POST", "/api/v1/accounts", json=body)
        assert r.status_code == 422, (why, r.text)
        assert error_code(r) == "invalid_account"
    for data in ("", "[]", "{", "7"):
        r = s.http("POST", "/api/v1/accounts", data=data)
        assert r.status_code == (422 if data == "" else 400), (data, r.text)
    assert s.http("PATCH", "/api/v1/accounts/artstore-bootstrap",
                  json={}).status_code == 422
    assert s.http("GET", "/api/v1/accounts/nobody").status_code == 404
    assert s.http("GET", "/api/v1/accounts/%2e%2e%2fx").status_code == 404
    assert s.http("GET", "/api/v1/accounts?limit=0").status_code == 400
    for method in ("GET", "POST"):
        r = s.http(method, "/api/v1/accounts", token=s.token("read", "write"))
        assert r.status_code == 403
    account(s, "create", "x", code=2)
    account(s, "create", "../x", "--scope", "read", code=2)


def test_pages(make_server):
    s = make_server()
    for i in range(5):
        assert s.http("POST", "/api/v1/accounts", json={
            "client_id": "bot-%d" % i, "scope": "read"}).status_code == 201
    found, cursor = [], None
    while True:
        page = s.http("GET", "/api/v1/accounts", params={
            "limit": 2, "cursor": cursor}).json()
        found += [a["client_id"] for a in page["accounts"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert found == sorted(["bot-%d" % i for i in range(5)] +
                           ["artstore-bootstrap"])
    lines = account(s, "ls", "--json").stdout.splitlines()
    assert [json.loads(x)["client_id"] for x in lines] == found


def test_guessing(make_server):
    """After ten wrong secrets the eleventh try has to wait, even if it is
    right; another account is not held up."""
    s = make_server()
    ci, other = create(s, "ci"), create(s, "other")
    wrong = [token(s, ci, secret="wrong-%d-wrong" % i) for i in range(10)]
    assert {r.status_code for r in wrong} == {401}
    r = token(s, ci)
    assert r.status_code in (200, 429)  # 200: the machine was slow
    if r.status_code == 429:
        assert 1 <= int(r.headers["Retry-After"]) <= 60
    assert token(s, other).status_code == 200
    with open(os.path.join(s.data, "credentials.json"),
              encoding="ascii") as f:
        assert token(s, json.load(f)).status_code == 200


def test_whose_file(make_server):
    """A file is its owner's to delete, or an administrator's. ING-061,
    ING-062, ADM-036."""
    s = make_server()
    alice, bob = (token(s, create(s, n, "read write delete")).json()[
        "access_token"] for n in ("alice", "bob"))

    def put():
        r = s.http("POST", "/api/files/upload?filename=a&retention=temporary",
                   token=alice, data=b"x",
                   headers={"Content-Type": "application/octet-stream"})
        assert r.status_code == 201, r.text
        return r.json()["file_id"]

    def delete(f, who):
        return s.http("DELETE", "/api/files/" + f, token=who)

    def check(f, **more):
        return s.http("POST", "/api/v1/internal/permissions/check",
                      token=s.token("gateway"),
                      json={"file_id": f, "action": "delete", **more})

    f, g = put(), put()
    r = delete(f, bob)
    assert r.status_code == 403 and error_code(r) == "forbidden"
    assert s.get(f).content == b"x"
    # What gateways of others may ask says the same.
    for more, allowed, reason in (
            ({"subject": "alice"}, True, "owner"),
            ({"subject": "bob"}, False, "not_owner"),
            ({"subject": "bob", "scope": "read admin"}, True, "admin"),
            ({"subject": "artstore-bootstrap"}, True, "admin"),
            ({"subject": ""}, False, "not_owner")):
        r = check(f, **more)
        assert r.status_code == 200, r.text
        assert r.json() == {"allowed": allowed, "reason": reason}, more
    assert check(f).status_code == 400
    assert check(f, subject="bob", action="eat").status_code == 400
    assert check("01941f2a-7c1e-7d4b-8e11-3f1c2b3a4d5e",
                 subject="bob").status_code == 404
    assert s.http("POST", "/api/v1/internal/permissions/check",
                  json={}).status_code == 403
    assert delete(f, alice).status_code == 204
    assert delete(g, s.token()).status_code == 204  # scope admin
    assert delete(g, bob).status_code == 404
    end = time.monotonic() + 60
    while True:
        said = [(r["actor"], r["result"]) for r in s.http(
            "GET", "/api/v1/audit?action=file.delete&order=asc").json()[
                "entries"]]
        if len(said) >= 3:
            break
        assert time.monotonic() < end
        time.sleep(0.1)
    assert said[:3] == [("bob", "denied"), ("alice", "ok"),
                        ("artstore-bootstrap", "ok")]
