"""A PostgreSQL server of a scenario's own, in a folder of its own on a free
port of the loopback; as nobody when the scenario runs as root, which initdb
refuses. Its processes end with it.

SPDX-License-Identifier: Apache-2.0
"""
import glob
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

from ports import free_port

NOBODY = 65534


def folder_of_programs():
    """Where initdb is: the newest that Debian has, or PG_BIN."""
    if os.environ.get("PG_BIN"):
        return os.environ["PG_BIN"]
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    return os.path.dirname(found[-1]) if found else None


class Postgres:
    def __init__(self):
        self.bin = folder_of_programs()
        self.home = tempfile.mkdtemp(prefix="artstore-pg-")
        self.as_root = os.geteuid() == 0
        if self.as_root:
            os.chown(self.home, NOBODY, NOBODY)
        self.port = free_port()
        self.process = None
        self.run("initdb", "-D", "data", "-U", "postgres", "-E", "UTF8",
                 "--locale=C", "-A", "trust", "--no-sync")
        self.start()
        self.sql("CREATE ROLE artstore LOGIN PASSWORD 'secret-of-artstore'")

    def user(self):
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []} \
            if self.as_root else {}

    def run(self, program, *words):
        p = subprocess.run(
            [os.path.join(self.bin, program), *words], cwd=self.home,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "LC_ALL": "C"}, timeout=120, **self.user())
        assert p.returncode == 0, p.stdout
        return p.stdout

    def start(self):
        log = open(os.path.join(self.home, "log"), "ab")
        self.process = subprocess.Popen(
            [os.path.join(self.bin, "postgres"), "-D", "data", "-k",
             self.home, "-h", "127.0.0.1", "-p", str(self.port), "-c",
             "max_connections=60", "-c", "shared_buffers=16MB"],
            cwd=self.home, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, env={**os.environ, "LC_ALL": "C"},
            **self.user())
        log.close()
        end = time.monotonic() + 90
        while time.monotonic() < end:
            p = subprocess.run(
                [os.path.join(self.bin, "pg_isready"), "-q", "-h", self.home,
                 "-p", str(self.port)])
            if p.returncode == 0:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        with open(os.path.join(self.home, "log"), encoding="utf-8",
                  errors="replace") as f:
            raise AssertionError("PostgreSQL does not start: " +
                                 f.read()[-2000:])

    def children(self):
        """Their descriptors; the server, which is stopped, makes no more."""
        pid = self.process.pid
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED)
        with open("/proc/%d/task/%d/children" % (pid, pid),
                  encoding="ascii") as f:
            return [os.pidfd_open(int(x)) for x in f.read().split()]

    def kill(self, sig=signal.SIGKILL):
        """SIGKILL: of the postmaster and of all that serve connections. As
        long as one of these is there no other server starts."""
        children = self.children() if sig == signal.SIGKILL else []
        for child in children:
            signal.pidfd_send_signal(child, sig)
        self.process.send_signal(sig)
        self.process.wait(60)
        for child in children:
            assert select.select([child], [], [], 60)[0], "it stays"
            os.close(child)
        self.process = None
        try:
            os.unlink(os.path.join(self.home, "data", "postmaster.pid"))
        except FileNotFoundError:
            pass

    def close(self):
        if self.process:
            self.kill(signal.SIGQUIT)
        shutil.rmtree(self.home, ignore_errors=True)

    def url(self, name="artstore"):
        return "postgresql://artstore:secret-of-artstore@127.0.0.1:%d/%s" % (
            self.port, name)

    def sql(self, text, name="postgres"):
        """The rows, as lists of texts."""
        p = subprocess.run(
            [os.path.join(self.bin, "psql"), "-X", "-q", "-A", "-t", "-F",
             "\t", "-v", "ON_ERROR_STOP=1", "-h", self.home, "-p",
             str(self.port), "-U", "postgres", "-d", name, "-c", text],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=60)
        assert p.returncode == 0, p.stderr
        return [line.split("\t") for line in p.stdout.splitlines()]

    def database(self, name="artstore"):
        """A new and empty one; its address."""
        self.sql("DROP DATABASE IF EXISTS %s WITH (FORCE)" % name)
        self.sql("CREATE DATABASE %s OWNER artstore" % name)
        return self.url(name)
