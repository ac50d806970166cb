"""What /metrics shows is fed: after a walk through everything that a server
does, each family has a sample that is not zero, or stands in RARE with the
reason why not. A family that nothing feeds misleads whoever watches it
(PRD-038, PRD-039).

SPDX-License-Identifier: Apache-2.0
"""
import re
import signal
import time

import pytest

from cluster import wait_for
from store import MIB, UPLOAD, pattern

pytestmark = pytest.mark.core

# Family -> why it may be zero here.
RARE = {
    "artstore_tls_handshake_failures_total": "plaintext; see test_service.py",
    "artstore_blocks_waits_total": "the budget of blocks was not used up",
    "artstore_work_queued": "a moment",
    "artstore_storage_commit_queued": "a moment",
    "artstore_storage_sync_errors_total": "the disk is well",
    "artstore_storage_element_status": "0 is ok",
    "artstore_audit_queued": "a moment",
    "artstore_audit_broken": "nobody has touched the audit log",
    "artstore_audit_repairs_total": "nothing in it had to be mended",
    "artstore_loop_delay_seconds": "observed with 0 when a timer is on time",
    "artstore_log_lines_dropped_total": "somebody reads the log",
    "artstore_log_lines_suppressed_total": "nothing repeats",
    "artstore_metrics_overflow_total": "few label sets",
    "db_connections_active": "a moment",
    "db_query_errors_total": "the database is well",
    "errors_total": "nothing is wrong",
}


def scrape(server):
    """{family: type}, {sample with labels: value}"""
    r = server.http("GET", "/metrics", token="")
    assert r.status_code == 200
    types, values = {}, {}
    for line in r.text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types, "twice: " + name
            types[name] = kind
        elif line and not line.startswith("#"):
            m = re.match(r'^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{.*\})?) (\S+)$', line)
            assert m, line
            values[m.group(1)] = float(m.group(2))
    return types, values


def touched(values):
    """Families with a sample that is not zero."""
    out = set()
    for key, v in values.items():
        name = key.split("{")[0]
        if v:
            out.add(name)
            out.add(re.sub(r"_(bucket|sum|count)$", "", name))
    return out


def walk(s):
    """Something of everything."""
    ids = [s.put(pattern(5000 + i), "m%d.bin" % i)["file_id"]
           for i in range(3)]
    big = s.put(pattern(3 * MIB), "big.bin")["file_id"]
    kept = s.put(pattern(100), "kept.bin",
                 query="&retention_policy=PERMANENT")["file_id"]
    for f in ids + [big, big, kept]:
        assert s.get(f).status_code == 200
    assert s.http("DELETE", "/api/files/" + ids[0]).status_code == 204
    assert s.http("DELETE", "/api/files/" + kept).status_code == 400
    assert s.get(ids[1]).status_code == 200  # opened anew after the delete
    assert s.get(ids[0]).status_code == 404
    r = s.http("POST", UPLOAD + "?filename=x&sha256=" + "0" * 64, data=b"x")
    assert r.status_code == 422
    assert s.http("GET", "/api/files").status_code == 200
    assert s.http("GET", "/api/files", token="").status_code == 401
    assert s.http("GET", "/nowhere").status_code == 404
    r = s.http("POST", "/api/v1/auth/token", token="",
               data={"grant_type": "client_credentials", "client_id": "nobody",
                     "client_secret": "wrong"})
    assert r.status_code == 401
    with s.wire() as w:  # refused before it has a route
        w.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert w.answer().status == 400
    with s.wire() as w:  # too slow
        w.send(b"GET / HT")
        assert w.answer().status == 408
    with s.wire() as w:  # goes away: what the element has is given up
        w.request("POST", UPLOAD + "?filename=half.bin",
                  "Authorization: Bearer " + s.token(),
                  "Transfer-Encoding: chunked")
        w.send(b"100000\r\n" + bytes(600000))
    s.process.send_signal(signal.SIGHUP)


def test_each_family_is_fed(make_server, loop):
    # One loop: the caches are the loops' own.
    s = make_server(loop, HEAD_TIMEOUT="1", ARTSTORE_THREADS="1")
    walk(s)
    # And one upload that has not ended, of a length that is not known.
    with s.wire() as w:
        w.request("POST", UPLOAD + "?filename=slow.bin",
                  "Authorization: Bearer " + s.token(),
                  "Transfer-Encoding: chunked")
        w.send(b"100000\r\n" + bytes(600000))
        # Another that is kept until it is whole.
        with s.wire() as held:
            held.request("POST", UPLOAD + "?filename=held.bin",
                         "Authorization: Bearer " + s.token(),
                         "Content-Length: %d" % (2 * MIB))
            held.send(bytes(600000))
            end = time.monotonic() + 60
            while True:
                types, values = scrape(s)
                cold = set(types) - touched(values) - set(RARE)
                if not cold or time.monotonic() > end:
                    break
                time.sleep(0.3)
    assert not cold, "nothing feeds: %s" % sorted(cold)
    gone = set(RARE) - set(types)
    assert not gone, "in RARE but not shown: %s" % sorted(gone)


def test_in_progress_comes_back(make_server, loop):
    """PRD-044: true while a request is under way, and not after it."""
    s = make_server(loop)
    key = 'http_requests_in_progress{method="POST",endpoint="%s"}' % UPLOAD
    s.put(b"x")
    assert scrape(s)[1][key] == 0
    with s.wire() as w:
        w.request("POST", UPLOAD + "?filename=slow.bin",
                  "Authorization: Bearer " + s.token(), "Content-Length: 10")
        w.send(b"12345")
        wait_for("it is under way", lambda: scrape(s)[1][key] == 1)
        w.send(b"67890")
        assert w.answer().status == 201

    def busy():
        return {k: v for k, v in scrape(s)[1].items()
                if k.startswith("http_requests_in_progress") and v}

    # The scrape itself; one that has its answer may not be over yet.
    wait_for("all are over", lambda: list(busy().values()) == [1])
    assert "/metrics" in list(busy())[0]


def test_results_are_told_apart(make_server):
    s = make_server(HEAD_TIMEOUT="1")
    walk(s)
    want = {
        'artstore_ingester_uploads_total{status="success"}': 5,
        # A checksum, and the client that went away.
        'artstore_ingester_uploads_total{status="failure"}': 2,
        'artstore_ingester_uploads_refused_total'
        '{error="checksum_mismatch"}': 1,
        'artstore_ingester_deletes_total{status="success"}': 1,
        'artstore_ingester_deletes_total{status="failure"}': 1,
        'artstore_ingester_downloads_total{status="success"}': 7,
        'artstore_ingester_downloads_total{status="failure"}': 1,
        'artstore_ingester_upload_size_bytes_count': 5,
        'storage_selection_total{retention_policy="PERMANENT",'
        'status="success",source="adaptive_monitor"}': 1,
        'artstore_storage_published_total': 5,
        'artstore_storage_removed_total{reason="delete"}': 1,
        'artstore_storage_element_files{storage_id="se-02"}': 1,
        'artstore_http_refused_total{reason="host_repeated"}': 1,
        'artstore_auth_token_requests_total{result="invalid_client"}': 1,
    }

    def seen():
        v = scrape(s)[1]
        return {k: v[k] for k in want}

    # The last of them may have its answer and not be over yet, and that a
    # client is gone is noticed when it is.
    end = time.monotonic() + 60
    while seen() != want and time.monotonic() < end:
        time.sleep(0.05)
    assert seen() == want


def test_trace_in_the_access_log(make_server, loop):
    """A request's line carries the trace that came and the span that is ours;
    without a trace, one of our own."""
    s = make_server(loop, ACCESS_LOG="on")
    trace = "0af7651916cd43dd8448eb211c80319c"
    s.http("GET", "/version", token="", headers={
        "traceparent": "00-%s-b7ad6b7169203331-01" % trace})
    s.http("GET", "/openapi.json")
    s.stop()
    lines = [x for x in s.log_lines() if x.get("message") == "request"]
    mine = [x for x in lines if x["path"] == "/version"]
    assert mine and mine[0]["trace_id"] == trace
    spans = [x["span_id"] for x in lines]
    assert len(set(spans)) == len(spans) and "0" * 16 not in spans
    assert all(x["trace_id"] != "0" * 32 for x in lines)
