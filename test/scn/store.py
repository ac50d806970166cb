"""A real artstore under test: started, asked, ended, and never left behind.

ARTSTORE_BIN names the program (build/artstore). A server runs over a folder of
its own on a free port; its first line on stdout says where it serves. Ending
it with SIGTERM must give exit code 0: a leak or a race that a sanitizer found
makes it 99, and fails the test that way.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import ctypes
import glob
import hashlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import time

import pytest
import requests

from ports import free_port
from wire import Wire

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BIN = os.path.abspath(os.environ.get(
    "ARTSTORE_BIN", os.path.join(ROOT, "build", "artstore")))
UPLOAD = "/api/files/upload"
UUID7 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-"
                   r"[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
KIB, MIB = 1 << 10, 1 << 20
FIRST_KEY = "key-0001.pem"
NOBODY = 65534


def slow_build():
    """How much more time than usual this program needs."""
    return 5 if "tsan" in BIN else 3 if "asan" in BIN else 1


def loops():
    """The loop drivers that this kernel allows: uring, epoll."""
    libc = ctypes.CDLL(None, use_errno=True)
    params = ctypes.create_string_buffer(120)
    fd = libc.syscall(425, 1, params)  # io_uring_setup
    if fd >= 0:
        os.close(fd)
        return ["uring", "epoll"]
    return ["epoll"]


# A first start makes a key of 3,072 bits: half a second of computing, hundreds
# of times. So the first server of a test is lent the key that the first server
# of some test has made, the second another: no two of a test have the same.
_keys = []
_lent = {}  # in which test, how many


def lend_key(data):
    """Its number, when it is still to be made."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rsplit(" ", 1)[0]
    number = _lent.get(test, 0)
    _lent[test] = number + 1
    if number < len(_keys):
        folder = os.path.join(data, "keys")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        fd = os.open(os.path.join(folder, FIRST_KEY),
                     os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as f:
            f.write(_keys[number])
            f.flush()
            os.fsync(f.fileno())  # test_powercut
        return None
    return number


def keep_key(data, number):
    if number == len(_keys):
        with open(os.path.join(data, "keys", FIRST_KEY),
                  encoding="ascii") as f:
            _keys.append(f.read())


class Server:
    own_key = False  # of those that several tests share
    program = None  # BIN
    user = None  # another than we

    def __init__(self, folder, loop="auto", options=(), **env):
        """OPTIONS are words of the command line; ENV settings by name."""
        self.folder = str(folder)
        self.data = os.path.join(self.folder, "data")
        self.log = os.path.join(self.folder, "server.log")
        self.options = list(options)
        self.env = {"ARTSTORE_LOOP": loop, "LOG_FORMAT": "json",
                    **{k: str(v) for k, v in env.items()}}
        self.process = None
        self.port = None
        self.tls = "TLS_CERT_FILE" in self.env
        self.role = "server"
        self._token = {}

    # -- life

    def start(self, seconds=60, expect_ready=True, port=None):
        environ = {k: v for k, v in os.environ.items()
                   if not k.startswith("ARTSTORE_")}
        made = None
        if (self.role in ("server", "admin") and not self.own_key
                and not glob.glob(os.path.join(self.data, "keys", "key-*"))):
            made = lend_key(self.data)
        log = open(self.log, "ab")
        self.process = subprocess.Popen(
            [self.program or BIN, self.role, "--data-dir", self.data,
             "--listen", "127.0.0.1:%d" % (port or free_port()),
             *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            env={**environ, **self.env}, user=self.user, group=self.user,
            extra_groups=self.user and [])
        log.close()
        if not expect_ready:
            return self
        line = self.first_line(seconds * slow_build())
        m = re.match(r"ready (https?)://127\.0\.0\.1:(\d+)$", line)
        if not m:
            self.kill()
            raise AssertionError("the first line is %r; log: %s" % (
                line, self.tail()))
        self.port = int(m.group(2))
        self.url = "%s://127.0.0.1:%d" % (m.group(1), self.port)
        keep_key(self.data, made)
        return self

    def first_line(self, seconds):
        end = time.monotonic() + seconds
        data = b""
        while b"\n" not in data and time.monotonic() < end:
            ready, _, _ = select.select([self.process.stdout], [], [], 0.2)
            if ready:
                piece = os.read(self.process.stdout.fileno(), 4096)
                if not piece:
                    break
                data += piece
        return data.split(b"\n")[0].decode()

    def stop(self, seconds=40):
        """SIGTERM; the exit code must be 0."""
        if not self.process:
            return
        self.process.send_signal(signal.SIGTERM)
        code = self.wait(seconds)
        assert code == 0, "exit code %s; log: %s" % (code, self.tail())

    def wait(self, seconds=40):
        try:
            code = self.process.wait(seconds * slow_build())
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("does not end; log: %s" % self.tail())
        self.process.stdout.close()
        self.process = None
        return code

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def tail(self, n=4000):
        try:
            with open(self.log, "rb") as f:
                return f.read()[-n:].decode("utf-8", "replace")
        except OSError:
            return "(none)"

    def log_lines(self):
        """The JSON lines of the log; one that is being written is none yet."""
        with open(self.log, encoding="utf-8", errors="replace") as f:
            for line in f:
                if line.startswith("{") and line.endswith("\n"):
                    yield json.loads(line)

    def rss(self):
        with open("/proc/%d/smaps_rollup" % self.process.pid,
                  encoding="ascii") as f:
            return int(re.search(r"Rss:\s+(\d+)", f.read()).group(1)) * 1024

    # -- asking

    def token(self, *scopes):
        if scopes not in self._token:
            words = [BIN, "token", "--data-dir", self.data]
            if scopes:
                words += ["--scope", " ".join(scopes)]
            out = run(*words)
            self._token[scopes] = out.stdout.strip()
        return self._token[scopes]

    def auth(self, *scopes):
        return "Authorization: Bearer " + self.token(*scopes)

    def wire(self, seconds=30, **kw):
        return Wire(self.port, seconds * slow_build(), **kw)

    def http(self, method, path, token=None, **kw):
        """requests, without a session: a new connection each time."""
        headers = {"Accept-Encoding": "identity", **kw.pop("headers", {})}
        if token is None:
            token = self.token()
        if token:
            headers["Authorization"] = "Bearer " + token
        kw.setdefault("timeout", 60 * slow_build())
        return requests.request(method, self.url + path, headers=headers, **kw)

    def put(self, data, name="report.pdf", query="", headers=None, **kw):
        """Uploads DATA raw; the JSON of the 201."""
        r = self.http("POST", "%s?filename=%s%s" % (UPLOAD, name, query),
                      data=data, headers={
                          "Content-Type": "application/octet-stream",
                          **(headers or {})}, **kw)
        assert r.status_code == 201, (r.status_code, r.text)
        return r.json()

    def get(self, file_id, **kw):
        return self.http("GET", "/api/files/" + file_id, **kw)

    def metadata(self, file_id):
        r = self.http("GET", "/api/files/%s/metadata" % file_id)
        assert r.status_code == 200, r.text
        return r.json()

    def ids(self, query=""):
        """Every file_id of the list, page by page."""
        found, cursor = [], ""
        for _ in range(10000):
            r = self.http("GET", "/api/files?limit=100%s%s" % (
                query, "&cursor=" + cursor if cursor else ""))
            assert r.status_code == 200, r.text
            page = r.json()
            found += [f["file_id"] for f in page["files"]]
            cursor = page.get("next_cursor")
            if not cursor:
                return found
        raise AssertionError("the list has no end")

    # -- the disk

    def leftovers(self, seconds=30):
        """Files below the data folder that belong to no published file:
        temporary names, partial uploads, data without attr.json or the
        reverse. What is only on its way out has SECONDS to go."""
        end = time.monotonic() + seconds * slow_build()
        while True:
            bad = self._leftovers()
            if not bad or time.monotonic() > end:
                return bad
            time.sleep(0.05)

    def _leftovers(self):
        bad = []
        for element in os.listdir(os.path.join(self.data, "elements")):
            top = os.path.join(self.data, "elements", element)
            for here, _, names in os.walk(top):
                have = set(names)
                for n in names:
                    path = os.path.join(here, n)
                    if re.search(r"(\.tmp|\.part|~)$|^\.tmp", n):
                        bad.append(path)
                    elif n.endswith(".attr.json"):
                        if n[:-len(".attr.json")] not in have and \
                                not tombstone(path):
                            bad.append(path)
                    elif re.search(r"_[0-9a-f]{8}-[0-9a-f-]{27}(\.\w+)?$", n) \
                            and n + ".attr.json" not in have:
                        bad.append(path)
        return bad


def tombstone(path):
    """Is this attr.json the durable trace of a delete (D30)?"""
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f).get("state") in ("deleted", "deleting")
    except (OSError, ValueError):
        return False


def run(*words, code=0, input=None, env=None, seconds=120, cwd=None):
    """Runs a program to its end; its exit code must be CODE."""
    p = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, input=input, cwd=cwd,
                       timeout=seconds * slow_build(),
                       env={**os.environ, **(env or {})})
    if code is not None:
        assert p.returncode == code, "%s: exit code %d\n%s%s" % (
            " ".join(str(w) for w in words), p.returncode, p.stdout, p.stderr)
    return p


def until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.1)


def mount(folder, name, size, inodes, how="ext4"):
    """A small file system of its own at FOLDER/NAME, for root; its path."""
    point = os.path.join(str(folder), name)
    os.makedirs(point)
    if how == "tmpfs":
        words = ["-t", "tmpfs", "-o", "size=%d,nr_inodes=%d" % (size, inodes),
                 "tmpfs"]
    else:
        image = point + ".img"
        with open(image, "wb") as f:
            f.truncate(size)
        run("mkfs.ext4", "-q", "-F", "-m", "0", "-N", inodes, image)
        words = ["-o", "loop", image]
    p = run("mount", *words, point, code=None)
    if p.returncode:
        pytest.skip("cannot mount here: " + p.stderr.strip())
    return point


def unmount(path):
    """A ring that has just ended may hold its files for a moment longer."""
    for _ in range(100):
        if subprocess.run(["umount", path],
                          stderr=subprocess.DEVNULL).returncode == 0:
            return
        time.sleep(0.05)
    subprocess.run(["umount", "-l", path])


def acquaint(first, second):
    """Two Admins over one database, before the second's first start."""
    keys = os.path.join(second.data, "keys")
    os.makedirs(keys, mode=0o700)
    shutil.copy(os.path.join(first.data, "keys", "peers.key"), keys)


def refused(server, *words):
    """It must not start, and says all WORDS; the whole text."""
    server.start(expect_ready=False)
    code = server.wait(20)
    assert code not in (0, None)
    said = server.tail()
    for word in words:
        assert word in said, said
    assert "secret-of-artstore" not in said
    return said


def error_code(r):
    """The code of an error answer, whose shape is checked (D16)."""
    body = r.json()
    assert set(body) >= {"error", "message", "request_id"}, body
    assert re.match(r"^[a-z][a-z0-9_]*$", body["error"]), body
    assert body["message"] and body["request_id"], body
    return body["error"]


def pattern(n, seed=1):
    """N bytes that differ from place to place and from seed to seed."""
    block = hashlib.sha256(b"%d" % seed).digest() * 128
    out = bytearray()
    i = 0
    while len(out) < n:
        out += i.to_bytes(8, "little") + block[8:]
        i += 1
    return bytes(out[:n])


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def md5(data):
    return hashlib.md5(data).hexdigest()


def digest_field(data, algorithm="sha-256"):
    """The value of Content-Digest (RFC 9530)."""
    h = {"sha-256": hashlib.sha256, "md5": hashlib.md5,
         "sha-512": hashlib.sha512}[algorithm](data)
    return "%s=:%s:" % (algorithm, base64.b64encode(h.digest()).decode())
