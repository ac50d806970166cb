"""test/http/refuse.tbl on both loops, whole and byte by byte.

SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import time

import pytest

from store import ROOT, UPLOAD, error_code
from wire import Broken

TABLE = os.path.join(ROOT, "test", "http", "refuse.tbl")
REASONS = os.path.join(ROOT, "src", "wire", "refuse.h")
# Reasons about answers, which only a client meets.
CLIENT = {"none", "bad_status_line"}
# What the parser lets pass and the router refuses.
ROUTER = {"unknown_method": 501}


class Row:
    def __init__(self, n, words):
        self.n = n
        self.name, status, self.code, self.connection = words
        self.status = int(status)
        self.text = ""

    def bytes(self, token):
        """What to send: the text with its escapes undone."""
        out = self.text.replace("\\U", UPLOAD + "?filename=x.bin")
        out = out.replace("\\A", "Authorization: Bearer %s\r\n" % token)
        out = re.sub(r"\\\{(\d+):((?:[^}\\]|\\.)*)\}",
                     lambda m: m.group(2) * int(m.group(1)), out)

        def escape(m):
            c = m.group(1)
            return {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}.get(c) or \
                chr(int(c[1:], 16))

        return re.sub(r"\\(r|n|t|\\|x[0-9a-f]{2})", escape,
                      out).encode("latin-1")


def read_table():
    rows = []
    with open(TABLE, encoding="utf-8") as f:
        for n, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            if line[0] != " ":
                words = line.split()
                assert len(words) == 4, "%s:%d" % (TABLE, n)
                assert words[3] in ("close", "keep"), "%s:%d" % (TABLE, n)
                rows.append(Row(n, words))
            else:
                rows[-1].text += line.lstrip(" ")
    return rows


ROWS = read_table()


@pytest.mark.needs_no_server
def test_the_table_is_complete():
    """Every reason that the parser knows has a row, and no name is twice."""
    assert len({r.name for r in ROWS}) == len(ROWS)
    assert len(ROWS) > 100
    for r in ROWS:
        assert r.text, r.name
        assert (r.code == "-") == (r.status < 300), r.name
    if not os.path.exists(REASONS):
        pytest.skip("not beside the sources")
    with open(REASONS, encoding="utf-8") as f:
        known = {code: int(status) for status, code in re.findall(
            r'X\(HTTP_REF_\w+,\s*(\d+),\s*"(\w+)"', f.read())} | ROUTER
    missing = set(known) - CLIENT - {r.code for r in ROWS}
    assert not missing, "no row for " + ", ".join(sorted(missing))
    for r in ROWS:
        if r.code != "-":
            assert known.get(r.code) == r.status, r.name


def judge(row, w):
    a = w.answer()
    assert a.status == row.status, a
    assert a.get("x-request-id"), "no X-Request-ID"
    assert a.get("date")
    if row.code != "-":
        problem = "Accept: application/problem+json" in row.text
        assert a.get("content-type") == (
            "application/problem+json" if problem else "application/json")
        assert a.json().get("status") == (row.status if problem else None)

        class Body:
            json = staticmethod(a.json)

        assert error_code(Body) == row.code
        assert a.json()["request_id"] == a.get("x-request-id")
    if row.connection == "close":
        assert not a.keeps, "does not say that it closes"
        assert w.closed(), "does not close"
    else:
        assert a.keeps, "says that it closes"
        w.request("GET", "/version")
        assert w.answer().status == 200, "does not go on"


@pytest.mark.core
@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.name)
def test_refuse(server, row):
    with server.wire() as w:
        w.send(row.bytes(server.token()))
        judge(row, w)


@pytest.mark.parametrize("row", [r for r in ROWS if "\\{" not in r.text],
                         ids=lambda r: r.name)
def test_refuse_in_pieces(server, row):
    """The same when the bytes come in small pieces: the answer may come
    before the last of them, and is the same."""
    data = row.bytes(server.token())
    with server.wire() as w:
        for i in range(0, len(data), 7):
            try:
                w.send(data[i:i + 7])
            except OSError:
                break  # it has heard enough; the answer is there already
            if i % 70 == 0:
                time.sleep(0.001)
        try:
            judge(row, w)
        except (Broken, OSError):
            # A reset may overtake the answer when bytes came after it; what
            # may not happen is a success.
            assert row.connection == "close"


def test_nothing_was_stored(server):
    """None of the refused uploads left anything."""
    assert server.leftovers() == []


def test_smuggled_request_is_not_seen(server):
    """What follows a refused request on its connection is not executed."""
    f = server.put(b"precious", "precious.txt")
    smuggled = "DELETE /api/files/%s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n" % (
        f["file_id"], server.auth())
    for framing in ("Content-Length: 5\r\nTransfer-Encoding: chunked",
                    "Content-Length: 5\r\nContent-Length: %d" % len(smuggled),
                    "Transfer-Encoding: chunked\r\n Content-Length: 0"):
        with server.wire() as w:
            w.send("POST %s?filename=x HTTP/1.1\r\nHost: a\r\n%s\r\n%s\r\n\r\n"
                   "0\r\n\r\n%s" % (UPLOAD, server.auth(), framing, smuggled))
            assert w.answer().status == 400
            assert w.closed()
    assert server.get(f["file_id"]).content == b"precious"
