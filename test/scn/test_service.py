"""What watches and describes the service: health, metrics, version, OpenAPI,
TLS, the access log (D11, D41, ING-086 to ING-099).

SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import shutil
import signal
import socket
import ssl
import time

import pytest

from store import BIN, UPLOAD, error_code, pattern, run, sha256

pytestmark = pytest.mark.core
NO_FILE = "01890000-0000-7000-8000-000000000000"


@pytest.mark.parametrize("path", [
    "/health/live", "/health/ready", "/health/startup",
    "/api/v1/health/live", "/api/v1/health/ready"])
def test_health(server, path):
    r = server.http("GET", path, token="")
    assert r.status_code == 200, r.text
    assert r.json()["status"] == "healthy" or only_the_machine(r.json())


def only_the_machine(j):
    """Degraded by how full the disk or the memory of this machine is, and by
    nothing else."""
    bad = {c["name"] for c in j["components"] if c["status"] != "healthy"}
    return bad and bad <= {"disk", "memory", "storage_elements"} and not [
        i for i in j["checks"]["storage_elements"]["detail"]["items"]
        if i["health"] != "healthy"]


def test_healthz(server):
    """PRD-171: exactly this."""
    r = server.http("GET", "/healthz", token="")
    assert r.status_code == 200 and r.text == '{"status": "healthy"}'


def test_ready_tells(server):
    """D11, ING-094."""
    j = server.http("GET", "/health/ready", token="").json()
    assert (j["status"], j["aggregate"]) in (
        ("healthy", "ok"), ("degraded", "degraded"))
    assert j["status"] == "healthy" or only_the_machine(j)
    assert "se-01" in str(j) and "se-02" in str(j)
    assert "strict" in str(j)  # D10
    names = {c["name"]: c for c in j["components"]}
    for part in ("storage_elements", "database", "disk", "memory", "loops"):
        assert names[part]["message"], part
    # ING-097
    detail = j["checks"]["storage_elements"]["detail"]
    assert detail["total"] == detail["healthy"] == 2
    item = detail["items"][0]
    assert item["element_id"] == "se-01" and item["mode"] == "edit"
    assert item["endpoint"] == server.url
    assert j["data_sources"]["fallback_chain"] == ["POLLING", "Admin Module"]
    assert "push_model" not in str(j["data_sources"])  # ING-093


def metrics(server):
    r = server.http("GET", "/metrics", token="")
    assert r.status_code == 200
    assert r.headers["Content-Type"].startswith("text/plain")
    out = {}
    for line in r.text.splitlines():
        if line and not line.startswith("#"):
            m = re.match(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)'
                         r'(\{(?:[^"}]|"[^"]*")*\})? (\S+)$', line)
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
    for path in ("/api/files/upload", "/api/files/upload/{filename}",
                 "/api/files/{file_id}", "/api/files",
                 "/api/files/{file_id}/metadata", "/health/live",
                 "/api/v1/auth/token"):
        assert path in doc["paths"], path
    for path, item in doc["paths"].items():
        for method, op in item.items():
            if method in ("get", "put", "post", "delete", "head", "patch"):
                assert op["responses"], (method, path)


NUMBERS = ("total", "used", "available", "percent_used")


def test_capacity(server):
    """STO-016 to STO-025: one element is flat, several have a sum."""
    j = server.http("GET", "/api/v1/capacity").json()
    assert [e["storage_id"] for e in j["elements"]] == ["se-01", "se-02"]
    one = server.http("GET", "/api/v1/capacity?element_id=se-01").json()
    assert one["storage_id"] == "se-01" and one["mode"] == "edit"
    for x in (j, one):
        for word in NUMBERS:
            assert x[word] == x["capacity"][word], word
        assert round(x["percent_used"], 2) == x["percent_used"]
        assert abs(x["percent_used"] - 100 * x["used"] / x["total"]) < 0.006
    # Both lie on one file system: its room counts once.
    assert j["total"] == one["total"]
    assert one["health"] == "healthy" and one["backend"] == "local"
    assert one["status"] in ("ok", "warning", "critical", "full")
    assert one["boot"] >= 1 and one["now"].endswith("Z")
    r = server.http("GET", "/api/v1/capacity?element_id=se-99")
    assert r.status_code == 404 and error_code(r) == "element_not_found"
    assert server.http("GET", "/api/v1/capacity", token="").status_code == 401


def test_capacity_is_fresh(make_server):
    """STO-026: corrected at once after an upload."""
    s = make_server()
    path = "/api/v1/capacity?element_id=se-01"
    before = s.http("GET", path).json()
    s.put(pattern(3 << 20))
    after = s.http("GET", path).json()
    assert after["files"] == before["files"] + 1
    assert after["bytes"] == before["bytes"] + (3 << 20)
    assert after["seq"] == before["seq"] + 1


def test_changes(make_server, loop):
    """D25: numbered, complete, in order; a reader that is out of it is told."""
    s = make_server(loop)
    path = "/api/v1/changes?element_id=se-01"
    ids = [s.put(b"x" * i, "c%d.bin" % i)["file_id"] for i in range(5)]
    assert s.http("DELETE", "/api/files/" + ids[1]).status_code == 204
    seen, since = [], 0
    while True:
        j = s.http("GET", path + "&limit=2&since=%d" % since).json()
        seen += j["changes"]
        since = j["next"]
        if not j["more"]:
            break
    assert [c["seq"] for c in seen] == list(range(1, 7))
    # A publish whose file is gone by now is told as the delete it became.
    assert [c["op"] for c in seen] == [
        "publish", "delete", "publish", "publish", "publish", "delete"]
    assert [c["file_id"] for c in seen] == ids + [ids[1]]
    assert seen[0]["file"]["original_filename"] == "c0.bin"
    assert j["seq"] == 6 and j["element_uuid"]
    assert s.http("GET", path + "&since=6").json()["changes"] == []
    r = s.http("GET", path + "&since=7")
    assert r.status_code == 410 and error_code(r) == "changes_gone"
    r = s.http("GET", "/api/v1/changes")
    assert r.status_code == 400 and error_code(r) == "missing_element_id"
    for bad in ("limit=0", "limit=1001", "limit=x", "since=-1"):
        r = s.http("GET", path + "&" + bad)
        assert r.status_code == 400 and error_code(r) == "invalid_query"


def test_verify(make_server, loop):
    """STO-050: the bytes are read again, and damage is told."""
    s = make_server(loop)
    data = pattern(700000)
    j = s.put(data)
    path = "/api/v1/files/%s/verify" % j["file_id"]
    v = s.http("GET", path).json()
    assert v["status"] == "ok" and v["verified"] is True
    assert v["size_bytes"] == len(data)
    assert v["sha256_hash"] == j["sha256_hash"] == sha256(data)
    assert v["md5_hash"] == j["md5_hash"] and v["storage_element_id"] == "se-01"
    stored = [os.path.join(d, f) for d, _, files in os.walk(s.data)
              for f in files if f == j["storage_filename"]]
    with open(stored[0], "r+b") as f:
        f.seek(300000)
        f.write(bytes([data[300000] ^ 1]))
    out = run(BIN, "storage", "verify", "--data-dir", s.data, j["file_id"],
              code=6)
    assert "damaged" in out.stdout
    v = s.http("GET", path).json()
    assert v["status"] == "damaged" and v["verified"] is False
    assert v["reason"] and v["sha256_hash"] != j["sha256_hash"]
    r = s.http("GET", "/api/v1/files/%s/verify" % NO_FILE)
    assert r.status_code == 404 and error_code(r) == "file_not_found"
    r = s.http("GET", "/api/v1/files/nonsense/verify")
    assert r.status_code == 400 and error_code(r) == "invalid_file_id"


def test_storage_init(make_server, tmp_path):
    """D31: the only other maker of elements, and its refusals."""
    s = make_server()
    folder = str(tmp_path / "third")

    def init(*words, code=0, env=None):
        return run(BIN, "storage", "init", "--data-dir", s.data, *words,
                   code=code, env=env)

    out = init("--path", folder, "--id", "se-03", "--mode", "rw").stdout
    line = [x for x in out.splitlines() if x.startswith("STORAGE_ELEMENTS=")]
    init("--path", folder, "--id", "se-03", code=1)  # it is one already
    init("--path", folder + "x", "--id", "se-01", code=2)  # the id is taken
    init("--path", folder, "--id", "a/b", code=2)
    p = init("--path", folder + "x", "--id", "se-02", code=1, env={
        "STORAGE_ELEMENTS": "se-01:edit:elements/se-01"})
    assert "se-02 (to Admin it is " in p.stderr, p.stderr
    assert not os.path.exists(folder + "x")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("mine")
    init("--path", str(tmp_path / "used"), "--id", "se-04", code=1)
    assert os.listdir(tmp_path / "used") == ["mine.txt"]
    s.stop()
    s.env["STORAGE_ELEMENTS"] = line[0].split("=", 1)[1]
    s.start()
    j = s.http("GET", "/api/v1/capacity").json()
    assert [e["storage_id"] for e in j["elements"]] == [
        "se-01", "se-02", "se-03"]
    s.stop()
    # In the place of one whose disk died.
    dead = os.path.join(s.data, "elements", "se-02")
    shutil.rmtree(dead)
    out = init("--path", dead, "--id", "se-05").stdout
    line = [x for x in out.splitlines() if x.startswith("STORAGE_ELEMENTS=")]
    assert line == ["STORAGE_ELEMENTS=se-01:edit:elements/se-01,se-05:rw:"
                    + dead], out
    assert "Without se-02" in out, out
    # Another installation's element is not taken for ours.
    other = make_server(start=False)
    other.start()
    other.stop()
    other.env["STORAGE_ELEMENTS"] = "se-03:rw:" + folder
    other.start(expect_ready=False)
    assert other.wait() != 0
    assert "another installation" in other.tail()


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
    end = time.monotonic() + 60
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


def described(op, where):
    return {p["name"] for p in op["parameters"] if p["in"] == where}


CONDITIONS = {"If-Match", "If-None-Match", "If-Modified-Since",
              "If-Unmodified-Since"}
FIELDS = {"filename", "retention_policy", "retention", "ttl_days", "metadata",
          "content_type", "md5", "sha256", "checksum"}


def test_openapi_says_what_works(server):
    """Bodies, parameters, headers and answers that a client needs."""
    paths = server.http("GET", "/openapi.json").json()["paths"]
    for path, item in paths.items():  # RFC 9110 section 9.3.2
        assert ("head" in item) == ("get" in item), path
        for answer in item.get("head", {}).get("responses", {}).values():
            assert "content" not in answer, path
    ids = [op["operationId"] for item in paths.values()
           for op in item.values()]
    assert len(ids) == len(set(ids))
    token = paths["/api/v1/auth/token"]["post"]["requestBody"]["content"]
    assert set(token) == {"application/x-www-form-urlencoded",
                          "application/json"}
    assert "client_id" in token["application/json"]["schema"]["properties"]
    upload = paths["/api/v1/upload"]["post"]
    body = upload["requestBody"]["content"]
    assert set(body) == {"multipart/form-data", "application/octet-stream"}
    assert set(body["multipart/form-data"]["schema"]["properties"]) == \
        FIELDS | {"file"}
    assert described(upload, "query") == FIELDS
    assert described(upload, "header") == {
        "Content-Digest", "Repr-Digest", "Content-MD5", "X-Retention-Policy",
        "X-TTL-Days", "X-Metadata"}
    for name in FIELDS:  # heard, for its value is refused by that name
        r = server.http("POST", UPLOAD + "?" + name + "=", data=b"x")
        assert r.status_code == 400 and error_code(r) != "invalid_query", name
    one = paths["/api/files/{file_id}"]
    assert described(one["get"], "header") == CONDITIONS | {"Range", "If-Range"}
    assert described(one["delete"], "header") == CONDITIONS
    assert {"400", "404", "500"} <= set(one["get"]["responses"])
    for path in ("/api/files/{file_id}/metadata", "/api/v1/selection/explain"):
        assert "400" in paths[path]["get"]["responses"], path
    metrics = paths["/metrics"]["get"]["responses"]["200"]
    assert set(metrics["content"]) == {"text/plain"}


def test_openapi_refers_to_what_is_there(server):
    """Each schema that is named exists."""
    doc = server.http("GET", "/openapi.json").json()
    have = set(doc["components"]["schemas"])
    named = set(re.findall(r"#/components/schemas/(\w+)", str(doc)))
    assert named <= have, named - have
    for schema in doc["components"]["schemas"].values():
        assert set(schema.get("required", [])) <= set(
            schema.get("properties", {}))
