"""Ending and starting: SIGTERM drains, a second start is refused, what is
wrong is said (ING-014, D31, CNF-007).

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from store import BIN, MIB, UPLOAD, pattern, sha256, slow_build
from wire import Broken


def begin(w, s, size):
    """An upload of SIZE bytes, whose body is waited for by now."""
    w.request("POST", UPLOAD + "?filename=x", s.auth(),
              "Content-Length: %d" % size, "Expect: 100-continue")
    assert w.answer(interim=True).status == 100


def takes(s):
    """Does a new connection get an answer other than 503?"""
    try:
        with s.wire() as late:
            late.request("GET", "/version")
            return late.answer().status != 503
    except (OSError, Broken):
        return False


@pytest.mark.core
def test_running_requests_end_well(make_server, loop):
    s = make_server(loop)
    data = pattern(4 * MIB, 5)
    f = s.put(data, "before.bin")["file_id"]
    down = s.wire(receive_buffer=65536)
    down.request("GET", "/api/files/" + f, s.auth())
    head = down.head()
    up = s.wire()
    begin(up, s, len(data))
    up.send(data[:MIB])
    idle = s.wire()
    idle.request("GET", "/version")
    assert idle.answer().status == 200

    s.process.send_signal(signal.SIGTERM)
    assert idle.closed(20), "an idle connection holds up the end"
    up.send(data[MIB:])
    a = up.answer()
    assert a.status == 201 and not a.keeps
    assert a.json()["sha256_hash"] == sha256(data)
    assert down.take(int(head.get("content-length"))) == data
    assert s.wait() == 0
    # And it was no empty promise.
    s.start()
    assert s.get(a.json()["file_id"]).content == data


@pytest.mark.core
def test_no_new_connections(make_server, loop):
    s = make_server(loop)
    w = s.wire()
    begin(w, s, 5)
    s.process.send_signal(signal.SIGTERM)
    end = time.monotonic() + 20
    while takes(s):
        assert time.monotonic() < end, "it goes on"
        time.sleep(0.05)
    assert not takes(s)
    w.send(b"hello")
    assert w.answer().status == 201
    assert s.wait() == 0


@pytest.mark.core
def test_drain_has_an_end(make_server, loop):
    """A client that never ends is cut after DRAIN_TIMEOUT."""
    s = make_server(loop, DRAIN_TIMEOUT="1s")
    w = s.wire()
    begin(w, s, 500000)
    w.send(bytes(1000))
    start = time.monotonic()
    s.process.send_signal(signal.SIGTERM)
    assert s.wait() == 0
    assert time.monotonic() - start < 20  # without that word 30
    w.sock.close()
    s.start()
    assert s.leftovers() == [] and s.ids() == []


@pytest.mark.core
def test_idle_server_ends_at_once(make_server, loop):
    s = make_server(loop)
    start = time.monotonic()
    s.stop()
    assert time.monotonic() - start < 20  # a drain that lasts: 30


def test_sigint_is_the_same(make_server):
    s = make_server()
    s.process.send_signal(signal.SIGINT)
    assert s.wait() == 0


def test_twice_sigterm(make_server):
    s = make_server()
    for _ in range(5):
        if s.alive():
            s.process.send_signal(signal.SIGTERM)
            time.sleep(0.01)
    assert s.wait() in (0, -signal.SIGTERM)


@pytest.mark.core
def test_one_folder_one_server(make_server, tmp_path):
    """D31: a locked element is a refusal to start, with what to do."""
    s = make_server()
    other = make_server(folder=tmp_path / "s0", start=False)
    other.log = str(tmp_path / "second.log")
    other.start(expect_ready=False)
    assert other.wait() not in (0, None)
    said = other.tail().lower()
    assert "lock" in said or "use" in said or "running" in said, said
    assert s.put(b"x")  # the first one is not disturbed


def test_foreign_superblock(make_server):
    """D31: a missing or damaged superblock is not made anew over data."""
    s = make_server()
    f = s.put(b"precious")["file_id"]
    s.stop()
    blocks = [os.path.join(here, n) for here, _, names in os.walk(s.data)
              for n in names if "superblock" in n]
    assert blocks, "no superblock"
    kept = {}
    for b in blocks:
        with open(b, "rb") as h:
            kept[b] = h.read()
        os.remove(b)
    s.start(expect_ready=False)
    assert s.wait() != 0
    assert "superblock" in s.tail().lower() or "init" in s.tail().lower()
    for b, content in kept.items():
        with open(b, "wb") as h:
            h.write(content)
    s.start()
    assert s.get(f).content == b"precious"


@pytest.mark.parametrize("name,value,word", [
    ("APP_PORT", "70000", "65535"), ("DURABILITY", "maybe", "strict"),
    ("VERIFY_READS", "perhaps", "on"), ("ARTSTORE_THREADS", "-3", "1024"),
    ("LOG_LEVEL", "LOUD", "DEBUG"), ("MAX_FILE_SIZE_MB", "0", "1"),
    ("ARTSTORE_NO_SUCH_OPTION", "1", "NO_SUCH_OPTION")])
def test_wrong_setting_stops_the_start(tmp_path, name, value, word):
    """CNF-007, D40: the name, the value and what is allowed."""
    p = subprocess.run([BIN, "server", "--data-dir", str(tmp_path / "d"),
                        "--listen", "127.0.0.1:0"],
                       env={**os.environ, name: value}, timeout=60,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       text=True)
    assert p.returncode != 0
    assert name.replace("ARTSTORE_", "") in p.stderr
    assert word in p.stderr
    assert not (tmp_path / "d").exists() or not os.listdir(tmp_path / "d")


@pytest.mark.parametrize("value", ["on", "TRUE", "yes", "1"])
def test_booleans(make_server, value):
    """CNF-007."""
    assert make_server(VERIFY_READS=value).alive()


def test_port_in_use(make_server, tmp_path):
    s = make_server()
    p = subprocess.run([BIN, "server", "--data-dir", str(tmp_path / "d"),
                        "--listen", "127.0.0.1:%d" % s.port], timeout=60,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       text=True)
    assert p.returncode != 0
    assert str(s.port) in p.stderr
    assert "ready" not in p.stdout


def test_port_comes_free(make_server):
    """The kernel takes down a killed server's ring after its process."""
    s = make_server()  # its next start is a quick one
    port = s.port
    s.stop()
    with socket.socket() as leaving:
        leaving.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        leaving.bind(("127.0.0.1", port))
        leaving.listen()
        s.start(port=port, expect_ready=False)
        time.sleep(1)
        assert s.alive(), s.tail()
    assert s.first_line(20 * slow_build()).endswith(":%d" % port)
    s.stop()


@pytest.mark.core
def test_sighup_is_survived(make_server):
    s = make_server()
    for _ in range(3):
        s.process.send_signal(signal.SIGHUP)
        time.sleep(0.1)
        assert s.http("GET", "/version", token="").status_code == 200


def test_starts_and_ends_under_load(make_server, loop):
    """Ended in the middle of many uploads: each 201 is there afterwards."""
    s = make_server(loop)
    s.token()
    acknowledged, stop = {}, threading.Event()

    def client(k):
        i = 0
        while not stop.is_set():
            data = pattern(1000 + k * 7000, i)
            try:
                j = s.put(data, "l%d-%d.bin" % (k, i))
                acknowledged[j["file_id"]] = sha256(data)
            except (OSError, AssertionError, json.JSONDecodeError):
                time.sleep(0.01)
            i += 1

    threads = [threading.Thread(target=client, args=(k,), daemon=True)
               for k in range(8)]
    for t in threads:
        t.start()
    for _ in range(3):
        time.sleep(0.5)
        enough = len(acknowledged) + 10
        end = time.monotonic() + 60
        while len(acknowledged) < enough and time.monotonic() < end:
            time.sleep(0.02)
        port = s.port
        s.stop()
        s.start(port=port)
    stop.set()
    for t in threads:
        t.join()
    assert len(acknowledged) > 20
    for f, h in acknowledged.items():
        assert sha256(s.get(f).content) == h
    assert set(s.ids()) >= set(acknowledged)
