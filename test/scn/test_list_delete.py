"""The list with its filters and cursors, metadata, and deleting (ING-056 to
ING-064, D21).

SPDX-License-Identifier: Apache-2.0
"""
import os
import time

import pytest

from store import UUID7, error_code, pattern

NOBODY = "01941f2a-7c1e-7d4b-8e11-3f1c2b3a4d5e"


@pytest.fixture(scope="module")
def shelf(loop, tmp_path_factory):
    """A server with 30 known files: name -> file_id."""
    import store
    s = store.Server(tmp_path_factory.mktemp("shelf-" + loop), loop)
    s.own_key = True
    s.start()
    s.names = {}
    for i in range(30):
        policy = "PERMANENT" if i % 3 == 0 else "TEMPORARY"
        r = s.http("POST", "/api/files/upload", files=[
            ("retention_policy", (None, policy)),
            ("metadata", (None, '{"n": %d%s}' % (
                i, ', "even": "yes"' if i % 2 == 0 else ""))),
            ("file", ("doc-%02d.%s" % (i, "pdf" if i < 10 else "txt"),
                      pattern(100 * i)))])
        assert r.status_code == 201, r.text
        s.names["doc-%02d" % i] = r.json()["file_id"]
    yield s
    s.stop()


def listed(s, query):
    r = s.http("GET", "/api/files?limit=1000" + query)
    assert r.status_code == 200, r.text
    return r.json()["files"]


@pytest.mark.core
def test_everything_is_listed(shelf):
    assert set(shelf.ids()) == set(shelf.names.values())
    for f in listed(shelf, ""):
        assert UUID7.match(f["file_id"])
        assert set(f) >= {"size_bytes", "uploaded_at", "original_filename",
                          "storage_element_id", "retention_policy"}


@pytest.mark.core
@pytest.mark.parametrize("limit", [1, 7, 30, 31])
def test_pages(shelf, limit):
    """Each file once, whatever the page; no page longer than asked."""
    seen, cursor, pages = [], "", 0
    while True:
        r = shelf.http("GET", "/api/files?limit=%d%s" % (
            limit, "&cursor=" + cursor if cursor else ""))
        page = r.json()
        assert len(page["files"]) <= limit
        seen += [f["file_id"] for f in page["files"]]
        cursor = page.get("next_cursor")
        pages += 1
        if not cursor:
            break
        assert pages < 100
    assert len(seen) == len(set(seen)) == 30


def test_pages_while_files_come(shelf):
    """A cursor stays right when the list changes under it."""
    r = shelf.http("GET", "/api/files?limit=10")
    first = [f["file_id"] for f in r.json()["files"]]
    new = shelf.put(b"in between", "between.bin")["file_id"]
    rest = []
    cursor = r.json()["next_cursor"]
    while cursor:
        page = shelf.http("GET", "/api/files?limit=10&cursor=" + cursor).json()
        rest += [f["file_id"] for f in page["files"]]
        cursor = page.get("next_cursor")
    assert not set(first) & set(rest)
    assert set(first + rest) - {new} == set(shelf.names.values())
    shelf.http("DELETE", "/api/files/" + new)


@pytest.mark.core
def test_filters(shelf):
    def names(query):
        return {f["original_filename"] for f in listed(shelf, query)}

    assert names("&name=doc-07.pdf") == {"doc-07.pdf"}
    assert len(names("&name=*.pdf")) == 10
    assert len(names("&retention=PERMANENT")) == 10
    assert len(names("&retention=TEMPORARY")) == 20
    assert len(names("&min_size=1000")) == 20
    assert len(names("&max_size=500")) == 6
    assert len(names("&min_size=1000&max_size=1500")) == 6
    assert len(names("&meta=even")) == 15
    assert len(names("&meta=n:7")) == 1
    assert len(names("&since=2020-01-01T00:00:00Z")) == 30
    assert names("&until=2020-01-01T00:00:00Z") == set()
    assert names("&name=*.pdf&retention=PERMANENT") == {
        "doc-%02d.pdf" % i for i in (0, 3, 6, 9)}
    assert names("&user=nobody-of-that-name") == set()


@pytest.mark.core
@pytest.mark.parametrize("query,word", [
    ("limit=0", "limit"), ("limit=100000", "limit"), ("limit=x", "limit"),
    ("cursor=nonsense", "cursor"), ("retention=MAYBE", "retention"),
    ("since=yesterday-ish", "since"), ("min_size=-1", "min_size"),
    ("nonsense=1", "nonsense")])
def test_wrong_filter_is_named(shelf, query, word):
    r = shelf.http("GET", "/api/files?" + query)
    assert r.status_code == 400, r.text
    error_code(r)
    assert word in r.text


def test_injection_is_text(shelf):
    for evil in ("' OR 1=1 --", "%25", "*%27;DROP TABLE files;--", "[a-z]"):
        r = shelf.http("GET", "/api/files", params={"name": evil})
        assert r.status_code == 200, r.text
        assert r.json()["files"] == []
    assert len(shelf.ids()) == 30


@pytest.mark.core
def test_metadata_of_unknown(shelf):
    r = shelf.http("GET", "/api/files/%s/metadata" % NOBODY)
    assert r.status_code == 404
    assert error_code(r) == "file_not_found"


@pytest.mark.core
def test_delete(server):
    """204 and gone: from the list, from the disk, for good."""
    j = server.put(pattern(5000), "gone.bin")
    f = j["file_id"]
    r = server.http("DELETE", "/api/files/" + f)
    assert (r.status_code, r.content) == (204, b"")
    assert server.get(f).status_code == 404
    assert server.http("GET", "/api/files/%s/metadata" % f).status_code == 404
    assert f not in server.ids()
    end = time.monotonic() + 60
    while time.monotonic() < end and any(
            j["storage_filename"] in names for _, _, names in
            os.walk(server.data)):
        time.sleep(0.1)
    for here, _, names in os.walk(server.data):
        assert j["storage_filename"] not in names, here
    r = server.http("DELETE", "/api/files/" + f)
    assert r.status_code == 404
    assert error_code(r) == "file_not_found"


def test_delete_what_is_meant(server):
    """RFC 9110 section 13.1.1: a condition that does not hold, no delete."""
    f = server.put(b"x")["file_id"]
    r = server.http("DELETE", "/api/files/" + f, headers={"If-Match": '"y"'})
    assert r.status_code == 412
    assert error_code(r) == "precondition_failed"
    tag = server.get(f).headers["ETag"]
    r = server.http("DELETE", "/api/files/" + f, headers={"If-Match": tag})
    assert r.status_code == 204


@pytest.mark.core
def test_delete_alias(server):
    f = server.put(b"x")["file_id"]
    assert server.http("DELETE", "/api/v1/files/" + f).status_code == 204


@pytest.mark.core
def test_delete_outside_edit(server):
    """ING-057, ING-058: word for word."""
    f = server.put(b"kept", query="&retention_policy=PERMANENT")["file_id"]
    r = server.http("DELETE", "/api/files/" + f)
    assert r.status_code == 400
    assert r.json()["error"] == "file_in_readonly_storage"
    assert r.json()["message"] == \
        "Cannot delete file from read-only Storage Element"
    assert r.json()["details"] == {"element_id": "se-02", "mode": "rw"}
    assert server.get(f).content == b"kept"


@pytest.mark.core
def test_delete_survives_a_restart(make_server, loop):
    s = make_server(loop)
    f = s.put(b"x")["file_id"]
    keep = s.put(b"y")["file_id"]
    assert s.http("DELETE", "/api/files/" + f).status_code == 204
    s.kill()
    s.start()
    assert s.get(f).status_code == 404
    assert s.get(keep).content == b"y"


def test_delete_while_it_is_read(server):
    """Who has begun to read gets all of it, or sees that it broke off."""
    data = pattern(20 << 20, 3)
    f = server.put(data, "big.bin")["file_id"]
    with server.wire(receive_buffer=65536) as w:
        w.request("GET", "/api/files/" + f, server.auth())
        a = w.head()
        assert a.status == 200
        assert server.http("DELETE", "/api/files/" + f).status_code == 204
        got = b""
        try:
            got = w.take(len(data))
        except AssertionError:
            pass
        assert got == data or got == b""


@pytest.mark.core
def test_methods_that_are_not(server):
    f = server.put(b"x")["file_id"]
    for method, path in (("PUT", "/api/files/" + f), ("PATCH", "/api/files"),
                         ("DELETE", "/api/files"),
                         ("GET", "/api/files/upload"),
                         ("POST", "/version")):
        r = server.http(method, path)
        # upload is also shaped like an id; either answer is fine there.
        assert r.status_code == 405 or path.endswith("upload"), (method, path)
        if r.status_code == 405:
            assert r.headers["Allow"]
            error_code(r)


@pytest.mark.core
def test_unknown_path(server):
    for path in ("/", "/api", "/api/files/x/y/z", "/favicon.ico"):
        r = server.http("GET", path)
        assert r.status_code in (404, 400, 200), path
    r = server.http("GET", "/api/v9/nothing")
    assert r.status_code == 404
    error_code(r)
