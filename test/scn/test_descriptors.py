"""A process has only so many descriptors: clients do not get them all, and when
there is none left the server says so and goes on (PRD, issue: limits).

SPDX-License-Identifier: Apache-2.0
"""
import resource
import select
import time

import pytest

import store
from store import MIB, UPLOAD, pattern

LIMIT = 400


@pytest.fixture
def start(make_server, monkeypatch, tmp_path):
    """Starts servers that may have LIMIT descriptors."""
    script = tmp_path / "few"
    script.write_text("#!/bin/sh\nulimit -n %d\nexec '%s' \"$@\"\n" % (
        LIMIT, store.BIN))
    script.chmod(0o755)
    monkeypatch.setattr(store, "BIN", str(script))
    return lambda loop: make_server(loop, HEAD_TIMEOUT="5m")


def said(s, message):
    return [x for x in s.log_lines() if x["message"] == message]


@pytest.mark.core
def test_some_are_for_files(start, loop):
    few = start(loop)
    told = said(few, "fewer connections than MAX_CONNECTIONS are admitted")
    assert [(x["level"], x["admitted"], x["open_files_max"])
            for x in told] == [("WARNING", LIMIT // 2, LIMIT)]
    data = pattern(MIB, 3)
    with few.wire(seconds=30) as inside:
        inside.request("GET", "/version")
        assert inside.answer().keeps
        crowd = [few.wire() for _ in range(LIMIT // 2)]
        late, _, _ = select.select([w.sock for w in crowd], [], [], 30)
        a = next(w for w in crowd if w.sock in late).answer()
        assert a.status == 503 and not a.keeps
        inside.request("POST", UPLOAD + "?filename=f", few.auth(),
                       "Content-Length: %d" % len(data))
        inside.send(data)
        a = inside.answer()
        assert a.status == 201, a
        inside.request("GET", "/api/files/" + a.json()["file_id"], few.auth())
        assert inside.answer().body == data
        assert not said(few, "no connection can be accepted")
        for w in crowd:
            w.sock.close()


def test_none_is_left(start):
    """With epoll: a ring goes by the limit of when it began to accept."""
    few = start("epoll")
    data = pattern(MIB, 3)
    f = few.put(data, "f")["file_id"]
    pid = few.process.pid
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, LIMIT))
    with few.wire() as w:
        w.request("GET", "/api/files/" + f, few.auth())
        end = time.monotonic() + 60
        while not said(few, "no connection can be accepted"):
            assert time.monotonic() < end, few.tail()
            time.sleep(0.05)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        a = w.answer()  # it has waited, and is not lost
        assert a.status == 200 and a.body == data
    line = said(few, "no connection can be accepted")[0]
    assert line["level"] == "ERROR" and line["open_files_max"] == 3
    assert "EMFILE" in line["detail"] and "LimitNOFILE" in line["detail"]
