"""What watches and describes the service: health, metrics, version, OpenAPI,
TLS, the access log (D11, D41, ING-086 to ING-099).

SPDX-License-Identifier: Apache-2.0
"""
import re
import signal
import socket
import ssl
import time

import pytest

from store import UPLOAD, pattern, run

pytestmark = pytest.mark.core


@pytest.mark.parametrize("path", [
    "/health/live", "/health/ready", "/health/startup",
    "/api/v1/health/live", "/api/v1/health/ready"])
def test_health(server, path):
    r = server.http("GET", path, token="")
    assert r.status_code == 200, r.text
    assert r.json()["status"] in ("ok", "healthy")


def test_ready_tells(server):
    """D11, ING-094."""
    j = server.http("GET", "/health/ready", token="").json()
    assert j["status"] == "healthy" and j["aggregate"] == "ok"
    assert "se-01" in str(j) and "se-02" in str(j)
    assert "strict" in str(j)  # D10


def metrics(server):
    r = server.http("GET", "/metrics", token="")
    assert r.status_code == 200
    assert r.headers["Content-Type"].startswith("text/plain")
    out = {}
    for line in r.text.splitlines():
        if line and not line.startswith("#"):
            m = re.match(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})? (\S+)$',
                         line)
            assert m, line
            float(m.group(3).replace("+Inf", "inf"))
            key = m.group(1) + (m.group(2) or "")
            assert key not in out, "twice: " + key
            out[key] = float(m.group(3).replace("+Inf", "inf"))
    return out


def test_metrics_count(server):
    before = metrics(server)
    server.put(pattern(5000))
    after = metrics(server)
    grown = [k for k in after if after[k] > before.get(k, 0)]
    assert any("upload" in k or "request" in k for k in grown), grown
    assert not any("Bearer" in k for k in after)


def test_metrics_can_be_off(make_server):
    """ING-099."""
    s = make_server(PROMETHEUS_METRICS_ENABLED="off")
    assert s.http("GET", "/metrics", token="").status_code == 404


def test_version(server):
    r = server.http("GET", "/version", token="")
    assert re.search(r"\d+\.\d+\.\d+", r.text)


def test_openapi(server):
    """Every route is in it, and every operation names its answers."""
    r = server.http("GET", "/openapi.json")
    assert r.status_code == 200
    doc = r.json()
    assert doc["openapi"].startswith("3.1")
    for path in ("/api/files/upload", "/api/files/{file_id}", "/api/files",
                 "/api/files/{file_id}/metadata", "/health/live",
                 "/api/v1/auth/token"):
        assert path in doc["paths"], path
    for path, item in doc["paths"].items():
        for method, op in item.items():
            if method in ("get", "put", "post", "delete", "head", "patch"):
                assert op["responses"], (method, path)


def test_capacity(server):
    """STO-016, STO-018."""
    r = server.http("GET", "/api/v1/capacity")
    assert r.status_code == 200, r.text
    text = r.text
    for word in ("total", "used", "available", "percent_used", "mode"):
        assert word in text


def certificate(folder, name, days="2"):
    key, cert = str(folder / (name + ".key")), str(folder / (name + ".pem"))
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
        cert, "-days", days, "-subj", "/CN=" + name, "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1")
    return cert, key


def context(cert):
    c = ssl.create_default_context(cafile=cert)
    c.check_hostname = True
    return c


def test_tls(make_server, loop, tmp_path):
    cert, key = certificate(tmp_path, "first")
    s = make_server(loop, TLS_CERT_FILE=cert, TLS_KEY_FILE=key)
    assert s.url.startswith("https://")
    for size in (10, 100000, 5 << 20):
        data = pattern(size)
        j = s.put(data, verify=cert)
        r = s.get(j["file_id"], verify=cert)
        assert r.content == data
        r = s.get(j["file_id"], verify=cert, headers={"Range": "bytes=3-7"})
        assert r.content == data[3:8]
    with s.wire(tls=context(cert)) as w:
        assert w.sock.version() == "TLSv1.3"
        for _ in range(3):
            w.request("GET", "/version")
            assert w.answer().status == 200
    old = context(cert)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        s.wire(tls=old)
    # Plain HTTP on a TLS port gets no service, and does no harm.
    with s.wire() as w:
        w.request("GET", "/version")
        data = w.rest()
        assert b" 200 " not in data.split(b"\r\n")[0]
    # A client that stops in the middle of the handshake.
    half = socket.create_connection(("127.0.0.1", s.port))
    half.send(b"\x16\x03\x01\x02\x00\x01")
    assert s.http("GET", "/version", token="", verify=cert).status_code == 200
    half.close()


def test_tls_12_if_asked(make_server, tmp_path):
    cert, key = certificate(tmp_path, "old")
    s = make_server(TLS_CERT_FILE=cert, TLS_KEY_FILE=key,
                    TLS_MIN_VERSION="1.2")
    c = context(cert)
    c.maximum_version = ssl.TLSVersion.TLSv1_2
    with s.wire(tls=c) as w:
        w.request("GET", "/version")
        assert w.answer().status == 200


def test_certificate_reload(make_server, loop, tmp_path):
    """On SIGHUP; a broken file keeps the old certificate."""
    cert, key = certificate(tmp_path, "reload")
    s = make_server(loop, TLS_CERT_FILE=cert, TLS_KEY_FILE=key)

    def serial():
        pem = ssl.get_server_certificate(("127.0.0.1", s.port))
        return run("openssl", "x509", "-noout", "-serial", input=pem).stdout

    first = serial()
    certificate(tmp_path, "reload")
    s.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 10
    while serial() == first:
        assert time.monotonic() < end, "the new certificate is not used"
        time.sleep(0.1)
    second = serial()
    with open(cert, "w", encoding="ascii") as f:
        f.write("broken\n")
    s.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert serial() == second


def test_access_log(make_server, loop):
    s = make_server(loop, ACCESS_LOG="on")
    s.put(b"x", "logged.bin")
    s.http("GET", "/api/files/nonsense")
    s.stop()
    lines = list(s.log_lines())
    text = str(lines)
    assert UPLOAD in text
    for line in lines:
        assert "Bearer" not in str(line)
    token = [t for t in s._token.values()][0]
    assert token not in s.tail(1 << 20)


def test_log_cannot_be_forged(make_server):
    """What a client sends stays inside its line."""
    s = make_server(ACCESS_LOG="on", LOG_FORMAT="text")
    s.http("GET", '/x%0aFAKE%20LINE', token="", headers={
        "User-Agent": 'a" status=200 b\\'})
    s.stop()
    assert not any(line.startswith("FAKE") for line in
                   s.tail(1 << 20).splitlines())
