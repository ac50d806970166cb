#!/usr/bin/python3
"""cli_client_test - the client commands against a server that misbehaves on
demand (test/cli_fake_server.py).

    cli_client_test.py ARTSTORE [unittest arguments]

Each test runs the real program in a folder of its own, without the user's
environment. SPDX-License-Identifier: Apache-2.0
"""
import base64
import fcntl
import hashlib
import json
import os
import pty
import random
import re
import select
import shutil
import signal
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cli_fake_server import CLIENT, TOKEN, FakeServer  # noqa: E402

ARTSTORE = None
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NO_ID = "01941f2a-7c1e-7d4b-8e11-3f1c2b3a4d5e"
RNG = random.Random(42)


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="artstore-cli-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.server = FakeServer()
        self.addCleanup(self.server.stop)
        self.env = {"PATH": os.environ["PATH"], "HOME": self.dir,
                    "LC_ALL": "C.UTF-8", "ARTSTORE_URL": self.server.url,
                    "ARTSTORE_TOKEN": TOKEN}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as f:
            f.write(data)
        return data

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def run_cli(self, *args, expect=0, stdin=b"", cwd=None, env=None):
        p = subprocess.run([ARTSTORE, *args], input=stdin, timeout=60,
                           capture_output=True, cwd=cwd or self.dir,
                           env=env or self.env)
        self.out, self.err = p.stdout, p.stderr.decode(errors="replace")
        self.assertEqual(p.returncode, expect, "%s\n%s%s" % (
            args, p.stdout.decode(errors="replace"), self.err))
        self.assertNotIn("ERROR: AddressSanitizer", self.err)
        # No token or secret may ever be shown.
        if args[0] != "token":
            self.assertNotIn(TOKEN.encode(), p.stdout)
        self.assertNotIn(TOKEN, self.err)
        self.assertNotIn(CLIENT[1], self.err)
        return p.stdout.decode(errors="replace")

    def wait_for(self, condition):
        end = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), end, "waited in vain")
            time.sleep(0.02)

    def stored(self):
        return list(self.server.files.values())

    def uploads(self):
        return [r for r, _ in self.server.requests if r.startswith("POST")]


class Put(Case):
    def test_plain_line(self):
        data = self.write("a.txt", b"hello\n")
        out = self.run_cli("put", "a.txt")
        entry = self.stored()[0]
        self.assertEqual(entry["data"], data)
        self.assertRegex(out, r"^%s  se-01 +6 B  a\.txt\n$"
                         % entry["attr"]["file_id"])
        self.assertEqual(self.err, "")  # no bar without a terminal
        self.assertEqual(entry["attr"]["content_type"], "text/plain")

    def test_json(self):
        self.write("a.bin", b"x" * 70000)
        o = json.loads(self.run_cli("put", "--json", "a.bin"))
        self.assertEqual(o["sha256_hash"], sha(b"x" * 70000))
        self.assertEqual(o["path"], "a.bin")

    def test_empty(self):
        self.write("empty", b"")
        self.run_cli("put", "empty")
        self.assertEqual(self.stored()[0]["data"], b"")

    def test_options_reach_the_server(self):
        self.write("a.pdf", b"%PDF")
        self.run_cli("put", "a.pdf", "--retention", "Temporary",
                     "--ttl-days=7", "-m", "project=ostrich & co",
                     "--metadata", "jahr=2025=neu", "-n", "Bericht ü.pdf")
        line = self.uploads()[0]
        self.assertIn("retention_policy=TEMPORARY", line)
        self.assertIn("ttl_days=7", line)
        attr = self.stored()[0]["attr"]
        self.assertEqual(attr["metadata"], {"project": "ostrich & co",
                                            "jahr": "2025=neu"})
        self.assertEqual(attr["original_filename"], "Bericht ü.pdf")

    def test_folder(self):
        self.write("d/x/one.txt", b"1")
        self.write("d/two.txt", b"22")
        self.write("secret.txt", b"not mine")
        os.symlink("../secret.txt", self.path("d/link"))
        out = self.run_cli("put", "-j", "1", "d/")
        self.assertIn("a link, skipped", self.err)
        paths = [e["attr"]["metadata"]["path"] for e in self.stored()]
        self.assertEqual(paths, ["d/two.txt", "d/x/one.txt"])
        self.assertIn("d/x/one.txt", out)

    def test_name_that_the_server_changes(self):
        self.write("one/AC\\DC.mp3", b"x")
        self.server.plan = [{"match": "upload", "read": True,
                             "wrong": {"original_filename": "DC.mp3"}}]
        out = self.run_cli("put", "one/AC\\DC.mp3")
        self.assertRegex(out, r" DC\.mp3\n$")
        self.assertIn("DC.mp3: stored under the name DC.mp3", self.err)

    def test_path_that_is_not_utf8(self):
        name = os.fsdecode(b"bad\xff.txt")
        self.write("d/" + name, b"x")
        o = json.loads(self.run_cli("put", "--json", "d", "-m", "k=v"))
        self.assertEqual(o["path"], "d/bad\\xff.txt")
        self.assertEqual(self.stored()[0]["attr"]["metadata"], {"k": "v"})
        self.assertIn("d/bad\\xff.txt: the path is not UTF-8", self.err)
        # Who says a path has one.
        self.run_cli("put", "d", "-m", "path=mine")
        self.assertEqual(self.stored()[1]["attr"]["metadata"],
                         {"path": "mine"})
        self.assertNotIn("metadata", self.err)

    def test_many_at_once(self):
        for i in range(40):
            self.write("many/f%02d" % i, RNG.randbytes(i * 997))
        out = self.run_cli("put", "-j", "8", "many", "--json")
        lines = [json.loads(x) for x in out.splitlines()]
        self.assertEqual(len(lines), 40)
        for o in lines:
            self.assertEqual(o["sha256_hash"], sha(self.read(o["path"])))

    def test_stdin(self):
        data = RNG.randbytes(3 << 20)
        self.run_cli("put", "-", "--name", "s.bin", stdin=data)
        self.assertEqual(self.stored()[0]["data"], data)
        self.run_cli("put", "-", expect=2)
        self.assertIn("--name", self.err)

    def test_slow_stdin_does_not_stop_the_others(self):
        self.write("a", b"a" * 100000)
        p = subprocess.Popen([ARTSTORE, "put", "a", "-", "-n", "s"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, cwd=self.dir,
                             env=self.env)
        p.communicate(timeout=60)
        self.assertEqual(p.returncode, 2)  # --name is for one file
        self.run_cli("put", "-", "-n", "s", stdin=b"late")
        p = subprocess.Popen([ARTSTORE, "put", "-", "-n", "slow"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             cwd=self.dir, env=self.env)
        for _ in range(3):
            p.stdin.write(b"piece")
            p.stdin.flush()
            time.sleep(0.15)
        p.communicate(timeout=60)
        self.assertEqual(p.returncode, 0)
        self.assertEqual(self.stored()[-1]["data"], b"piece" * 3)

    def test_retry_after(self):
        data = self.write("a", RNG.randbytes(200000))
        self.server.plan = [{"match": "upload", "status": 503,
                             "code": "no_available_storage",
                             "retry_after": 1, "read": True}]
        t = time.monotonic()
        self.run_cli("put", "a")
        self.assertGreater(time.monotonic() - t, 0.9)
        self.assertEqual(self.stored()[0]["data"], data)
        self.assertIn("trying again", self.err)

    def test_no_element_of_that_mode(self):
        """Not now: a mode may change. No time is named, so none is waited."""
        self.write("a", b"a")
        self.server.plan = [{"match": "upload", "status": 503, "read": True,
                             "code": "no_available_storage"}]
        self.run_cli("put", "a", expect=8)
        self.assertEqual(len(self.uploads()), 1)
        self.assertIn("`artstore se ls` shows the modes", self.err)

    def test_retries_are_bounded(self):
        self.write("a", b"a")
        self.server.plan = [{"match": "upload", "status": 503,
                             "retry_after": 0, "read": True}] * 9
        self.run_cli("put", "a", "--retries", "1", "-q", expect=8)
        self.assertEqual(len(self.uploads()), 2)

    def test_stream_is_not_sent_twice(self):
        self.server.plan = [{"match": "upload", "status": 503,
                             "retry_after": 0, "read": True}]
        self.run_cli("put", "-", "-n", "x", stdin=bytes(3 << 20), expect=8)
        self.assertEqual(len(self.uploads()), 1)

    def test_short_stream_is_a_file(self):
        """It has a length, and is sent again."""
        self.server.plan = [{"match": "upload", "status": 503,
                             "retry_after": 0, "read": True}]
        for i, data in enumerate([b"abc", b"", bytes((1 << 20) - 1)]):
            self.run_cli("put", "-", "-n", "x", stdin=data)
            self.assertEqual(self.stored()[i]["data"], data)
            head = self.server.requests[-1][1]
            self.assertEqual(head["Content-Length"], str(len(data)))
            self.assertNotIn("Transfer-Encoding", head)
        self.assertEqual(len(self.uploads()), 4)
        self.run_cli("put", "-", "-n", "x", stdin=bytes(1 << 20))
        self.assertIn("Transfer-Encoding", self.server.requests[-1][1])

    def test_lost_after_all_was_sent(self):
        """The server may have stored it, so it must not be sent again."""
        self.write("a", b"a" * 1000)
        self.server.plan = [{"match": "upload", "close": "body"}]
        self.run_cli("put", "a", expect=7)
        self.assertEqual(len(self.uploads()), 1)
        self.assertIn("may be stored", self.err)

    def test_lost_on_the_way_is_sent_again(self):
        data = self.write("a", RNG.randbytes(8 << 20))
        self.server.plan = [{"match": "upload", "close": "head"}]
        self.run_cli("put", "a")
        self.assertEqual(self.stored()[0]["data"], data)

    def test_server_that_is_started_again(self):
        """It was there, so what is refused in between is tried again."""
        self.write("a", bytes(32 << 20))  # more than two sockets take
        self.server.plan = [{"match": "upload", "close": "port"}]
        self.run_cli("put", "a", "--retries", "2", expect=7)
        self.assertEqual(len(self.uploads()), 1)
        self.assertEqual(self.err.count("trying again"), 2, self.err)
        self.run_cli("put", "a", expect=7)  # never there: a wrong address
        self.assertNotIn("trying again", self.err)

    def test_no_space(self):
        self.write("a", b"a")
        self.server.plan = [{"match": "upload", "status": 507, "read": True,
                             "code": "insufficient_storage",
                             "message": "no element has room",
                             "details": {"elements": [
                                 {"element_id": "se-01",
                                  "reason": "full: 98.2 % used"}]}}]
        self.run_cli("put", "a", expect=5)
        self.assertIn("no element has room (insufficient_storage, 507)",
                      self.err)
        self.assertIn("se-01: full: 98.2 % used", self.err)
        self.assertRegex(self.err, r"request id: req-[0-9a-f]{8}")
        self.assertIn("artstore se why", self.err)

    def test_no_space_for_a_stream(self):
        """Room is asked for as if it were long (D28)."""
        for stdin, told in ((bytes(3 << 20), True), (b"short", False)):
            self.server.plan = [{"match": "upload", "status": 507,
                                 "read": True, "code": "insufficient_storage"}]
            self.run_cli("put", "-", "-n", "x", stdin=stdin, expect=5)
            self.assertEqual("room for 64 MiB" in self.err, told, self.err)
            self.assertIn("artstore se why", self.err)

    def test_refused_by_a_proxy(self):
        """It is not artstore that has no room, nor its MAX_FILE_SIZE_MB."""
        self.write("a", b"\0" * (3 << 20))
        for status, code, remedy in [(413, 1, "client_max_body_size in nginx"),
                                     (502, 8, "behind the proxy running")]:
            self.server.plan = [{"match": "upload", "status": status,
                                 "foreign": "nginx/1.22.1"}]
            self.run_cli("put", "a", expect=code)
            self.assertIn("nginx/1.22.1 answered in place of artstore "
                          "(HTTP %d)" % status, self.err)
            self.assertIn(remedy, self.err)
            self.assertNotIn("MAX_FILE_SIZE_MB", self.err)
        for status in (502, 503):
            self.server.plan = [{"match": "ready", "status": status,
                                 "foreign": "nginx/1.22.1"}]
            self.run_cli("status", expect=8)
            self.assertIn("behind the proxy running", self.err)

    def test_refused_before_the_body(self):
        """507 comes at once, the body of 30 MiB is not read (D06)."""
        self.write("a", b"\0" * (30 << 20))
        self.server.plan = [{"match": "upload", "status": 507,
                             "code": "insufficient_storage"}]
        self.run_cli("put", "a", expect=5)

    def test_wrong_hash(self):
        self.write("a", b"a")
        self.server.plan = [{"match": "upload",
                             "wrong": {"sha256_hash": "0" * 64}}]
        self.run_cli("put", "a", expect=6)
        self.assertIn(sha(b"a"), self.err)
        self.assertIn("artstore rm", self.err)

    def test_wrong_size(self):
        self.write("a", b"a")
        self.server.plan = [{"match": "upload", "wrong": {"size_bytes": 2}}]
        self.run_cli("put", "a", expect=6)

    def test_answer_is_no_json(self):
        self.write("a", b"a")
        self.server.plan = [{"match": "upload",
                             "wrong": {"file_id": None}}]
        self.run_cli("put", "a", expect=1)

    def test_partial_success(self):
        self.write("a", b"a")
        self.write("b", b"b")
        self.server.plan = [{"match": "filename=a", "status": 413,
                             "code": "file_too_large", "read": True}]
        out = self.run_cli("put", "a", "b", "gone", "--json", expect=1)
        lines = {o["path"]: o for o in map(json.loads, out.splitlines())}
        self.assertEqual(lines["a"]["error"], "file_too_large")
        self.assertIn("file_id", lines["b"])
        self.assertIn("gone: No such file", self.err)

    def test_usage(self):
        self.write("a", b"a")
        for args in (["put"], ["put", "a", "--ttl-days", "0"],
                     ["put", "a", "-m", "nokey"], ["put", "a", "-m", "=v"],
                     ["put", "a", "-m", "k=1", "-m", "k=2"],
                     ["put", "a", "--retention", "forever"],
                     ["put", "a", "--content-type", "multipart/form-data"],
                     ["put", "a", "--content-type", "a/b\r\nX: y"],
                     ["put", "a", "--name", "x/y"],
                     ["put", "a", "-j", "33"], ["put", "a", "--nosuch"],
                     ["put", "a", "--ttl-days", "3",
                      "--retention", "permanent"]):
            self.run_cli(*args, expect=2)
        self.assertEqual(self.server.requests, [])

    def test_interrupt(self):
        self.write("a", b"a" * (1 << 20))
        self.server.plan = [{"match": "upload", "pace": 0.2}]
        p = subprocess.Popen([ARTSTORE, "put", "a"], cwd=self.dir,
                             env=self.env, stderr=subprocess.PIPE)
        self.wait_for(self.uploads)
        p.send_signal(signal.SIGINT)
        err = p.communicate(timeout=60)[1]
        self.assertEqual(p.returncode, 130, err)
        self.assertIn(b"1 of 1 files were not sent", err)


class Get(Case):
    def setUp(self):
        super().setUp()
        self.data = RNG.randbytes(300000)
        self.entry = self.server.add(self.data, "data.bin")
        self.file_id = self.entry["attr"]["file_id"]

    def ranges(self):
        return [h.get("Range") for r, h in self.server.requests
                if r.startswith("GET") and not r.endswith("metadata")]

    def no_part(self):
        self.assertFalse([n for n in os.listdir(self.dir)
                          if n.endswith(".part")])

    def test_plain(self):
        out = self.run_cli("get", self.file_id)
        self.assertEqual(self.read("data.bin"), self.data)
        self.assertIn("verified", out)
        self.no_part()

    def test_empty(self):
        e = self.server.add(b"", "empty")
        self.run_cli("get", e["attr"]["file_id"])
        self.assertEqual(self.read("empty"), b"")

    def test_stdout(self):
        self.run_cli("get", self.file_id, "-o", "-")
        self.assertEqual(self.out, self.data)

    def test_output(self):
        os.mkdir(self.path("there"))
        self.run_cli("get", self.file_id, "-o", "there")
        self.assertEqual(self.read("there/data.bin"), self.data)
        self.run_cli("get", self.file_id, "-o", "other")
        self.assertEqual(self.read("other"), self.data)
        self.run_cli("get", self.file_id, "-o", "nowhere/x", expect=1)
        self.run_cli("get", self.file_id, "-o", "nowhere/", expect=1)

    def test_several(self):
        e = self.server.add(b"two", "two.txt")
        out = self.run_cli("get", self.file_id, e["attr"]["file_id"], "--json")
        self.assertEqual([json.loads(x)["path"] for x in out.splitlines()],
                         ["data.bin", "two.txt"])
        self.run_cli("get", self.file_id, self.file_id, "-o", "x", expect=2)

    def test_does_not_replace(self):
        self.write("data.bin", b"mine")
        self.run_cli("get", self.file_id, expect=1)
        self.assertEqual(self.read("data.bin"), b"mine")
        self.assertIn("--force", self.err)
        self.run_cli("get", "--force", self.file_id)
        self.assertEqual(self.read("data.bin"), self.data)

    def test_resume(self):
        self.write("data.bin.part", self.data[:100000])
        out = self.run_cli("get", self.file_id, "--json")
        self.assertEqual(json.loads(out)["resumed_from"], 100000)
        self.assertEqual(self.read("data.bin"), self.data)
        self.assertEqual(self.ranges(), ["bytes=100000-"])
        self.no_part()

    def test_resume_when_all_is_there(self):
        self.write("data.bin.part", self.data)
        self.run_cli("get", self.file_id)
        self.assertEqual(self.ranges(), [])
        self.assertEqual(self.read("data.bin"), self.data)

    def test_part_too_long(self):
        self.write("data.bin.part", self.data + b"more")
        self.run_cli("get", self.file_id)
        self.assertEqual(self.read("data.bin"), self.data)

    def test_part_of_something_else(self):
        self.write("data.bin.part", b"?" * 1000)
        self.run_cli("get", self.file_id)
        self.assertIn("starting over", self.err)
        self.assertEqual(self.read("data.bin"), self.data)

    def test_server_without_ranges(self):
        self.write("data.bin.part", self.data[:1000])
        self.server.plan = [{"match": "GET", "ignore_range": True}]
        self.run_cli("get", self.file_id)
        self.assertEqual(self.read("data.bin"), self.data)

    def test_changed_in_between(self):
        """If-Range does not hold, so the server sends the whole."""
        self.write("data.bin.part", self.data[:1000])
        self.server.plan = [{"match": "HEAD", "etag": '"old"'}]
        self.run_cli("get", self.file_id)
        self.assertEqual(self.read("data.bin"), self.data)

    def test_weak_etag_is_no_guard(self):
        self.write("data.bin.part", self.data[:1000])
        self.server.plan = [{"match": "HEAD", "etag": 'W/"x"'}]
        self.run_cli("get", self.file_id)
        self.assertEqual(self.ranges(), [None])

    def test_goes_on_by_itself(self):
        self.server.plan = [{"match": "GET", "cut": 50000},
                            {"match": "GET", "cut": 70000}]
        self.run_cli("get", self.file_id)
        self.assertEqual(self.read("data.bin"), self.data)
        self.assertEqual(self.ranges(),
                         [None, "bytes=50000-", "bytes=120000-"])

    def test_goes_on_to_stdout(self):
        self.server.plan = [{"match": "GET", "cut": 50000}]
        self.run_cli("get", self.file_id, "-o", "-")
        self.assertEqual(self.out, self.data)

    def test_gives_up(self):
        self.server.plan = [{"match": "GET", "cut": 1000}] + \
            [{"match": "GET", "cut": 0}] * 5
        self.run_cli("get", self.file_id, "--retries", "1", expect=7)
        self.assertEqual(self.read("data.bin.part"), self.data[:1000])

    def test_flipped_bit(self):
        self.server.plan = [{"match": "GET", "flip": 77}]
        self.run_cli("get", self.file_id, expect=6)
        self.assertFalse(os.path.exists(self.path("data.bin")))
        self.no_part()
        self.server.plan = [{"match": "GET", "flip": 77}]
        self.run_cli("get", self.file_id, "-o", "-", expect=6)

    def test_digest_from_metadata(self):
        self.server.no_digest = True
        self.server.plan = [{"match": "GET /api/files/%s" % self.file_id}]
        self.run_cli("get", self.file_id)
        self.server.plan = [{"match": "metadata"},
                            {"match": "GET", "flip": 1}]
        self.run_cli("get", "-f", self.file_id, expect=6)

    def test_hostile_names(self):
        """Nothing outside the folder, nothing hidden (ING-041's mirror)."""
        os.mkdir(self.path("in"))
        for header, name in (
                ('attachment; filename="../../evil"', "evil"),
                ("attachment; filename*=UTF-8''..%2F..%2Fevil2", "evil2"),
                ('attachment; filename="/etc/passwd"', "passwd"),
                ('attachment; filename="..\\\\..\\\\win"', "win"),
                ('attachment; filename=".bashrc"', "_bashrc"),
                ('attachment; filename="-rf"', "_rf"),
                ('attachment; filename="a\\"b"', 'a"b'),
                ("attachment; filename*=UTF-8''%1B%5B2J", "_[2J")):
            e = self.server.add(b"x", "n", disposition=header)
            self.run_cli("get", e["attr"]["file_id"], cwd=self.path("in"))
            self.assertEqual(os.listdir(self.path("in")), [name], header)
            os.unlink(self.path("in/" + name))
        # No usable name at all: the id.
        for header in ('attachment; filename=".."', "attachment",
                       'attachment; filename=""'):
            e = self.server.add(b"x", "..", disposition=header)
            self.run_cli("get", e["attr"]["file_id"], cwd=self.path("in"))
            self.assertEqual(os.listdir(self.path("in")),
                             [e["attr"]["file_id"]], header)
            os.unlink(self.path("in/" + e["attr"]["file_id"]))

    def test_planted_link(self):
        """NAME.part that leads elsewhere is not followed."""
        self.write("victim", b"mine")
        os.symlink("victim", self.path("data.bin.part"))
        self.run_cli("get", self.file_id, expect=1)
        self.assertEqual(self.read("victim"), b"mine")

    def test_two_at_once(self):
        gate = threading.Event()
        self.server.plan = [{"match": "GET", "gate": gate}]
        p = subprocess.Popen([ARTSTORE, "get", "-q", self.file_id],
                             cwd=self.dir, env=self.env,
                             stdout=subprocess.DEVNULL)
        self.wait_for(lambda: os.path.exists(self.path("data.bin.part")))
        self.run_cli("get", self.file_id, expect=1)
        self.assertIn("another command", self.err)
        gate.set()
        self.assertEqual(p.wait(timeout=60), 0)
        self.assertEqual(self.read("data.bin"), self.data)

    def test_interrupt_and_resume(self):
        gate = threading.Event()
        self.server.plan = [{"match": "GET", "gate": gate}]
        p = subprocess.Popen([ARTSTORE, "get", self.file_id], cwd=self.dir,
                             env=self.env, stderr=subprocess.PIPE)
        self.wait_for(lambda: os.path.exists(self.path("data.bin.part")) and
                      os.path.getsize(self.path("data.bin.part")) > 0)
        p.send_signal(signal.SIGINT)
        err = p.communicate(timeout=60)[1]
        gate.set()
        self.assertEqual(p.returncode, 130, err)
        self.assertIn(b"data.bin.part is kept", err)
        have = len(self.read("data.bin.part"))
        self.assertGreater(have, 0)
        out = self.run_cli("get", self.file_id, "--json")
        self.assertEqual(json.loads(out)["resumed_from"], have)

    def test_not_found(self):
        self.run_cli("get", NO_ID, expect=3)
        self.assertIn("file_not_found, 404", self.err)
        self.no_part()
        self.run_cli("get", "../../etc/passwd", expect=2)

    def test_refused_with_the_reason(self):
        # HEAD has none to give.
        self.server.plan = [
            {"match": m, "status": 503, "code": "storage_error"}
            for m in ("HEAD", "GET")]
        self.run_cli("get", self.file_id, expect=8)
        self.assertIn("storage_error, 503", self.err)
        self.assertIn("request id", self.err)

    def test_refused_for_a_moment(self):
        self.server.plan = [{"match": "HEAD", "status": 503,
                             "code": "storage_error"}]
        self.run_cli("get", self.file_id)
        self.assertEqual(self.read("data.bin"), self.data)

    def test_disk_full(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "wb") as full:
            p = subprocess.run([ARTSTORE, "get", "-o", "-", self.file_id],
                               stdout=full, stderr=subprocess.PIPE,
                               env=self.env, cwd=self.dir)
        self.assertEqual(p.returncode, 5, p.stderr)


class Lists(Case):
    def test_ls(self):
        for i in range(5):
            self.server.add(b"x" * i, "f%d" % i)
        out = self.run_cli("ls")
        self.assertEqual(len(out.splitlines()), 6)
        self.assertRegex(out.splitlines()[0], r"^ID +SIZE +UPLOADED")
        out = self.run_cli("ls", "--limit", "2")
        self.assertEqual(len(out.splitlines()), 3)
        self.assertIn("--cursor 2", self.err)
        out = self.run_cli("ls", "--limit", "2", "--all", "--json")
        self.assertEqual([json.loads(x)["original_filename"]
                          for x in out.splitlines()],
                         ["f%d" % i for i in range(5)])
        out = self.run_cli("ls", "--name", "f3", "--json")
        self.assertEqual(len(out.splitlines()), 1)

    def test_ls_query(self):
        self.run_cli("ls", "--since", "2025-01-02", "--until", "1h",
                     "--min-size", "10M", "--max-size", "1GiB", "--meta",
                     "year:2025", "--retention", "permanent", "--user", "a b")
        line = self.server.requests[-1][0]
        for part in ("since=2025-01-02T00%3A00%3A00Z", "min_size=10485760",
                     "max_size=1073741824", "meta=year%3A2025",
                     "retention=PERMANENT", "user=a%20b", "until=20"):
            self.assertIn(part, line)
        self.run_cli("ls", "--max-size", "0")  # the empty ones, not all
        self.assertIn("max_size=0", self.server.requests[-1][0])
        before = len(self.server.requests)
        for name in ("user", "name", "meta", "cursor", "since", "url"):
            self.run_cli("ls", "--" + name, "", expect=2)
            self.assertIn("--%s: the value is empty" % name, self.err)
        self.assertEqual(len(self.server.requests), before)
        self.run_cli("ls", "--since", "yesterday", expect=2)
        self.run_cli("ls", "--min-size", "10X", expect=2)
        self.run_cli("ls", "word", expect=2)

    def test_names_cannot_steer_the_terminal(self):
        self.server.add(b"x", "\x1b]0;owned\x07\u202efdp.exe")
        out = self.run_cli("ls")
        self.assertNotIn("\x1b", out)
        self.assertNotIn("\u202e", out)
        self.assertIn("\\x1b]0;owned\\x07", out)

    def test_endless_cursor(self):
        self.server.add(b"x", "a")
        self.server.plan = []
        http = self.server.http
        old = http.RequestHandlerClass.list

        def again(handler):
            handler.send(200, {"files": [], "next_cursor": "same"})
        http.RequestHandlerClass.list = again
        try:
            self.run_cli("ls", "--all")
        finally:
            http.RequestHandlerClass.list = old
        self.assertIn("repeats", self.err)

    def test_stat(self):
        e = self.server.add(b"x" * 2048, "a.txt", metadata={"k": "v"})
        out = self.run_cli("stat", e["attr"]["file_id"])
        self.assertIn("2048 (2.0 KiB)", out)
        self.assertIn(sha(b"x" * 2048), out)
        out = self.run_cli("stat", "--json", e["attr"]["file_id"])
        self.assertEqual(json.loads(out), e["attr"])
        self.run_cli("stat", NO_ID, expect=3)

    def test_rm(self):
        a = self.server.add(b"x", "a")["attr"]["file_id"]
        p = self.server.add(b"x", "p", retention="PERMANENT")["attr"]
        self.run_cli("rm", a)
        self.assertEqual(len(self.stored()), 1)
        self.run_cli("rm", p["file_id"], expect=1)
        self.assertIn("file_in_readonly_storage, 400", self.err)
        self.assertIn("mode edit", self.err)
        self.run_cli("rm", a, p["file_id"], expect=1)  # 3 and 1: mixed
        self.run_cli("rm", a, expect=3)
        self.run_cli("rm", "x", a, expect=2)

    def test_se_ls(self):
        out = self.run_cli("se", "ls")
        self.assertRegex(out, r"se-02 +rw +20 +█+░? +99\.0%")
        self.assertNotIn("\x1b", out)
        env = dict(self.env, LC_ALL="C")
        self.assertRegex(self.run_cli("se", "ls", env=env),
                         r"se-01 +edit +10 +####\.+ +37\.0%")
        out = self.run_cli("se", "ls", "--json")
        self.assertEqual(json.loads(out.splitlines()[0])["element_id"],
                         "se-01")
        one, two = self.server.elements[:2]
        one.update(health_status="unavailable", health="unhealthy: http_error")
        two.update(health_status="unavailable", health="healthy", stale=True,
                   heard_at="2026-01-02T03:04:05Z")
        out = self.run_cli("se", "ls")
        self.assertIn("unavailable: http_error", out)
        self.assertIn("unavailable: not heard of since 2026-01-02T03:04:05Z",
                      out)
        self.assertIn("! se-01: unavailable: http_error\n",
                      self.run_cli("status"))

    def test_se_why(self):
        out = self.run_cli("se", "why", "10M")
        self.assertRegex(out, r"(?m)^> +se-01 .* first with room$")
        self.assertIn("would go to se-01", out)
        self.assertIn("size=10485760&retention_policy=TEMPORARY",
                      self.server.requests[-1][0])
        self.server.explain["choice"] = None
        self.assertIn("has no place",
                      self.run_cli("se", "why", "10T", expect=5))
        self.run_cli("se", "why", "many", expect=2)

    def test_status(self):
        out = self.run_cli("status")
        self.assertRegex(out, r"^ok  http://127\.0\.0\.1:\d+  artstore 9\.9\.9")
        self.assertIn(
            "! se-02: full (99.0% used, room for 10.0 MiB), degraded\n", out)
        self.assertIn("2 elements, room for 640 MiB of 2.0 GiB\n", out)
        # The same file system again; one that is dead, one that is ro.
        first = self.server.elements[0]
        self.server.elements += [
            {**first, "element_id": "se-03", "mode": "rw",
             "listed_mode": "edit", "reported_mode": "rw"},
            {**first, "element_id": "se-04", "pool_id": "p4",
             "health_status": "unavailable"},
            {**first, "element_id": "se-05", "pool_id": "p5", "mode": "ro",
             "listed_mode": "ro", "reported_mode": "rw"}]
        out = self.run_cli("status")
        self.assertIn("5 elements, room for 640 MiB of 2.0 GiB "
                      "(without 2 that take no files)\n", out)
        self.assertIn("! se-03: listed as edit but runs as rw\n", out)
        self.assertIn("! se-05: listed as ro but runs as rw\n", out)
        self.server.health = {
            "status": "unhealthy", "aggregate": "fail",
            "components": [{"name": "database", "message": "gone"}],
            "checks": {"database": {"status": "fail"},
                       "redis": {"status": "ok"}}}
        out = self.run_cli("status", expect=8)
        self.assertIn("! database is fail: gone", out)
        self.assertNotIn("redis", out)
        o = json.loads(self.run_cli("status", "--json", expect=8))
        self.assertEqual(o["health"]["aggregate"], "fail")

    def test_status_without_credentials(self):
        del self.env["ARTSTORE_TOKEN"]
        self.run_cli("status")
        self.assertIn("no credentials", self.err)

    def test_version(self):
        self.assertRegex(self.run_cli("version"), r"^artstore \d+\.\d+\.\d+$")
        self.assertIn("9.9.9", self.run_cli("version", "--server"))
        self.assertEqual(self.run_cli("--version"), self.run_cli("version"))


class Who(Case):
    """Credentials and addresses: where they are looked for, in which order."""

    def setUp(self):
        super().setUp()
        del self.env["ARTSTORE_TOKEN"]

    def data_dir(self, url=None, pid=None):
        self.write("D/credentials.json", json.dumps(
            {"client_id": CLIENT[0], "client_secret": CLIENT[1],
             "token_url": self.server.url + "/api/v1/auth/token"}).encode())
        os.chmod(self.path("D/credentials.json"), 0o600)
        if url:
            self.write("D/server.json", json.dumps(
                {"url": url, "pid": pid or os.getpid()}).encode())

    def test_none(self):
        self.run_cli("ls", expect=4)
        for place in ("ARTSTORE_TOKEN", "ARTSTORE_CLIENT_ID", "DATA_DIR",
                      ".config/artstore/config.json"):
            self.assertIn(place, self.err)
        self.assertIn("what to do", self.err)

    def test_token_option(self):
        self.run_cli("ls", "--token", TOKEN)
        self.run_cli("ls", "--token", "wrong.token.x", expect=4)
        self.assertIn("unauthorized, 401", self.err)
        self.run_cli("ls", "--token", "with\r\nX: y", expect=2)

    def test_secret_is_not_in_the_process_list(self):
        p = subprocess.Popen([ARTSTORE, "put", "-", "-n", "x", "--token",
                              TOKEN], stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL, env=self.env)
        def seen():
            with open("/proc/%d/cmdline" % p.pid, "rb") as f:
                return f.read()
        self.wait_for(lambda: b"put" in seen() and TOKEN.encode() not in
                      seen())
        line = seen()
        p.communicate(b"x", timeout=60)
        self.assertEqual(p.returncode, 0)
        self.assertNotIn(TOKEN.encode(), line)
        self.assertIn(b"xxxxxxx", line)

    def test_client_credentials(self):
        self.env.update(ARTSTORE_CLIENT_ID=CLIENT[0],
                        ARTSTORE_CLIENT_SECRET=CLIENT[1])
        self.run_cli("ls")
        self.assertEqual(self.server.token_forms[0]["grant_type"],
                         "client_credentials")
        self.env["ARTSTORE_CLIENT_SECRET"] = "wrong"
        self.run_cli("ls", expect=4)
        self.assertIn("invalid_client", self.err)
        self.assertNotIn("wrong", self.err.split("artstore: ")[1][:40])

    def test_tokens_from_elsewhere(self):
        """In a cluster gateways issue none, Admin does."""
        admin = FakeServer()
        self.addCleanup(admin.stop)
        self.env.update(ARTSTORE_CLIENT_ID=CLIENT[0],
                        ARTSTORE_CLIENT_SECRET=CLIENT[1])
        self.server.plan = [{"match": "auth/token", "status": 404,
                             "code": "not_found",
                             "details": {"role": "ingester"}}]
        self.run_cli("ls", expect=1)
        self.assertIn("--token-url or ARTSTORE_TOKEN_URL", self.err)
        self.run_cli("ls", "--token-url", admin.url)
        self.run_cli("ls", env=dict(
            self.env, ARTSTORE_TOKEN_URL=admin.url + "/api/v1/auth/token"))
        self.assertEqual(len(admin.token_forms), 2)
        self.assertEqual(self.server.token_forms, [])
        self.run_cli("ls", "--token-url", "admin:8000", expect=2)
        self.assertIn("--token-url must be like", self.err)
        # What a data folder has is for the server that runs there.
        for name in ("ID", "SECRET"):
            del self.env["ARTSTORE_CLIENT_" + name]
        self.data_dir(self.server.url)
        self.run_cli("ls", "--data-dir", "D", "--token-url", admin.url)
        self.assertEqual(len(admin.token_forms), 2)
        self.assertEqual(len(self.server.token_forms), 1)

    def test_half_of_the_credentials(self):
        self.env["ARTSTORE_CLIENT_ID"] = CLIENT[0]
        self.run_cli("ls", expect=4)
        self.assertIn("not both set", self.err)

    def test_data_dir(self):
        del self.env["ARTSTORE_URL"]
        self.data_dir(self.server.url)
        self.run_cli("ls", "--data-dir", "D")
        env = dict(self.env, DATA_DIR=self.path("D"))
        self.run_cli("ls", env=env)
        os.rename(self.path("D"), self.path("artstore-data"))
        self.run_cli("ls")  # the server's default, here and ours

    def test_stale_server_json(self):
        del self.env["ARTSTORE_URL"]
        dead = subprocess.Popen(["true"])
        dead.wait()
        self.data_dir("http://127.0.0.1:9", dead.pid)
        self.run_cli("ls", "--data-dir", "D", expect=7)
        self.assertIn("process %d" % dead.pid, self.err)
        self.assertIn("artstore server --data-dir D", self.err)

    def test_config_file(self):
        del self.env["ARTSTORE_URL"]
        self.write(".config/artstore/config.json", json.dumps(
            {"url": self.server.url, "token": TOKEN}).encode())
        os.chmod(self.path(".config/artstore/config.json"), 0o644)
        self.run_cli("ls")
        self.assertIn("chmod 600", self.err)
        self.write(".config/artstore/config.json", b"{not json")
        self.run_cli("ls", expect=4)
        self.assertIn("is not a JSON object", self.err)

    def test_token_is_renewed(self):
        """A fetched token that stops being valid is fetched anew, once."""
        self.env.update(ARTSTORE_CLIENT_ID=CLIENT[0],
                        ARTSTORE_CLIENT_SECRET=CLIENT[1])
        self.server.plan = [{"match": "GET /api/files", "status": 401,
                             "code": "unauthorized"}]
        self.run_cli("ls")
        self.assertEqual(len(self.server.token_forms), 2)
        self.write("a", b"a")
        self.server.plan = [{"match": "upload", "status": 401, "read": True,
                             "code": "unauthorized"}]
        self.run_cli("put", "a")
        self.server.plan = [{"match": "upload", "status": 401, "read": True,
                             "code": "unauthorized"}] * 2
        self.run_cli("put", "a", expect=4)

    def test_token_command(self):
        self.env.update(ARTSTORE_CLIENT_ID=CLIENT[0],
                        ARTSTORE_CLIENT_SECRET=CLIENT[1])
        self.assertEqual(self.run_cli("token", "--scope", "read"),
                         TOKEN + "\n")
        self.assertEqual(self.server.token_forms[-1]["scope"], "read")

    def test_token_is_signed_here(self):
        """Without a server, by who may read the key (not by others)."""
        if not shutil.which("openssl"):
            self.skipTest("no openssl")
        os.makedirs(self.path("D/keys"), mode=0o700)
        key = self.path("D/keys/key-0001.pem")
        self.env["ARTSTORE_URL"] = "http://127.0.0.1:9"
        self.run_cli("token", "--data-dir", "D", expect=4)
        self.assertIn("the first start makes one", self.err)
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True,
                       capture_output=True)
        os.chmod(key, 0o644)
        self.run_cli("token", "--data-dir", "D", expect=4)
        os.chmod(key, 0o600)
        token = self.run_cli("token", "--data-dir", "D", "--scope",
                             "read write", "--ttl", "77").strip()
        head, claims, signature = (base64.urlsafe_b64decode(x + "==")
                                   for x in token.split("."))
        self.assertEqual(json.loads(head)["alg"], "RS256")
        claims = json.loads(claims)
        self.assertEqual(claims["exp"] - claims["iat"], 77)
        self.assertEqual(claims["scope"].split(), ["read", "write"])
        self.write("sig", signature)
        self.write("signed", token.rsplit(".", 1)[0].encode())
        subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-out",
                        self.path("pub")], check=True, capture_output=True)
        subprocess.run(["openssl", "dgst", "-sha256", "-verify",
                        self.path("pub"), "-signature", self.path("sig"),
                        self.path("signed")], check=True, capture_output=True)
        self.assertEqual(os.listdir(self.path("D/keys")), ["key-0001.pem"])
        self.run_cli("token", "--data-dir", "D", "--scope", "fly", expect=2)

    def test_urls(self):
        for url in ("ftp://x", "localhost:8020", "http://", "http://u:p@h",
                    "http://h/?q", "http://h/ x"):
            self.run_cli("status", "--url", url, expect=2)
        self.run_cli("status", "--url", self.server.url + "/")

    def test_no_server(self):
        self.run_cli("ls", "--token", TOKEN, "--url", "http://127.0.0.1:9",
                     expect=7)
        self.assertIn("is the server running? The address is from --url",
                      self.err)

    def test_tls(self):
        """Certificates are verified; --cacert names who is trusted."""
        if not shutil.which("openssl"):
            self.skipTest("no openssl")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048",
                        "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
                        "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=IP:127.0.0.1"], cwd=self.dir,
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path("cert.pem"), self.path("key.pem"))
        self.server.http.socket = context.wrap_socket(
            self.server.http.socket, server_side=True)
        self.env["ARTSTORE_TOKEN"] = TOKEN
        self.env["ARTSTORE_URL"] = self.server.url.replace("http", "https")
        self.run_cli("ls", expect=7)
        self.assertIn("--cacert", self.err)
        self.assertEqual(self.server.requests, [])
        self.run_cli("ls", "--cacert", "cert.pem")
        self.env["ARTSTORE_CACERT"] = self.path("cert.pem")
        self.write("a", b"a" * 3000000)
        self.run_cli("put", "a")
        self.run_cli("ls", "--url", self.env["ARTSTORE_URL"].replace(
            "127.0.0.1", "localhost"), expect=7)  # the name is not in it

    def test_forbidden(self):
        self.server.plan = [{"status": 403, "code": "forbidden",
                             "message": "scope write is missing"}]
        self.run_cli("ls", "--token", TOKEN, expect=4)
        self.assertIn("scope write is missing (forbidden, 403)", self.err)

    def test_other_answers(self):
        self.env["ARTSTORE_TOKEN"] = TOKEN
        self.server.plan = [{"status": 302}]
        self.run_cli("ls", expect=1)
        self.server.plan = [{"status": 429, "retry_after": 5}]
        self.run_cli("ls", expect=8)


class Terminal(Case):
    """What a person sees: a pseudo-terminal as standard error."""

    def on_terminal(self, args, cols=80, term="xterm", interrupt_at=None):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ,
                    struct.pack("HHHH", 24, cols, 0, 0))
        p = subprocess.Popen([ARTSTORE, *args], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=slave,
                             cwd=self.dir, env=dict(self.env, TERM=term))
        os.close(slave)
        seen = b""
        while True:
            ready, _, _ = select.select([master], [], [], 0.1)
            if ready:
                try:
                    piece = os.read(master, 65536)
                except OSError:
                    break
                if not piece:
                    break
                seen += piece
            elif p.poll() is not None:
                break
        out = p.communicate(timeout=60)[0]
        os.close(master)
        self.assertEqual(p.returncode, 0, seen)
        return seen.decode(), out.decode()

    def frames(self, seen):
        return [f.split("\x1b[K")[0] for f in seen.split("\r")
                if "\x1b[K" in f and f.split("\x1b[K")[0]]

    def slow_put(self, **kw):
        self.write("a-file-with-a-name.bin", b"a" * 400000)
        self.server.plan = [{"match": "upload", "pace": 0.03}]
        return self.on_terminal(["put", "a-file-with-a-name.bin"], **kw)

    def slow_get(self, *args, **kw):
        e = self.server.add(RNG.randbytes(400000), "down.bin")
        self.server.plan = [{"match": "GET", "pace": 0.03}]
        return self.on_terminal(["get", e["attr"]["file_id"], *args], **kw)

    def test_bar(self):
        seen, out = self.slow_get()
        frames = self.frames(seen)
        self.assertGreater(len(frames), 1, seen)
        for f in frames:
            self.assertLess(len(f), 80, f)
        last = frames[-1]
        self.assertRegex(last, r"^\d+ KiB of 391 KiB  \[█+░*\]  +\d+%  "
                               r"[\d.]+ KiB/s  ETA \d:\d\d  down\.bin")
        percents = [int(re.search(r"(\d+)%", f).group(1)) for f in frames]
        self.assertEqual(percents, sorted(percents))
        # The bar is gone in the end.
        self.assertTrue(seen.endswith("\r\x1b[K"), repr(seen[-40:]))
        self.assertIn("down.bin", out)

    def test_put_shows_something(self):
        seen, _ = self.slow_put()
        self.assertIn("of 391 KiB", seen)
        self.assertTrue(seen.endswith("\r\x1b[K"), repr(seen[-40:]))

    def test_narrow(self):
        seen, _ = self.slow_get(cols=40)
        for f in self.frames(seen):
            self.assertLess(len(f), 40, f)
        self.assertNotIn("█", seen)

    def test_quiet_places(self):
        seen, _ = self.slow_get(term="dumb")
        self.assertEqual(seen, "")
        seen, _ = self.slow_get("-q", "-o", "x")
        self.assertEqual(seen, "")

    def test_ascii_where_the_locale_is(self):
        self.env["LC_ALL"] = "C"
        seen, _ = self.slow_get()
        self.assertRegex(seen, r"\[#+\.*\]")
        self.assertTrue(seen.isascii())

    def test_messages_do_not_mix_with_the_bar(self):
        e = self.server.add(RNG.randbytes(400000), "down.bin")
        self.server.plan = [{"match": "GET", "pace": 0.03, "cut": 200000}]
        seen, _ = self.on_terminal(["get", e["attr"]["file_id"]])
        for line in seen.split("\n"):
            if "going on" in line:
                self.assertRegex(line, r"\x1b\[Kartstore: ")

    def test_colours_only_on_terminals(self):
        master, slave = pty.openpty()
        p = subprocess.Popen([ARTSTORE, "se", "ls"], stdout=slave,
                             env=dict(self.env, TERM="xterm"))
        p.wait(timeout=60)
        os.close(slave)
        seen = os.read(master, 65536).decode()
        os.close(master)
        self.assertIn("\x1b[32m", seen)
        self.assertIn("\x1b[31m", seen)


class Words(Case):
    """Help, manual, completion: made from the tables."""

    def commands(self):
        found = re.findall(r"(?m)^  ([a-z]+(?: [a-z]+)?)  +\S",
                           self.run_cli("help").split("\ntopics:")[0])
        self.assertIn("se why", found)
        return found

    def test_each_command_has_help(self):
        for name in self.commands():
            out = self.run_cli("help", *name.split())
            self.assertIn("usage: artstore " + name, out)
            # A role's own --help comes from conf/.
            if " " not in name and name not in ("help", "server", "storage",
                                                "admin", "ingester",
                                                "check-config"):
                self.assertEqual(self.run_cli(name, "--help"), out)
            for line in out.splitlines():
                self.assertLessEqual(len(line), 80, line)

    def test_unknown(self):
        self.run_cli("putt", expect=2)
        self.assertIn("did you mean 'put'", self.err)
        self.run_cli("se", expect=2)
        self.assertIn("se why", self.err)
        self.run_cli("put", "--forse", expect=2)
        self.run_cli("get", "--forse", NO_ID, expect=2)
        self.assertIn("did you mean --force", self.err)

    def test_manual_is_current(self):
        with open(os.path.join(ROOT, "doc", "artstore.1")) as f:
            committed = f.read()
        self.assertEqual(self.run_cli("man"), committed,
                         "run: build/artstore man > doc/artstore.1")

    def test_manual_is_well_formed(self):
        if not shutil.which("groff"):
            self.skipTest("no groff")
        p = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"],
                           input=self.run_cli("man").encode(),
                           capture_output=True)
        self.assertEqual(p.stderr.decode(), "")

    def complete(self, *words):
        """What bash offers for the last of WORDS."""
        script = self.run_cli("completion", "bash")
        script += ("COMP_WORDS=(artstore \"$@\"); COMP_CWORD=$#\n"
                   "_artstore; printf '%s\\n' \"${COMPREPLY[@]}\"\n")
        p = subprocess.run(["bash", "-c", script, "bash", *words],
                           capture_output=True, cwd=self.dir, text=True)
        self.assertEqual(p.stderr, "")
        return p.stdout.split()

    def test_bash(self):
        self.write("file.txt", b"")
        os.mkdir(self.path("folder"))
        self.assertEqual(self.complete("pu"), ["put"])
        self.assertIn("se", self.complete(""))
        self.assertEqual(sorted(self.complete("se", "")), ["ls", "why"])
        self.assertEqual(self.complete("se", "why", "--ret"), ["--retention"])
        self.assertEqual(self.complete("put", "--retention", "p"),
                         ["permanent"])
        self.assertEqual(self.complete("put", "--retention", "=", "t"),
                         ["temporary"])
        self.assertIn("file.txt", self.complete("put", "fi"))
        self.assertEqual(self.complete("ls", "--data-dir", "f"), ["folder"])
        self.assertEqual(self.complete("ls", "--user", ""), [])
        self.assertEqual(self.complete("get", "-o", "fi"), ["file.txt"])
        self.assertIn("--force", self.complete("get", "--f"))
        self.assertEqual(self.complete("completion", "z"), ["zsh"])
        self.assertEqual(self.complete("server", "--durability", "st"),
                         ["strict"])
        self.assertEqual(self.complete("server", "--data-d"), ["--data-dir"])

    def test_fish(self):
        if not shutil.which("fish"):
            self.skipTest("no fish")
        self.write("a.fish", self.run_cli("completion", "fish").encode())
        self.write("file.txt", b"")
        os.mkdir(self.path("folder"))

        def complete(line):
            p = subprocess.run(
                ["fish", "--no-config", "-c",
                 "source a.fish; complete -C '%s'" % line],
                capture_output=True, cwd=self.dir, text=True, env=self.env)
            self.assertEqual(p.stderr, "")
            return [x.split("\t")[0] for x in p.stdout.splitlines()]

        self.assertEqual(complete("artstore pu"), ["put"])
        self.assertEqual(sorted(complete("artstore se ")), ["ls", "why"])
        self.assertEqual(complete("artstore se why --ret"), ["--retention"])
        self.assertEqual(complete("artstore put --retention p"),
                         ["permanent"])
        self.assertIn("file.txt", complete("artstore put fi"))
        self.assertEqual(complete("artstore ls --data-dir f"), ["folder/"])
        self.assertNotIn("file.txt", complete("artstore ls fi"))
        self.assertEqual(complete("artstore completion z"), ["zsh"])
        self.assertEqual(complete("artstore server --durability st"),
                         ["strict"])

    def test_shells_take_their_scripts(self):
        for shell in ("bash", "zsh", "fish"):
            script = self.run_cli("completion", shell)
            self.assertIn("retention", script)
            if not shutil.which(shell):
                continue
            self.write("script", script.encode())
            p = subprocess.run([shell, "-n", self.path("script")],
                               capture_output=True, text=True)
            self.assertEqual((p.returncode, p.stderr), (0, ""), shell)
        self.run_cli("completion", "tcsh", expect=2)

    def test_full_stdout(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "wb") as full:
            p = subprocess.run([ARTSTORE, "help"], stdout=full,
                               stderr=subprocess.PIPE)
        self.assertEqual(p.returncode, 1)
        self.assertIn(b"No space left", p.stderr)


if __name__ == "__main__":
    ARTSTORE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
