"""Files going in: multipart, raw, curl; digests, metadata, retention, limits
(ING-015..ING-041, STO-034, D16, D38, CNF-002).

SPDX-License-Identifier: Apache-2.0
"""
import concurrent.futures
import json
import os
import re
import time

import pytest

from store import (KIB, MIB, UPLOAD, UUID7, digest_field, error_code, md5,
                   pattern, run, sha256)

FIELDS = {"file_id", "storage_element_id", "storage_filename", "size_bytes",
          "md5_hash", "sha256_hash", "uploaded_at"}  # ING-023


def check_answer(j, data, element="se-01"):
    assert set(j) >= FIELDS, j
    assert UUID7.match(j["file_id"])  # D39
    assert j["storage_element_id"] == element
    assert j["size_bytes"] == len(data)
    assert j["md5_hash"] == md5(data)
    assert j["sha256_hash"] == sha256(data)
    assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", j["uploaded_at"])
    assert j["file_id"] in j["storage_filename"]
    assert len(j["storage_filename"].encode()) <= 200  # STO-035


def multipart(server, data, name="report.pdf", path=UPLOAD, fields=(), **kw):
    """FIELDS go before the file part, as D38 wants it."""
    parts = [(k, (None, v)) for k, v in fields]
    parts.append(("file", (name, data, "application/pdf")))
    return server.http("POST", path, files=parts, **kw)


# Around the sizes where the server changes its ways: head buffer, page, small
# buffer, block, replay window.
SIZES = [0, 1, 15, 4095, 4096, 4097, 16 * KIB - 1, 16 * KIB, 16 * KIB + 1,
         64 * KIB, 256 * KIB - 1, 256 * KIB, 256 * KIB + 1, 512 * KIB,
         MIB + 13, 8 * MIB, 8 * MIB + 1, 20 * MIB + 7]


@pytest.mark.core
@pytest.mark.parametrize("size", SIZES)
def test_raw_of_every_size(server, size):
    data = pattern(size)
    j = server.put(data)
    check_answer(j, data)
    r = server.get(j["file_id"])
    assert r.status_code == 200
    assert r.content == data


@pytest.mark.core
@pytest.mark.parametrize("size", SIZES)
def test_multipart_of_every_size(server, size):
    data = pattern(size, 2)
    r = multipart(server, data)
    assert r.status_code == 201, r.text
    check_answer(r.json(), data)
    assert server.get(r.json()["file_id"]).content == data


@pytest.mark.core
@pytest.mark.parametrize("size", [0, 1, 5000, 300 * KIB, 9 * MIB])
def test_chunked(server, size):
    """Without Content-Length (ING-035), in chunks of odd sizes."""
    data = pattern(size, 3)

    def chunks():
        at, step = 0, 1
        while at < len(data):
            yield data[at:at + step]
            at, step = at + step, step * 3 % 70001 + 1

    r = server.http("POST", UPLOAD + "?filename=c.bin", data=chunks())
    assert r.status_code == 201, r.text
    check_answer(r.json(), data)
    assert server.get(r.json()["file_id"]).content == data


@pytest.mark.core
@pytest.mark.parametrize("path", [
    "/api/files/upload", "/api/v1/files/upload", "/api/v1/upload"])
def test_aliases(server, path):
    """CNF-002, ING-026."""
    r = multipart(server, b"alias", path=path)
    assert r.status_code == 201, r.text
    for prefix in ("/api/files/", "/api/v1/files/"):
        g = server.http("GET", prefix + r.json()["file_id"])
        assert (g.status_code, g.content) == (200, b"alias")


@pytest.mark.core
@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("path", [
    "/api/files/upload/", "/api/v1/files/upload/", "/api/v1/upload/"])
def test_name_in_path(server, method, path):
    """`curl -T report.pdf URL/` appends the name itself."""
    for segment, name in (("report.pdf", "report.pdf"),
                          ("a%20b.txt", "a b.txt"),
                          ("%D1%82.txt", "т.txt"), ("metadata", "metadata"),
                          ("..%2F..%2Fetc%2Fpasswd", "passwd"),
                          ("q.bin?filename=q.bin", "q.bin")):
        r = server.http(method, path + segment, data=b"named")
        assert r.status_code == 201, (segment, r.text)
        assert r.json()["original_filename"] == name
        assert server.get(r.json()["file_id"]).content == b"named"
    r = server.http(method, path + "x?retention_policy=PERMANENT", data=b"p")
    assert r.json()["storage_element_id"] == "se-02", r.text
    # The slash of a name that is in the query after all.
    r = server.http(method, path + "?filename=q.bin", data=b"q")
    assert r.json()["original_filename"] == "q.bin", r.text
    # A form, too: the name of the path goes before that of the part.
    r = multipart(server, b"form", path=path + "named.bin")
    assert r.json()["original_filename"] == "named.bin", r.text


def test_name_in_path_with_curl(server, tmp_path):
    f = tmp_path / "my report.pdf"
    f.write_bytes(pattern(300 * KIB))
    p = run("curl", "-sS", "--noproxy", "*", "-H", server.auth(), "-T", f,
            server.url + "/api/files/upload/")
    j = json.loads(p.stdout)
    assert j["original_filename"] == "my report.pdf"
    assert j["sha256_hash"] == sha256(f.read_bytes())


@pytest.mark.parametrize("path,status,error", [
    ("/api/files/upload/", 400, "missing_filename"),
    ("/api/files/upload/a/b", 404, "not_found"),
    ("/api/files/upload/a%zz", 400, "invalid_filename"),
    ("/api/files/upload/a?filename=b", 400, "filename_conflict"),
    ("/api/files/upload/a?ttl=7", 400, "invalid_query"),
    ("/api/files/upload/a?retention_policy=PERMANENT&ttl_days=7", 400,
     "ttl_days_conflict"),
    ("/api/files/upload/" + 5000 * "a", 400, "invalid_filename")])
def test_name_in_path_refused(server, path, status, error):
    with server.wire() as w:  # which sends a path as it is
        w.request("PUT", path, server.auth(), body=b"x")
        r = w.answer()
    assert r.status == status, r
    assert r.json()["error"] == error


def test_no_scope_no_named_upload(server):
    r = server.http("PUT", "/api/files/upload/x", data=b"x",
                    token=server.token("read"))
    assert r.status_code == 403
    assert server.http("PUT", "/api/files/upload/x", data=b"x",
                       token="").status_code == 401


@pytest.mark.core
def test_stored_name(server):
    """STO-034: report_ivanov_20250102T153045_uuid.pdf"""
    j = server.put(b"x", "Report.PDF")
    assert re.match(r"^Report_[^_/]+_\d{8}T\d{6}_[0-9a-f-]{36}\.pdf$",
                    j["storage_filename"]), j


@pytest.mark.parametrize("name,kept", [
    ("../../etc/passwd", "passwd"),
    ("a/b\\c.txt", None),
    ("тест.txt", "тест.txt"),
    ("no-extension", "no-extension"),
    (".hidden", None),
    ("line\nbreak.txt", None),
    ("x" * 300 + ".txt", None),
    ("я" * 200 + ".pdf", None),
    ("a\u202egnp.exe", None),
])
def test_names_from_outside(server, name, kept):
    """ING-041: nothing of a name can leave the folder or the line."""
    r = multipart(server, b"data", name=name)
    assert r.status_code == 201, r.text
    stored = r.json()["storage_filename"]
    assert "/" not in stored and "\\" not in stored and ".." not in stored
    assert not re.search(r"[\x00-\x1f\x7f]", stored)
    assert len(stored.encode()) <= 200
    original = server.metadata(r.json()["file_id"])["original_filename"]
    assert not re.search(r"[\x00-\x1f\x7f/\\]", original)
    if kept:
        assert original == kept


@pytest.mark.core
def test_metadata(server):
    """ING-017: a JSON object, kept as it is."""
    meta = {"year": 2025, "тема": "отчёт", "deep": {"a": [1, 2.5, None, True]}}
    r = multipart(server, b"m", fields=[("metadata", json.dumps(meta))])
    assert r.status_code == 201, r.text
    m = server.metadata(r.json()["file_id"])
    assert m["metadata"] == meta
    assert m["original_filename"] == "report.pdf"
    assert m["content_type"] == "application/pdf"
    assert m["size_bytes"] == 1


def test_metadata_after_the_file(server):
    """Only what decides about the place must come first (D38)."""
    r = server.http("POST", UPLOAD, files=[
        ("file", ("x", b"m")), ("metadata", (None, '{"a": 1}'))])
    assert r.status_code == 201, r.text
    assert server.metadata(r.json()["file_id"])["metadata"] == {"a": 1}


@pytest.mark.core
@pytest.mark.parametrize("policy,element", [
    ("TEMPORARY", "se-01"), ("PERMANENT", "se-02"), ("permanent", "se-02"),
    (None, "se-01")])
def test_retention(server, policy, element):
    """ING-028: TEMPORARY to edit, PERMANENT to rw."""
    fields = [("retention_policy", policy)] if policy else []
    r = multipart(server, b"r", fields=fields)
    assert r.status_code == 201, r.text
    assert r.json()["storage_element_id"] == element
    q = "&retention_policy=" + policy if policy else ""
    assert server.put(b"r", query=q)["storage_element_id"] == element


def test_retention_in_metadata(server):
    r = multipart(server, b"r", fields=[
        ("metadata", '{"retention_policy": "PERMANENT"}')])
    assert r.json()["storage_element_id"] == "se-02"


def test_retention_too_late(server):
    """D38: a contrary value behind the file part is 400, and nothing stays."""
    r = server.http("POST", UPLOAD, files=[
        ("file", ("x", b"late")), ("retention_policy", (None, "PERMANENT"))])
    assert r.status_code == 400, r.text
    assert "retention_policy" in r.text
    # The same value again is no contradiction.
    r = server.http("POST", UPLOAD, files=[
        ("retention_policy", (None, "PERMANENT")), ("file", ("x", b"late")),
        ("retention_policy", (None, "PERMANENT"))])
    assert r.status_code == 201, r.text


def test_fields_of_a_browser(server):
    """What a page's form has besides is nobody's mistake."""
    r = multipart(server, b"b", fields=[("_charset_", "UTF-8"), ("go", "Send"),
                                        ("title", "x" * 100000)])
    assert r.status_code == 201, r.text


def test_ttl(server):
    """ING-029: ttl_days gives expires_at."""
    r = multipart(server, b"t", fields=[("ttl_days", "3")])
    m = server.metadata(r.json()["file_id"])
    up = time.strptime(m["uploaded_at"][:19], "%Y-%m-%dT%H:%M:%S")
    end = time.strptime(m["expires_at"][:19], "%Y-%m-%dT%H:%M:%S")
    assert time.mktime(end) - time.mktime(up) == 3 * 86400


# Each wrong field, the status, and the word that the message must hold.
@pytest.mark.core
@pytest.mark.parametrize("fields,status,code,word", [
    ([("metadata", "[1]")], 400, "invalid_metadata", "metadata"),
    ([("metadata", "{")], 400, "invalid_metadata", "not valid json at line"),
    ([("metadata", '{"k": "%s"}' % ("x" * 100000))], 400, None, "metadata"),
    ([("retention_policy", "FOREVER")], 400, None, "retention_policy"),
    ([("ttl_days", "-1")], 400, None, "ttl_days"),
    ([("ttl_days", "soon")], 400, None, "ttl_days"),
    ([("ttl_days", "7"), ("retention_policy", "PERMANENT")], 400,
     "ttl_days_conflict", "ttl_days"),
    ([("retention_polcy", "PERMANENT")], 400, "unknown_field",
     "did you mean retention_policy?"),
    ([("md5", "zz")], 400, None, "md5"),
    ([("sha256", "00")], 400, None, "sha256"),
    ([("sha256", sha256(b"other"))], 422, "checksum_mismatch", "sha256"),
    ([("md5", md5(b"other"))], 422, "checksum_mismatch", "md5"),
])
def test_wrong_field_is_named(server, fields, status, code, word):
    r = multipart(server, b"data", fields=fields)
    assert r.status_code == status, r.text
    got = error_code(r)
    assert code is None or got == code
    said = r.json()["message"] + json.dumps(r.json().get("details", ""))
    assert word in said.lower().replace("-", ""), r.text


def test_no_file_part(server):
    """ING-040."""
    r = server.http("POST", UPLOAD, files=[("metadata", (None, "{}"))])
    assert r.status_code == 400
    assert error_code(r) == "missing_file"


@pytest.mark.parametrize("body", [
    b"", b"--x--\r\n", b"no boundary at all",
    b"--x\r\nContent-Disposition: form-data; name=\"file\"; "
    b"filename=\"a\"\r\n\r\ndata",  # never ended
    b"--x\r\nContent-Disposition: form-data\r\n\r\ndata\r\n--x--\r\n",
    b"--x\r\n\r\ndata\r\n--x--\r\n",
    b"--x\r\nContent-Disposition form-data\r\n\r\nd\r\n--x--\r\n",
])
def test_malformed_multipart(server, body):
    """ING-040: 400, and nothing stays."""
    r = server.http("POST", UPLOAD, data=body, headers={
        "Content-Type": "multipart/form-data; boundary=x"})
    assert r.status_code == 400, r.text
    assert error_code(r) in ("invalid_multipart", "missing_file")
    assert server.leftovers() == []


def test_multipart_without_boundary(server):
    r = server.http("POST", UPLOAD, data=b"x", headers={
        "Content-Type": "multipart/form-data"})
    assert r.status_code == 400
    assert error_code(r) == "invalid_multipart"


def test_data_like_a_boundary(server):
    """Bytes that look like the delimiter, cut at every place."""
    data = b"\r\n--x\r" + b"\r\n--" * 30 + b"\r\n-\r\n--y--\r\n" + b"\r" * 9
    body = (b"--xx\r\nContent-Disposition: form-data; name=\"file\"; "
            b"filename=\"a\"\r\n\r\n" + data + b"\r\n--xx--\r\n")
    for step in (1, 2, 3, 5, 7, 11, 64):
        with server.wire() as w:
            w.request("POST", UPLOAD, server.auth(),
                      "Content-Type: multipart/form-data; boundary=xx",
                      "Content-Length: %d" % len(body))
            for i in range(0, len(body), step):
                w.send(body[i:i + step])
            a = w.answer()
        assert a.status == 201, a
        assert a.json()["sha256_hash"] == sha256(data)


@pytest.mark.core
def test_digests_that_agree(server):
    data = pattern(10000, 4)
    import base64
    import hashlib
    content_md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
    for headers in ({"Content-MD5": content_md5},
                    {"Content-Digest": digest_field(data)},
                    {"Content-Digest": digest_field(data, "md5")},
                    {"Repr-Digest": digest_field(data)},
                    {"Content-Digest": digest_field(data, "sha-512") + ", " +
                     digest_field(data)}):  # unknown ones are ignored
        check_answer(server.put(data, headers=headers), data)
    r = multipart(server, data, fields=[("sha256", sha256(data).upper()),
                                        ("md5", md5(data))])
    assert r.status_code == 201, r.text
    r = multipart(server, data, fields=[("checksum", sha256(data))])
    assert r.status_code == 201, r.text


@pytest.mark.core
@pytest.mark.parametrize("name,value", [
    ("Content-MD5", "rL0Y20zC+Fzt72VPzMSk2A=="),
    ("Content-Digest", digest_field(b"other")),
    ("Repr-Digest", digest_field(b"other")),
    ("Content-Digest", digest_field(b"other", "md5")),
])
@pytest.mark.parametrize("size", [10, 100000, MIB])
def test_digests_that_do_not(server, name, value, size):
    """422, and nothing stays (STO-041)."""
    r = server.http("POST", UPLOAD + "?filename=d.bin", data=pattern(size, 5),
                    headers={name: value})
    assert r.status_code == 422, r.text
    assert error_code(r) == "checksum_mismatch"
    assert server.leftovers() == []


@pytest.mark.parametrize("data,status", [(b"hello", 201), (b"other", 422)])
def test_digest_behind_the_body(server, data, status):
    """RFC 9530 section 2: Content-Digest as a trailer field."""
    with server.wire() as w:
        w.request("PUT", UPLOAD + "/d.bin", server.auth(),
                  "Transfer-Encoding: chunked", "Trailer: Content-Digest")
        w.send(b"5\r\nhello\r\n0\r\nContent-Digest: %s\r\n\r\n" %
               digest_field(data).encode())
        assert w.answer().status == status


@pytest.mark.parametrize("name,value", [
    ("Content-MD5", "not base64!"), ("Content-MD5", "AAAA"),
    ("Content-Digest", "sha-256=zzz"), ("Content-Digest", "sha-256=:AAAA:")])
def test_digests_that_are_none(server, name, value):
    r = server.http("POST", UPLOAD + "?filename=d.bin", data=b"x",
                    headers={name: value})
    assert r.status_code == 400, r.text
    assert name.lower() in r.text.lower()


@pytest.mark.core
def test_too_large_by_length(make_server, loop):
    """ING-167: refused by its length, before a byte of it is read."""
    s = make_server(loop, MAX_FILE_SIZE_MB=1)
    with s.wire() as w:
        w.request("POST", UPLOAD + "?filename=big", s.auth(),
                  "Content-Length: %d" % (MIB + 1),
                  "Expect: 100-continue")
        a = w.answer(interim=True)
        assert a.status == 413, "100 for what cannot be taken"
        assert a.json()["error"] == "file_too_large"
    assert s.put(pattern(MIB))["size_bytes"] == MIB  # the limit itself


@pytest.mark.core
def test_too_large_while_it_comes(make_server, loop):
    """ING-172: cut off at once, nothing stays."""
    s = make_server(loop, MAX_FILE_SIZE_MB=1)
    with s.wire() as w:
        w.request("POST", UPLOAD + "?filename=big", s.auth(),
                  "Transfer-Encoding: chunked")
        for _ in range(512):
            w.send(b"10000\r\n" + bytes(65536) + b"\r\n")
        a = w.answer()  # however late it looks
        assert a.status == 413 and not a.keeps
        assert w.closed()
    assert s.leftovers() == []
    assert s.ids() == []
    r = multipart(s, pattern(MIB + 1))
    assert r.status_code == 413
    assert s.leftovers() == []


@pytest.mark.core
def test_aborted_upload_leaves_nothing(server):
    for size, sent in ((1000, 10), (100000, 50000), (20 * MIB, 5 * MIB)):
        before = server.ids()
        with server.wire() as w:
            w.request("POST", UPLOAD + "?filename=gone", server.auth(),
                      "Content-Length: %d" % size)
            w.send(bytes(sent))
        assert server.leftovers() == []
        assert server.ids() == before


def test_expect_continue(server):
    """100 only when the handler wants the body; none where it is refused."""
    with server.wire() as w:
        w.request("POST", UPLOAD + "?filename=e", server.auth(),
                  "Content-Length: 5", "Expect: 100-continue")
        assert w.answer(interim=True).status == 100
        w.send(b"hello")
        assert w.answer().status == 201
    with server.wire() as w:
        w.request("POST", UPLOAD + "?filename=e", "Content-Length: 5",
                  "Expect: 100-continue")
        assert w.answer(interim=True).status == 401


def test_no_filename(server):
    """A raw body without a name is stored all the same, or the missing name
    is named; never a server error."""
    r = server.http("POST", UPLOAD, data=b"x", headers={
        "Content-Type": "application/octet-stream"})
    assert r.status_code in (201, 400), r.text
    if r.status_code == 400:
        assert "filename" in r.text


def curl(server, *words, code=0):
    return run("curl", "-sS", "--noproxy", "*", "-H", server.auth(), *words,
               code=code)


def test_curl_T(server, tmp_path):
    """curl -T as people write it: chunked from a pipe, with length from a
    file, and Expect for the large one."""
    f = tmp_path / "data.bin"
    f.write_bytes(pattern(3 * MIB, 6))
    url = server.url + UPLOAD + "?filename=data.bin"
    out = curl(server, "-X", "POST", "-T", f, url)
    assert json.loads(out.stdout)["sha256_hash"] == sha256(f.read_bytes())
    out = run("sh", "-c", 'cat "$1" | curl -sS --noproxy "*" -X POST -H "$2" '
              '-T - "$3"', "sh", f, server.auth(), url)
    assert json.loads(out.stdout)["sha256_hash"] == sha256(f.read_bytes())
    out = curl(server, "-F", 'metadata={"by": "curl"}', "-F",
               "file=@%s;type=image/png" % f, server.url + UPLOAD)
    j = json.loads(out.stdout)
    assert server.metadata(j["file_id"])["content_type"] == "image/png"


def test_a_part_is_not_the_file(server, tmp_path):
    """curl -C sends the rest of a file, as if the server had its beginning."""
    f = tmp_path / "data.bin"
    f.write_bytes(pattern(1000))
    before = len(server.ids())
    out = curl(server, "-C", "400", "-T", f, server.url + UPLOAD + "/")
    assert json.loads(out.stdout)["error"] == "partial_upload"
    assert len(server.ids()) == before


def test_an_encoded_body_is_not_the_file(server):
    r = server.http("PUT", UPLOAD + "/a.txt", data=b"x", headers={
        "Content-Encoding": "gzip"})
    assert r.status_code == 415 and error_code(r) == "unsupported_encoding"
    assert r.headers["Accept-Encoding"] == "identity"


@pytest.mark.core
def test_many_at_once(server):
    """ING-038: many clients, each byte where it belongs."""
    def one(i):
        data = pattern([100, 5000, 70000, 300 * KIB, 2 * MIB][i % 5] + i, i)
        j = server.put(data, "n%d.bin" % i)
        check_answer(j, data)
        assert server.get(j["file_id"]).content == data
        return j["file_id"]

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        ids = list(pool.map(one, range(200)))
    assert len(set(ids)) == 200


def test_durability_is_named(make_server):
    """D10."""
    s = make_server(DURABILITY="relaxed")
    r = s.http("POST", UPLOAD + "?filename=x", data=b"x")
    assert r.status_code == 201
    assert r.headers["X-Artstore-Durability"] == "relaxed"
    ready = s.http("GET", "/health/ready", token="")
    assert "relaxed" in ready.text


@pytest.mark.core
def test_survives_a_restart(make_server, loop):
    s = make_server(loop)
    data = {i: pattern(n, i) for i, n in enumerate([0, 10, 5000, 3 * MIB])}
    ids = {i: s.put(d, "r%d.bin" % i)["file_id"] for i, d in data.items()}
    before = {i: s.metadata(f) for i, f in ids.items()}
    s.stop()
    s.start()
    for i, f in ids.items():
        assert s.get(f).content == data[i]
        assert s.metadata(f) == before[i]
    assert set(s.ids()) == set(ids.values())


def test_attr_json_beside_the_data(server):
    """STO-036, STO-039, D30: what the authority says of a file."""
    data = pattern(70000, 8)
    j = server.put(data, "truth.bin")
    found = None
    for here, _, names in os.walk(os.path.join(server.data, "elements")):
        if j["storage_filename"] in names:
            found = os.path.join(here, j["storage_filename"])
    assert found, "no file of that name"
    with open(found + ".attr.json", encoding="utf-8") as f:
        attr = json.load(f)
    assert attr["file_id"] == j["file_id"]
    assert attr["size_bytes"] == len(data)
    assert attr["sha256_hash"] == sha256(data)
    assert attr["md5_hash"] == md5(data)
    assert attr["storage_element_id"] == "se-01"
    assert os.path.getsize(found + ".attr.json") <= 4096
