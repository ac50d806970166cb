"""Files coming out: GET, HEAD, ranges, conditions, digests (D21, RFC 9110,
RFC 9530).

SPDX-License-Identifier: Apache-2.0
"""
import email.utils
import os
import re
import time

import pytest

from store import KIB, MIB, digest_field, error_code, pattern, run, sha256

SIZES = {"empty": 0, "small": 1000, "page": 4096, "block": 256 * KIB,
         "large": 3 * MIB + 77}


@pytest.fixture
def stored(server):
    """name -> (file_id, bytes); uploaded once per server."""
    if not hasattr(server, "stored"):
        out = {}
        for name, size in SIZES.items():
            data = pattern(size, 11)
            out[name] = (server.put(data, name + ".txt")["file_id"], data)
        server.stored = out
    return server.stored


@pytest.mark.core
@pytest.mark.parametrize("name", SIZES)
def test_get(server, stored, name):
    file_id, data = stored[name]
    r = server.get(file_id)
    assert r.status_code == 200
    assert r.content == data
    assert r.headers["Content-Length"] == str(len(data))
    assert r.headers["Accept-Ranges"] == "bytes"
    assert re.match(r'^"[!#-~]+"$', r.headers["ETag"]), "a strong ETag"
    assert r.headers["Content-Digest"] == digest_field(data) or \
        digest_field(data) in r.headers["Content-Digest"]
    assert digest_field(data) in r.headers["Repr-Digest"]
    when = email.utils.parsedate_to_datetime(r.headers["Last-Modified"])
    assert abs(when.timestamp() - time.time()) < 600
    assert "filename" in r.headers["Content-Disposition"]


@pytest.mark.core
@pytest.mark.parametrize("name", SIZES)
def test_head_is_get_without_body(server, stored, name):
    file_id, _ = stored[name]
    get = server.get(file_id)
    head = server.http("HEAD", "/api/files/" + file_id)
    assert head.status_code == 200
    assert head.content == b""
    own = {"Date", "X-Request-ID", "traceparent", "Server-Timing"}

    def fields(r):
        return {k: v for k, v in r.headers.items() if k not in own}

    assert fields(head) == fields(get)


@pytest.mark.core
def test_head_keeps_the_connection(server, stored):
    """No byte of a body after HEAD: the next answer would be misread."""
    file_id, data = stored["small"]
    with server.wire() as w:
        for _ in range(3):
            w.request("HEAD", "/api/files/" + file_id, server.auth())
            assert w.answer("HEAD").status == 200
            w.request("GET", "/api/files/" + file_id, server.auth())
            assert w.answer().body == data


def ranges(n):
    """(header, first, last) of ranges that can be satisfied."""
    return [
        ("bytes=0-0", 0, 0), ("bytes=0-", 0, n - 1), ("bytes=5-9", 5, 9),
        ("bytes=-1", n - 1, n - 1), ("bytes=-10", n - 10, n - 1),
        ("bytes=%d-" % (n - 1), n - 1, n - 1),
        ("bytes=0-%d" % (10 * n), 0, n - 1),
        ("bytes=-%d" % (10 * n), 0, n - 1),
        ("BYTES=1-2", 1, 2), ("bytes= 3-4", 3, 4),
    ] + ([("bytes=262143-262144", 262143, 262144),
          ("bytes=262144-524287", 262144, 524287),
          ("bytes=1000000-2999999", 1000000, 2999999)] if n > 3 * MIB else [])


@pytest.mark.core
@pytest.mark.parametrize("name", ["small", "large"])
def test_range(server, stored, name):
    file_id, data = stored[name]
    for header, first, last in ranges(len(data)):
        r = server.get(file_id, headers={"Range": header})
        assert r.status_code == 206, (header, r.status_code)
        assert r.headers["Content-Range"] == "bytes %d-%d/%d" % (
            first, last, len(data)), header
        assert r.content == data[first:last + 1], header
        assert digest_field(data) in r.headers["Repr-Digest"]
        # A digest of the content would be of the part: right or absent.
        if "Content-Digest" in r.headers:
            assert r.headers["Content-Digest"] == digest_field(r.content)


@pytest.mark.core
def test_range_that_cannot_be(server, stored):
    file_id, data = stored["small"]
    for header in ("bytes=1000-", "bytes=1000-2000", "bytes=-0",
                   "bytes=99999999999999999999-"):
        r = server.get(file_id, headers={"Range": header})
        assert r.status_code == 416, (header, r.status_code)
        assert r.headers["Content-Range"] == "bytes */1000", header
    empty, _ = stored["empty"]
    assert server.get(empty, headers={"Range": "bytes=0-"}).status_code in (
        416, 200)


@pytest.mark.core
@pytest.mark.parametrize("header", [
    "bytes", "bytes=", "bytes=a-b", "bytes=5-2", "lines=1-2", "bytes=1",
    "bytes=--1", "bytes=1-2-3", "bytes=0x1-2", "bytes=+1-2"])
def test_range_that_is_none_is_ignored(server, stored, header):
    """RFC 9110 section 14.2: as if it were not there."""
    file_id, data = stored["small"]
    r = server.get(file_id, headers={"Range": header})
    assert r.status_code == 200
    assert r.content == data


def parse_byteranges(r):
    boundary = re.match(r'multipart/byteranges; *boundary="?([^";]+)',
                        r.headers["Content-Type"]).group(1).encode()
    parts = r.content.split(b"--" + boundary)
    assert parts[-1].strip() == b"--"
    out = []
    for p in parts[1:-1]:
        head, body = p.split(b"\r\n\r\n", 1)
        m = re.search(rb"(?i)content-range: bytes (\d+)-(\d+)/(\d+)", head)
        out.append((int(m.group(1)), int(m.group(2)), int(m.group(3)),
                    body[:-2]))
    return out


@pytest.mark.core
@pytest.mark.parametrize("name,header,want", [
    ("small", "bytes=0-1,10-19", [(0, 1), (10, 19)]),
    ("small", "bytes=10-19, 0-1", [(10, 19), (0, 1)]),
    ("small", "bytes=0-1,-2", [(0, 1), (998, 999)]),
    ("small", "bytes=0-1,5000-6000", [(0, 1)]),
    ("large", "bytes=0-0,262143-262145,3000000-3100000",
     [(0, 0), (262143, 262145), (3000000, 3100000)]),
])
def test_several_ranges(server, stored, name, header, want):
    file_id, data = stored[name]
    r = server.get(file_id, headers={"Range": header})
    assert r.status_code == 206, r.status_code
    if len(want) == 1:  # one that can be satisfied: no multipart
        first, last = want[0]
        assert r.headers["Content-Range"].startswith(
            "bytes %d-%d/" % (first, last))
        assert r.content == data[first:last + 1]
        return
    got = parse_byteranges(r)
    assert [(a, b) for a, b, _, _ in got] == want
    for a, b, total, body in got:
        assert total == len(data)
        assert body == data[a:b + 1]


def test_too_many_ranges_do_not_multiply(server, stored):
    """A thousand overlapping ranges of a file: never more bytes than a few
    times the file."""
    file_id, data = stored["small"]
    r = server.get(file_id, headers={
        "Range": "bytes=" + ",".join(["0-"] * 1000)})
    assert r.status_code in (200, 206, 416, 400)
    assert len(r.content) < 4 * len(data) + 10000


@pytest.mark.core
def test_conditions(server, stored):
    """RFC 9110 section 13, in its order of precedence."""
    file_id, data = stored["small"]
    r = server.get(file_id)
    tag, when = r.headers["ETag"], r.headers["Last-Modified"]
    early = "Sat, 01 Jan 2000 00:00:00 GMT"
    late = "Fri, 01 Jan 2100 00:00:00 GMT"
    for headers, status, why in [
            ({"If-None-Match": tag}, 304, "the same"),
            ({"If-None-Match": "W/" + tag}, 304, "weak comparison"),
            ({"If-None-Match": "*"}, 304, "any"),
            ({"If-None-Match": '"x", ' + tag}, 304, "in a list"),
            ({"If-None-Match": '"x"'}, 200, "another"),
            ({"If-None-Match": "nonsense"}, 200, "not a tag"),
            ({"If-Match": tag}, 200, "the same"),
            ({"If-Match": "*"}, 200, "any"),
            ({"If-Match": '"x"'}, 412, "another"),
            ({"If-Match": "W/" + tag}, 412, "strong comparison"),
            ({"If-Modified-Since": when}, 304, "not since"),
            ({"If-Modified-Since": early}, 200, "since"),
            ({"If-Modified-Since": "yesterday"}, 200, "not a date"),
            ({"If-Unmodified-Since": when}, 200, "not since"),
            ({"If-Unmodified-Since": early}, 412, "since"),
            ({"If-None-Match": '"x"', "If-Modified-Since": late}, 200,
             "If-None-Match goes first"),
            ({"If-Match": tag, "If-Unmodified-Since": early}, 200,
             "If-Match goes first")]:
        r = server.get(file_id, headers=headers)
        assert r.status_code == status, (headers, why, r.status_code)
        if status == 304:
            assert r.content == b""
            assert r.headers["ETag"] == tag
        if status == 412:
            error_code(r)


@pytest.mark.core
def test_if_range(server, stored):
    file_id, data = stored["small"]
    r = server.get(file_id)
    tag, when = r.headers["ETag"], r.headers["Last-Modified"]
    for value, status in ((tag, 206), ('"x"', 200), ("W/" + tag, 200),
                          ("Sat, 01 Jan 2000 00:00:00 GMT", 200)):
        r = server.get(file_id, headers={"Range": "bytes=0-9",
                                         "If-Range": value})
        assert r.status_code == status, value
        assert r.content == (data[:10] if status == 206 else data)
    r = server.get(file_id, headers={"Range": "bytes=0-9", "If-Range": when})
    assert r.status_code in (200, 206)  # a date may be too young to be strong


@pytest.mark.parametrize("name,plain", [
    ("report.pdf", "report.pdf"), ('quo"te.txt', None), ("тест.txt", None),
    ("semi;colon.txt", None), ("100% sure.txt", None)])
def test_disposition(server, name, plain):
    """RFC 6266: the name survives, and cannot break out of its quotes."""
    r = server.http("POST", "/api/files/upload", files=[
        ("file", (name, b"x"))])
    value = server.get(r.json()["file_id"]).headers["Content-Disposition"]
    assert re.match(r'^(attachment|inline); *filename="(\\.|[^"\\])*"'
                    r"(; *filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]+)?$",
                    value), value
    if plain:
        assert 'filename="%s"' % plain in value
    elif not name.isascii():
        assert "filename*=UTF-8''" in value


def test_active_content_is_disarmed(server):
    """An HTML file must not run as a page of this origin."""
    r = server.http("POST", "/api/files/upload", files=[
        ("file", ("x.html", b"<script>alert(1)</script>", "text/html"))])
    r = server.get(r.json()["file_id"])
    assert r.headers.get("X-Content-Type-Options") == "nosniff"
    assert r.headers["Content-Disposition"].startswith("attachment") or \
        "sandbox" in r.headers.get("Content-Security-Policy", "")


@pytest.mark.core
def test_unknown_and_malformed(server):
    r = server.get("01941f2a-7c1e-7d4b-8e11-3f1c2b3a4d5e")
    assert r.status_code == 404
    assert error_code(r) == "file_not_found"
    for bad in ("x", "01941f2a", "..%2f..%2fetc%2fpasswd", "%00"):
        r = server.get(bad)
        assert r.status_code in (400, 404), (bad, r.status_code)
        error_code(r)


def test_problem_json(server):
    """D16: RFC 9457 where it is asked for."""
    r = server.get("01941f2a-7c1e-7d4b-8e11-3f1c2b3a4d5e",
                   headers={"Accept": "application/problem+json"})
    assert r.status_code == 404
    assert r.headers["Content-Type"].startswith("application/problem+json")
    j = r.json()
    assert j["status"] == 404 and j["title"] and "type" in j


@pytest.mark.core
def test_curl_resumes(server, stored, tmp_path):
    file_id, data = stored["large"]
    out = tmp_path / "part"
    out.write_bytes(data[:1000001])
    run("curl", "-sS", "--noproxy", "*", "-H", server.auth(), "-C", "-", "-o",
        out, server.url + "/api/files/" + file_id)
    assert sha256(out.read_bytes()) == sha256(data)


@pytest.mark.core
def test_damaged_block_never_leaves(make_server, loop):
    """D34: a flipped bit on disk is an error, not wrong bytes."""
    s = make_server(loop)
    data = pattern(MIB, 12)
    j = s.put(data, "damaged.bin")
    s.stop()
    for here, _, names in os.walk(os.path.join(s.data, "elements")):
        if j["storage_filename"] in names:
            with open(os.path.join(here, j["storage_filename"]), "r+b") as f:
                f.seek(600000)
                b = f.read(1)[0]
                f.seek(600000)
                f.write(bytes([b ^ 1]))
    s.start()
    # Undamaged blocks can still be had.
    r = s.get(j["file_id"], headers={"Range": "bytes=0-1000"})
    assert r.status_code == 206 and r.content == data[:1001]
    with s.wire() as w:
        w.request("GET", "/api/files/" + j["file_id"], s.auth())
        try:
            a = w.answer()
        except AssertionError:
            got = w.buf  # cut off in mid-body: honest as well
            assert data.startswith(got[:524288])
            assert len(got) < len(data)
        else:
            assert a.status >= 500, "served a damaged block"


def test_slow_reader_does_not_hold_memory(server, stored):
    """A client that takes nothing costs a bounded amount."""
    file_id, data = stored["large"]
    before = server.rss()
    wires = [server.wire(receive_buffer=4096) for _ in range(50)]
    try:
        for w in wires:
            w.request("GET", "/api/files/" + file_id, server.auth())
        time.sleep(1)
        assert server.rss() - before < 100 * MIB
        assert server.get(stored["small"][0]).content == stored["small"][1]
    finally:
        for w in wires:
            w.sock.close()
