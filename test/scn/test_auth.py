"""Who may do what: tokens that are not, scopes, the token endpoint (ING-183 to
ING-187, D41, RFC 8725).

SPDX-License-Identifier: Apache-2.0
"""
import base64
import hashlib
import hmac
import json
import os
import subprocess
import time

import pytest

from store import BIN, UPLOAD, error_code, run

PUBLIC = ["/health/live", "/health/ready", "/health/startup", "/metrics",
          "/version"]


def b64(data):
    if not isinstance(data, bytes):
        data = json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def private_key(server):
    """The PEM file that the first start made."""
    for here, _, names in os.walk(server.data):
        for n in names:
            path = os.path.join(here, n)
            with open(path, "rb") as f:
                if b"PRIVATE KEY" in f.read(64):
                    return path
    raise AssertionError("no key pair in the data folder")


def rs256(key, text):
    return subprocess.run(["openssl", "dgst", "-sha256", "-sign", key],
                          input=text.encode(), check=True,
                          stdout=subprocess.PIPE).stdout


def forge(server, key=None, header=None, **claims):
    """A token like the server's own, with HEADER and CLAIMS changed (None
    takes one away), signed with KEY (the server's)."""
    h, p, _ = server.token().split(".")
    h, p = json.loads(unb64(h)), json.loads(unb64(p))
    for target, change in ((h, header or {}), (p, claims)):
        for k, v in change.items():
            if v is None:
                target.pop(k, None)
            else:
                target[k] = v
    text = b64(h) + "." + b64(p)
    return text + "." + b64(rs256(key or private_key(server), text))


def ask(server, token, method="GET", path="/api/files?limit=1"):
    headers = {"Authorization": "Bearer " + token} if token else {}
    return server.http(method, path, token="", headers=headers)


@pytest.mark.core
@pytest.mark.parametrize("path", PUBLIC)
def test_public(server, path):
    """D41: no token is asked there, and a bad one does no harm."""
    assert server.http("GET", path, token="").status_code == 200
    assert server.http("GET", path, token="nonsense").status_code == 200


@pytest.mark.core
@pytest.mark.parametrize("method,path", [
    ("GET", "/api/files"), ("POST", UPLOAD),
    ("GET", "/api/files/01941f2a-7c1e-7d4b-8e11-3f1c2b3a4d5e"),
    ("HEAD", "/api/files/01941f2a-7c1e-7d4b-8e11-3f1c2b3a4d5e"),
    ("DELETE", "/api/files/01941f2a-7c1e-7d4b-8e11-3f1c2b3a4d5e"),
    ("GET", "/api/files/01941f2a-7c1e-7d4b-8e11-3f1c2b3a4d5e/metadata"),
    ("GET", "/api/v1/storage-elements"), ("GET", "/api/v1/files")])
def test_no_token(server, method, path):
    r = server.http(method, path, token="")
    assert r.status_code == 401
    assert r.headers["WWW-Authenticate"].startswith("Bearer")
    if method != "HEAD":
        error_code(r)


@pytest.mark.core
def test_the_forger_forges_well(server):
    """What the tests below change is what makes them refused."""
    assert ask(server, server.token()).status_code == 200
    assert ask(server, forge(server)).status_code == 200
    assert ask(server, forge(server, jti="another")).status_code == 200


def forgeries(server, tmp):
    key = str(tmp / "other.pem")
    run("openssl", "genrsa", "-out", key, "2048")
    public = str(tmp / "public.pem")
    run("openssl", "rsa", "-in", private_key(server), "-pubout", "-out",
        public)
    now = int(time.time())
    good = server.token()
    h, p, s = good.split(".")
    yield "another key", forge(server, key)
    yield "expired", forge(server, exp=now - 3600)
    yield "no expiry", forge(server, exp=None)
    yield "expiry as text", forge(server, exp="tomorrow")
    yield "not yet valid", forge(server, nbf=now + 3600)
    yield "another audience", forge(server, aud="somebody-else")
    yield "another issuer", forge(server, iss="https://evil.example")
    none = b64({**json.loads(unb64(h)), "alg": "none"})
    yield "alg none", none + "." + p + "."
    yield "alg none with a signature", none + "." + p + "." + s
    yield "alg None", b64({"alg": "None"}) + "." + p + "."
    with open(public, "rb") as f:
        secret = f.read()
    for alg, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
        text = b64({**json.loads(unb64(h)), "alg": alg}) + "." + p
        yield "%s with our public key" % alg, text + "." + b64(
            hmac.new(secret, text.encode(), digest).digest())
    yield "RS512 in name only", forge(server, header={"alg": "RS512"})
    yield "a crit that nobody knows", forge(server, header={"crit": ["x"]})
    yield "a key in the head", forge(server, key, header={
        "jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}, "kid": None})
    yield "a kid that is a path", forge(server, key, header={
        "kid": "../../../dev/null"})
    yield "claims changed", h + "." + b64({
        **json.loads(unb64(p)), "sub": "root"}) + "." + s
    yield "signature cut", good[:-10]
    flipped = bytearray(unb64(s))
    flipped[100] ^= 1
    yield "one bit", h + "." + p + "." + b64(bytes(flipped))
    yield "no signature", h + "." + p + "."
    yield "two parts", h + "." + p
    yield "four parts", good + "." + s
    yield "padding", good + "="
    yield "plain base64", good.replace("-", "+").replace("_", "/") + "+/"
    yield "nonsense", "nonsense"
    yield "empty parts", ".."
    yield "long", "a" * 7000


@pytest.mark.core
def test_forgeries(server, tmp_path):
    for why, token in forgeries(server, tmp_path):
        r = ask(server, token)
        assert r.status_code == 401, "%s: %d" % (why, r.status_code)
        assert r.headers["WWW-Authenticate"].startswith("Bearer"), why
        error_code(r)
        assert token not in r.text, "the answer repeats the token"
    log = server.tail(1 << 20)
    assert server.token().split(".")[2] not in log, "a token in the log"


@pytest.mark.core
@pytest.mark.parametrize("line", [
    "Authorization:", "Authorization: Bearer", "Authorization: Basic YTpi",
    "Authorization: Token %s", "Authorization: Bearer %s extra",
    "Authorization: Bearer %s\r\nAuthorization: Bearer %s"])
def test_odd_headers(server, line):
    with server.wire() as w:
        w.request("GET", "/api/files?limit=1",
                  line.replace("%s", server.token()))
        assert w.answer().status in (400, 401)


@pytest.mark.core
def test_the_scheme_has_no_case(server):
    """RFC 9110 section 11.1."""
    with server.wire() as w:
        w.request("GET", "/api/files?limit=1",
                  "authorization: bEARER " + server.token())
        assert w.answer().status == 200


@pytest.mark.core
def test_token_in_the_query_is_none(server):
    """Tokens in URLs end up in logs: not taken from there."""
    r = server.http("GET", "/api/files?access_token=" + server.token(),
                    token="")
    assert r.status_code in (400, 401)


@pytest.mark.core
@pytest.mark.parametrize("scopes,may", [
    (("read",), {"read"}), (("write",), {"write"}), (("delete",), {"delete"}),
    (("read", "write"), {"read", "write"}),
    (("admin",), {"read", "write", "delete"})])
def test_scopes(server, scopes, may):
    token = server.token(*scopes)
    f = server.put(b"x")["file_id"]

    def judged(need, r):
        assert (r.status_code != 403) == (need in may), (
            scopes, need, r.status_code)
        assert r.status_code < 500
        if r.status_code == 403:
            assert error_code(r) == "forbidden"
            assert r.json()["details"] == {"reason": "scope_missing",
                                           "scope": need}

    judged("read", ask(server, token))
    judged("read", ask(server, token, "GET", "/api/files/" + f))
    judged("read", ask(server, token, "GET", "/api/files/%s/metadata" % f))
    judged("write", ask(server, token, "POST", UPLOAD + "?filename=x"))
    judged("delete", ask(server, token, "DELETE", "/api/files/" + f))
    if "delete" not in may:
        assert server.get(f).content == b"x"


@pytest.mark.core
def test_token_endpoint(make_server, loop):
    """OAuth 2.0 client credentials with the account of the first start."""
    s = make_server(loop)
    found = None
    for here, _, names in os.walk(s.data):
        for n in names:
            if n == "credentials.json":
                found = os.path.join(here, n)
    assert found, "the first start leaves no credentials"
    assert os.stat(found).st_mode & 0o777 == 0o600
    with open(found, encoding="utf-8") as f:
        c = json.load(f)
    path = "/api/v1/auth/token"
    form = {"grant_type": "client_credentials", "client_id": c["client_id"],
            "client_secret": c["client_secret"]}
    r = s.http("POST", path, token="", data=form)
    assert r.status_code == 200, r.text
    assert r.headers["Cache-Control"] == "no-store"
    j = r.json()
    assert j["token_type"].lower() == "bearer" and j["expires_in"] > 0
    assert ask(s, j["access_token"]).status_code == 200
    r = s.http("POST", path, token="", auth=(c["client_id"],
                                             c["client_secret"]),
               data={"grant_type": "client_credentials", "scope": "read"})
    assert r.status_code == 200, r.text
    assert ask(s, r.json()["access_token"], "POST",
               UPLOAD + "?filename=x").status_code == 403
    for change, status in (({"client_secret": "wrong"}, 401),
                           ({"client_id": "nobody"}, 401),
                           ({"grant_type": "password"}, 400),
                           ({"scope": "everything"}, 400)):
        r = s.http("POST", path, token="", data={**form, **change})
        assert r.status_code == status, (change, r.text)
    s.stop()
    assert c["client_secret"] not in s.tail(1 << 20)


@pytest.mark.core
def test_jwks(server):
    """The public half, and only that."""
    for path in ("/.well-known/jwks.json", "/api/v1/auth/jwks"):
        r = server.http("GET", path, token="")
        if r.status_code == 200:
            break
    assert r.status_code == 200
    for k in r.json()["keys"]:
        assert k["kty"] == "RSA" and k["n"] and k["e"]
        assert not set(k) & {"d", "p", "q", "dp", "dq", "qi"}
        assert len(unb64(k["n"])) >= 384  # 3072 bits


@pytest.mark.core
def test_expiry_is_seen_in_the_cache(make_server, loop):
    """A verified token is remembered, but not beyond its end."""
    s = make_server(loop, AUTH_LEEWAY=0)
    for _ in range(10):
        end = int(time.time()) + 3
        token = forge(s, exp=end)
        if ask(s, token).status_code == 200:
            break
        assert time.time() >= end  # the machine was slow: again
    else:
        raise AssertionError("never in time")
    time.sleep(max(0, end + 1.1 - time.time()))
    assert ask(s, token).status_code == 401


def test_many_wrong_tokens(server):
    """The cache of verified tokens is bounded and holds no refusals."""
    h, p, s = server.token().split(".")
    before = server.rss()
    with server.wire() as w:
        for i in range(3000):
            w.request("GET", "/api/files?limit=1",
                      "Authorization: Bearer %s.%s.%s" % (
                          h, p, b64(os.urandom(384))))
            a = w.answer()
            assert a.status == 401
            if not a.keeps:
                w = server.wire()
    assert server.rss() - before < 32 << 20
    assert ask(server, server.token()).status_code == 200


def test_auth_off_is_refused_in_production(tmp_path):
    """PRD-232."""
    p = subprocess.run(
        [BIN, "server", "--data-dir", str(tmp_path / "d"), "--listen",
         "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, timeout=60,
        env={**os.environ, "AUTH_ENABLED": "off", "APP_ENV": "production"})
    assert p.returncode != 0
    assert "AUTH_ENABLED" in p.stderr
