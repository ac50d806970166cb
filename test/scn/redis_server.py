"""A real redis-server (or Sentinel) of a test's own: a free loopback port, a
temporary folder, and ended by its process id.

SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import socket
import subprocess
import time

import pytest

from ports import free_port


def required(name="redis-server"):
    if shutil.which(name):
        return
    why = "%s is not installed (tools/deps, section test)" % name
    if os.environ.get("REQUIRE_REDIS") == "1":
        pytest.fail(why)
    pytest.skip(why)


class Redis:
    """Lines of configuration, or of a Sentinel's with sentinel=True."""

    def __init__(self, folder, *conf, sentinel=False):
        name = "redis-sentinel" if sentinel else "redis-server"
        required(name)
        os.makedirs(folder, exist_ok=True)
        self.port = free_port()
        path = os.path.join(folder, "redis.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(["bind 127.0.0.1", "port %d" % self.port,
                               "dir %s" % folder, "daemonize no",
                               *([] if sentinel else ['save ""']), *conf, ""]))
        self.command = [name, path]
        self.log = os.path.join(folder, "log")
        self.password = next((c.split()[1] for c in conf
                              if c.startswith("requirepass")), None)
        self.start()

    def start(self):
        """Again after stop(), too: the same port, and nothing remembered."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log,
                                            stderr=log)
        self.wait_up()

    def wait_up(self, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.send("PING")
                return
            except OSError:
                time.sleep(0.02)
        pytest.fail("redis-server does not come up")

    def send(self, *command, db=0):
        """The answer to COMMAND: bytes, int, list, None; an error is text."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as s:
            f = s.makefile("rwb")
            if self.password:
                self._ask(f, "AUTH", self.password)
            if db:
                self._ask(f, "SELECT", db)
            return self._ask(f, *command)

    def _ask(self, f, *command):
        f.write(b"*%d\r\n" % len(command))
        for word in command:
            word = word if isinstance(word, bytes) else str(word).encode()
            f.write(b"$%d\r\n%s\r\n" % (len(word), word))
        f.flush()
        return self._read(f)

    def _read(self, f):
        line = f.readline()
        if not line:
            raise OSError("the connection ended")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            return rest.decode()
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else f.read(int(rest) + 2)[:-2]
        return [self._read(f) for _ in range(int(rest))]

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
