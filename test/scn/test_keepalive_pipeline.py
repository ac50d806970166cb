"""Connections that live on: keep-alive, pipelines, HTTP/1.0, odd cuts, what is
echoed (RFC 9112 section 9).

SPDX-License-Identifier: Apache-2.0
"""
import re

import pytest

from store import UPLOAD, pattern, sha256


@pytest.mark.core
def test_a_thousand_requests(server):
    with server.wire() as w:
        for _ in range(1000):
            w.request("GET", "/version")
            assert w.answer().status == 200


@pytest.mark.core
def test_close_is_obeyed(server):
    with server.wire() as w:
        w.request("GET", "/version", "Connection: close")
        a = w.answer()
        assert a.status == 200 and not a.keeps
        assert w.closed()


@pytest.mark.core
def test_http_1_0(server):
    with server.wire() as w:
        w.send("GET /version HTTP/1.0\r\n\r\n")
        a = w.answer()
        assert a.status == 200 and a.get("transfer-encoding") is None
        assert w.closed()
    with server.wire() as w:
        w.send("GET /version HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert w.answer().status == 200
        w.send("GET /version HTTP/1.0\r\n\r\n")
        assert w.answer().status == 200
        assert w.closed()


@pytest.mark.core
@pytest.mark.parametrize("depth", [2, 10, 200])
def test_pipeline(server, depth):
    """Answers in the order of the requests, each whole."""
    files = [(server.put(pattern(n, n), "p%d" % n)["file_id"], pattern(n, n))
             for n in (10, 5000, 300000)]
    with server.wire(seconds=30) as w:
        import threading
        text = "".join(
            "GET /api/files/%s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n" % (
                files[i % 3][0], server.auth()) for i in range(depth))
        t = threading.Thread(target=w.send, args=(text,), daemon=True)
        t.start()
        for i in range(depth):
            a = w.answer()
            assert a.status == 200
            assert a.body == files[i % 3][1]
        t.join()


@pytest.mark.core
def test_pipelined_uploads_and_reads(server):
    """Bodies end where they say, also when the next request is there."""
    body = pattern(5000, 1)
    up = "POST %s?filename=p HTTP/1.1\r\nHost: a\r\n%s\r\n" % (
        UPLOAD, server.auth())
    plain = (up + "Content-Length: %d\r\n\r\n" % len(body)).encode() + body
    chunked = (up + "Transfer-Encoding: chunked\r\n\r\n").encode() + \
        b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    get = b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n"
    with server.wire() as w:
        w.send(plain + get + chunked + get + plain)
        for want in (201, 200, 201, 200, 201):
            a = w.answer()
            assert a.status == want
            if want == 201:
                assert a.json()["sha256_hash"] == sha256(body)


@pytest.mark.core
def test_every_cut(server):
    """Two requests cut in two at each place."""
    text = ("POST %s?filename=c HTTP/1.1\r\nHost: a\r\n%s\r\n"
            "Content-Length: 5\r\n\r\nhello"
            "GET /version HTTP/1.1\r\nHost: a\r\n\r\n" % (
                UPLOAD, server.auth())).encode()
    cuts = list(range(1, 60)) + list(range(len(text) - 70, len(text)))
    with server.wire() as w:
        for cut in cuts:
            w.send(text[:cut])
            w.send(text[cut:])
            assert w.answer().status == 201
            assert w.answer().status == 200


@pytest.mark.core
def test_body_after_an_early_answer(server):
    """An answer before the body was read: the body is not the next request."""
    with server.wire() as w:
        w.request("POST", UPLOAD + "?filename=x", body=(
            b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n"))
        a = w.answer()
        assert a.status == 401
        if a.keeps:
            w.request("GET", "/health/live")
            assert "status" in w.answer().json()
        else:
            assert w.closed()


@pytest.mark.core
def test_large_body_after_an_early_answer(server):
    """It is read away, so that who looks late sees the answer; how much of it
    at most is in io/http_linger_test.c."""
    with server.wire() as w:
        w.request("POST", UPLOAD + "?filename=x",
                  "Content-Length: 1000000000")
        for _ in range(512):
            w.send(bytes(65536))
        a = w.answer()
        assert a.status == 401 and not a.keeps
        assert w.closed()


@pytest.mark.core
def test_request_id_and_trace(server):
    """Ours when none came, the client's when it is harmless."""
    with server.wire() as w:
        w.request("GET", "/version")
        first = w.answer().get("x-request-id")
        w.request("GET", "/version")
        assert w.answer().get("x-request-id") != first
        w.request("GET", "/version", "X-Request-ID: mine-42")
        assert w.answer().get("x-request-id") == "mine-42"
        for evil in ("a" * 1000, "<script>", "a b", "a\tb", "\xff"):
            w.request("GET", "/version", "X-Request-ID: " + evil)
            assert w.answer().get("x-request-id") != evil
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        w.request("GET", "/version",
                  "traceparent: 00-%s-00f067aa0ba902b7-01" % trace)
        out = w.answer().get("traceparent")
        assert re.match(r"^00-%s-[0-9a-f]{16}-0[01]$" % trace, out), out
        assert "00f067aa0ba902b7" not in out
        for bad in ("00-%s-00f067aa0ba902b7" % trace, "nonsense",
                    "00-%s-00f067aa0ba902b7-01" % ("0" * 32),
                    "ff-%s-00f067aa0ba902b7-01" % trace):
            w.request("GET", "/version", "traceparent: " + bad)
            out = w.answer().get("traceparent") or ""
            assert trace not in out, bad


@pytest.mark.core
@pytest.mark.parametrize("proxies", ["", "127.0.0.0/8"])
def test_forwarded_only_from_proxies(make_server, loop, proxies):
    """The access log tells (by a keyed hash) whom the server has seen."""
    s = make_server(loop, ACCESS_LOG="on", TRUSTED_PROXIES=proxies)
    with s.wire() as w:
        for i, field in enumerate(("X-Nothing: 1",
                                   "X-Forwarded-For: 203.0.113.7",
                                   "Forwarded: for=203.0.113.7")):
            w.request("GET", "/version", field, "X-Request-ID: who-%d" % i)
            assert w.answer().status == 200
    s.stop()
    seen = {line["request_id"]: line["client_hash"] for line in s.log_lines()
            if line.get("request_id", "").startswith("who-")}
    assert len(seen) == 3
    assert (seen["who-0"] != seen["who-1"]) == bool(proxies)
    assert seen["who-1"] == seen["who-2"]
    assert "203.0.113.7" not in s.tail(1 << 20)


@pytest.mark.core
def test_log_says_why(make_server, loop):
    """Whoever has only the request's id learns why it was refused."""
    s = make_server(loop, ACCESS_LOG="on")
    token = "Authorization: Bearer " + s.token()
    with s.wire() as w:
        for i, (path, field, status) in enumerate((
                ("/api/files?limit=x", token, 400),
                ("/api/files/0/metadata", "X-Nothing: 1", 401),
                ("/version", "X-Nothing: 1", 200))):
            w.request("GET", path, field, "X-Request-ID: why-%d" % i)
            assert w.answer().status == status
    s.stop()
    said = {line["request_id"]: line.get("error") for line in s.log_lines()
            if line.get("request_id", "").startswith("why-")}
    assert said == {"why-0": "invalid_query", "why-1": "unauthorized",
                    "why-2": None}


@pytest.mark.core
def test_connection_limits(make_server, loop):
    """In all and per address; the answer is 503, and room comes back."""
    s = make_server(loop, MAX_CONNECTIONS_PER_ADDRESS=8)
    wires = [s.wire() for _ in range(8)]
    for w in wires:
        w.request("GET", "/version")
        assert w.answer().status == 200
    over = s.wire()
    try:
        over.request("GET", "/version")
        a = over.answer()
        assert a.status == 503
        assert a.get("retry-after")
    except (OSError, AssertionError) as e:
        assert not isinstance(e, AssertionError) or "hung up" in str(e)
    for w in wires:
        w.sock.close()
    over.sock.close()
    import time
    for _ in range(300):
        with s.wire() as w:
            w.request("GET", "/version")
            try:
                if w.answer().status == 200:
                    break
            except (OSError, AssertionError):
                pass
        time.sleep(0.1)
    else:
        raise AssertionError("room does not come back")
