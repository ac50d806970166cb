"""The servers that bench/run measures, the disk they write to, their CPU.

A server is started on a free port of 127.0.0.1 over a folder that it alone
uses, with its default number of threads, and ended by its process id. CPU is
read from /proc/PID/stat of the process and all its descendants, so threads of
io_uring and workers of nginx count; the whole machine from /proc/stat.

SPDX-License-Identifier: Apache-2.0
"""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "tools"))
from ports import free_port  # noqa: E402,F401

TICK = os.sysconf("SC_CLK_TCK")
BIN = os.environ.get("ARTSTORE_BIN", os.path.join(ROOT, "build", "artstore"))


# -- what was spent ---------------------------------------------------------

def stat_of(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as f:
        part = f.read().rsplit(")", 1)[1].split()
    # utime stime cutime cstime are fields 14-17; part starts at field 3.
    return int(part[1]), [int(x) for x in part[11:15]]


def tree(pid):
    """PID and all its descendants that are alive."""
    parent = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parent[int(name)] = stat_of(int(name))[0]
            except (OSError, IndexError):
                pass
    found, grew = {pid}, True
    while grew:
        more = {p for p, up in parent.items() if up in found} - found
        found |= more
        grew = bool(more)
    return found


def cpu_of(pid):
    """CPU-seconds of the tree of PID, with those of its ended children."""
    total = 0
    for p in tree(pid):
        try:
            total += sum(stat_of(p)[1])
        except OSError:
            pass
    return total / TICK


def cpu_of_machine():
    """CPU-seconds that were not idle since boot, all processors."""
    with open("/proc/stat", encoding="ascii") as f:
        part = [int(x) for x in f.readline().split()[1:]]
    user, nice, system, _, _, irq, softirq = part[:7]
    return (user + nice + system + irq + softirq) / TICK


def rss_of(pid):
    """Resident bytes of the tree of PID, shared pages counted once a process.

    Pss would be finer but costs a walk over all pages.
    """
    total = 0
    for p in tree(pid):
        try:
            with open("/proc/%d/smaps_rollup" % p, encoding="ascii") as f:
                for line in f:
                    if line.startswith("Rss:"):
                        total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


# -- where it is stored -----------------------------------------------------

def unmount(path):
    """A ring that has just ended may hold its files for a moment longer. When
    that does not pass, the mount goes as soon as they do."""
    for _ in range(100):
        if subprocess.run(["umount", path],
                          stderr=subprocess.DEVNULL).returncode == 0:
            return
        time.sleep(0.1)
    subprocess.run(["umount", "-l", path])


class Disk:
    """A fresh file system per run: what ext4 does after mass deletions would
    otherwise be measured too. As root an image, written once in full so that
    the host's allocation does not disturb, is formatted anew each time and
    mounted through a loop device without a second cache. Otherwise folders in
    WHERE are made and removed, and the report says so."""

    def __init__(self, where, size):
        self.where = where
        self.size = size
        self.image = os.path.join(where, "disk.img")
        self.loop = None
        self.mounted = None
        self.count = 0
        os.makedirs(where, exist_ok=True)
        self.kind = "fresh folders in %s" % self.filesystem(where)
        if os.geteuid() == 0:
            try:
                self.prepare()
                self.kind = "fresh ext4 per run, loop device, direct I/O, " \
                            "on " + self.filesystem(where)
            except (OSError, subprocess.CalledProcessError) as e:
                self.release()
                self.kind += " (no loop device: %s)" % e

    @staticmethod
    def filesystem(path):
        out = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", path],
                             stdout=subprocess.PIPE, text=True).stdout
        return out.strip() or "unknown"

    def prepare(self):
        zeros = bytes(4 << 20)
        with open(self.image, "wb") as f:
            for _ in range(self.size // len(zeros)):
                f.write(zeros)
            f.flush()
            os.fsync(f.fileno())
        self.loop = subprocess.run(
            ["losetup", "--direct-io=on", "-f", "--show", self.image],
            check=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True).stdout.strip()

    def fresh(self):
        """An empty folder on a fresh file system; the last one is gone."""
        self.drop()
        self.count += 1
        path = os.path.join(self.where, "fs%d" % self.count)
        os.mkdir(path)
        if self.loop:
            subprocess.run(
                ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,"
                 "lazy_journal_init=0,nodiscard", self.loop], check=True)
            subprocess.run(["mount", self.loop, path], check=True)
        self.mounted = path
        sub = os.path.join(path, "d")
        os.mkdir(sub)
        return sub

    def drop(self):
        if not self.mounted:
            return
        if self.loop:
            unmount(self.mounted)
        shutil.rmtree(self.mounted, ignore_errors=True)
        self.mounted = None

    def release(self):
        self.drop()
        if self.loop:
            subprocess.run(["losetup", "-d", self.loop])
            self.loop = None
        if os.path.exists(self.image):
            os.remove(self.image)
        try:
            os.rmdir(self.where)
        except OSError:
            pass


def drop_caches(folder):
    """Makes the next read cold: the whole page cache as root, else advice
    for each file below FOLDER."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as f:
            f.write("3\n")
        return "drop_caches"
    except OSError:
        for here, _, names in os.walk(folder):
            for name in names:
                with open(os.path.join(here, name), "rb") as f:
                    os.posix_fadvise(f.fileno(), 0, 0,
                                     os.POSIX_FADV_DONTNEED)
        return "posix_fadvise"


# -- who serves -------------------------------------------------------------

class Server:
    name = "?"
    put = {"mode": "put", "path": "/f%d"}
    headers = ()

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.process = None

    def spawn(self, *args, env=None, stdout=subprocess.DEVNULL):
        log = open(os.path.join(self.folder, "log"), "wb")
        self.process = subprocess.Popen(
            args, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=stdout,
            stderr=log, env={**os.environ, **(env or {})})
        log.close()

    def wait_port(self, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError("%s does not serve: %s" % (self.name, self.tail()))

    def tail(self):
        try:
            with open(os.path.join(self.folder, "log"), "rb") as f:
                return f.read()[-2000:].decode("utf-8", "replace")
        except OSError:
            return ""

    def cpu(self):
        return cpu_of(self.process.pid)

    def rss(self):
        return rss_of(self.process.pid)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None


class Nginx(Server):
    name = "nginx"

    def start(self):
        for sub in ("data", "tmp"):
            os.makedirs(os.path.join(self.folder, sub), exist_ok=True)
        with open(os.path.join(HERE, "peers", "nginx.conf"),
                  encoding="utf-8") as f:
            conf = f.read()
        user = "user root;" if os.geteuid() == 0 else ""
        for word, value in (("@USER@", user), ("@DIR@", self.folder),
                            ("@PORT@", str(self.port))):
            conf = conf.replace(word, value)
        path = os.path.join(self.folder, "nginx.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(conf)
        self.spawn(shutil.which("nginx") or "/usr/sbin/nginx", "-c", path,
                   "-p", self.folder)
        self.wait_port()
        return self

    def get_paths(self, ids, count):
        return ["/f%d" % i for i in range(count)]


class Tus(Server):
    name = "tus"
    put = {"mode": "tus", "path": "/files"}

    @staticmethod
    def install(where):
        """npm ci of the pinned versions, once; the folder to run in."""
        source = os.path.join(HERE, "tus")
        os.makedirs(where, exist_ok=True)
        for name in ("package.json", "package-lock.json", "server.js"):
            shutil.copy(os.path.join(source, name), where)
        if not os.path.isdir(os.path.join(where, "node_modules", "@tus")):
            subprocess.run(["npm", "ci", "--omit=optional", "--no-audit",
                            "--no-fund"], cwd=where, check=True,
                           stdout=subprocess.DEVNULL)
        return where

    def start(self):
        where = self.install(os.path.join(ROOT, ".cache", "tus"))
        self.spawn("node", os.path.join(where, "server.js"), str(self.port),
                   os.path.join(self.folder, "data"))
        self.wait_port()
        return self


class Artstore(Server):
    name = "artstore"
    put = {"mode": "post", "path": "/api/files/upload?filename=report%d.bin"}
    # The bench is one client with many connections from one address.
    settings = {"MAX_CONNECTIONS_PER_ADDRESS": "16384", "ACCESS_LOG": "off"}

    def __init__(self, folder, **settings):
        super().__init__(folder)
        self.env = {**self.settings, **settings}

    def start(self):
        data = os.path.join(self.folder, "data")
        self.spawn(BIN, "server", "--data-dir", data, "--listen",
                   "127.0.0.1:0", env=self.env, stdout=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        if not line.startswith("ready http://"):
            raise RuntimeError("artstore does not serve: %s%s" % (
                line, self.tail()))
        self.port = int(line.strip().rsplit(":", 1)[1])
        token = subprocess.run([BIN, "token", "--data-dir", data],
                               check=True, stdout=subprocess.PIPE,
                               text=True).stdout.strip()
        self.headers = ("Authorization: Bearer " + token,)
        return self

    def get_paths(self, ids, count):
        return ["/api/files/" + i for i in ids[:count]]

    def version(self):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        c.request("GET", "/version")
        return c.getresponse().read().decode()


class Remote(Artstore):
    """A gateway, nginx, one element behind it: tools/cluster. The CPU is that
    of gateway and element; the proxy's is asked for by itself."""
    name = "remote"

    def __init__(self, folder, proxy="nginx"):
        super().__init__(folder)
        self.proxy = proxy

    def cluster(self, *words):
        p = subprocess.run(
            [os.path.join(ROOT, "tools", "cluster"), *words, "--bin", BIN,
             "--dir", os.path.join(self.folder, "cluster"), "--ingesters", "1",
             "--datacentres", "1", "--elements", "1", "--database", "sqlite",
             "--proxy", self.proxy], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env={**os.environ, **self.env})
        if p.returncode:
            raise RuntimeError("tools/cluster %s: %s" % (words[0], p.stdout))
        return p.stdout

    def start(self):
        self.cluster("up")
        with open(os.path.join(self.folder, "cluster", "cluster.json"),
                  encoding="utf-8") as f:
            state = json.load(f)
        self.pids = {p["name"]: p["pid"] for p in state["processes"]}
        said = dict(re.findall(r"^export (\w+)='?([^'\n]*)'?$",
                               self.cluster("env"), re.M))
        self.port = int(said["ARTSTORE_URL"].rsplit(":", 1)[1])
        self.headers = ("Authorization: Bearer " + said["ARTSTORE_TOKEN"],)
        return self

    def cpu_where(self, ours):
        return sum(cpu_of(pid) for name, pid in self.pids.items()
                   if (name.startswith("gateway") or "-se-" in name) == ours
                   and (ours or name.startswith("nginx")))

    def cpu(self):
        return self.cpu_where(True)

    def rss(self):
        return sum(rss_of(pid) for name, pid in self.pids.items()
                   if name.startswith("gateway"))

    def tail(self):
        return ""

    def stop(self):
        self.cluster("down")
