"""The cases of bench/run: what is sent, to whom, how often.

Put     files of one size over N connections, each run on a fresh file system
Get     the same files again and again (warm), or each once (cold)
Idle    resident memory per idle keep-alive connection
Memory  resident memory under 64 uploads whose length nobody knows
Slow    what 5,000 clients of one byte a second cost a normal one

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import shutil
import statistics
import subprocess
import time

import peers

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def size_name(n):
    return "%dMiB" % (n // MIB) if n >= MIB else "%dKiB" % (n // KIB)


class Case:
    quick = smoke = False

    def wanted(self, bench, *names):
        return [n for n in names if n in bench.args.servers.split()
                and bench.have.get(n, True)]


class Put(Case):
    """TOTAL is what one run sends in all, at most."""

    def __init__(self, size, conns, quick=False, smoke=False):
        self.size, self.conns = size, conns
        self.quick, self.smoke = quick, smoke
        self.name = "put %s x%d" % (size_name(size), conns)

    def count(self, bench, who):
        if bench.args.smoke:
            return 2 * self.conns
        if self.size >= MIB:
            total = 1536 * MIB if bench.args.quick else 3 * GIB
            return max(self.conns, min(total, bench.capacity // 3)
                       // self.size)
        # One connection waits for each sync; tus is slow at any number.
        rate = 300 if self.conns == 1 else 1500 if who == "tus" else 6000
        return rate * (2 if bench.args.quick else 4)

    def run(self, bench):
        who = self.wanted(bench, "nginx", "artstore", "tus")
        if self.size != 4 * KIB or self.conns != 64:
            # tus moves large bodies through one JavaScript thread: once
            # in the long run is enough to know by how much it is slower.
            who = [w for w in who if w != "tus" or not bench.args.quick]
        if self.size == 4 * KIB:
            who += self.wanted(bench, "fsfloor")
        for n in range(bench.args.rounds):
            for w in who[n % len(who):] + who[:n % len(who)]:
                if w == "fsfloor":
                    self.floor(bench, n)
                else:
                    self.one(bench, n, w)

    def one(self, bench, n, who):
        server = {"nginx": peers.Nginx, "tus": peers.Tus,
                  "artstore": peers.Artstore}[who](bench.disk.fresh())
        try:
            server.start()
            for name, r in self.loads(bench, server, who):
                bench.record(name, who, n, r)
        finally:
            server.stop()

    def loads(self, bench, server, who):
        """Nothing has to be written back before the kernel has gathered a part
        of the memory: of a server that does not sync the first GB is cheap, and
        no other. So large bodies are sent twice, and the second time counts."""
        for name in [self.name] if self.size < MIB else [
                self.name + " at first", self.name]:
            yield name, bench.load(
                server, "--mode", server.put["mode"], "--path",
                server.put["path"], "--conns", self.conns, "--size",
                self.size, "--count", self.count(bench, who))

    def floor(self, bench, n):
        """The commit's system calls, without HTTP and hashing."""
        machine = peers.cpu_of_machine()
        count = self.count(bench, "fsfloor")
        inflight = 1 if self.conns == 1 else 2
        p = subprocess.run(
            [os.path.join(os.environ.get(
                "ARTSTORE_BUILD", os.path.join(peers.ROOT, "build")),
                "bench", "fsfloor"), "--dir", bench.disk.fresh(), "--files",
             str(count), "--size", str(self.size), "--batch",
             str(min(self.conns, 64)), "--inflight", str(inflight)],
            check=True, stdout=subprocess.PIPE, text=True)
        f = json.loads(p.stdout)
        cpu = f["cpu_us_per_file"] * f["files"] / 1e6
        bench.record(self.name, "fsfloor", n, {
            "requests": f["files"], "bytes": f["files"] * self.size,
            "seconds": f["seconds"], "cpu": 0, "server_cpu": cpu,
            "machine_cpu": peers.cpu_of_machine() - machine})


class RemotePut(Put):
    """Through a gateway and nginx to an element, beside the same embedded:
    issue 3 wants at most 2 x its CPU, the proxy's apart."""

    def __init__(self, size, conns):
        super().__init__(size, conns)
        self.name = "remote " + self.name

    def run(self, bench):
        for n in range(bench.args.rounds):
            for w in self.wanted(bench, "artstore", "remote",
                                 "remote-buffered"):
                if w == "artstore":
                    self.one(bench, n, w)
                else:
                    self.through(bench, n, w)

    def through(self, bench, n, who):
        server = peers.Remote(bench.disk.fresh(),
                              who.replace("remote", "nginx"))
        try:
            server.start()
            proxy = server.cpu_where(False)
            for name, r in self.loads(bench, server, who):
                before, proxy = proxy, server.cpu_where(False)
                r["proxy_cpu"] = proxy - before
                r["gateway_rss_mib"] = server.rss() / MIB
                bench.record(name, who, n, r)
                bench.say("    proxy %.3f s/GB, gateway %.0f MiB" % (
                    r["proxy_cpu"] / (r["bytes"] / 1e9),
                    r["gateway_rss_mib"]))
        finally:
            server.stop()


class Get(Case):
    """All servers hold their files at once, and run in turn."""

    def __init__(self, size, conns, cold=False, quick=False, smoke=False):
        self.size, self.conns, self.cold = size, conns, cold
        self.quick, self.smoke = quick, smoke
        self.name = "get %s x%d %s" % (size_name(size), conns,
                                       "cold" if cold else "warm")

    def files(self, bench):
        if bench.args.smoke:
            return 4
        total = GIB if not self.cold else 1536 * MIB
        return max(16, min(total // self.size, 2000))

    def run(self, bench):
        folder = bench.disk.fresh()
        servers = []
        try:
            for w in self.wanted(bench, "nginx", "artstore"):
                for off in (False, True) if w == "artstore" else (False,):
                    servers.append(self.prepare(bench, folder, w, off))
            for n in range(bench.args.rounds):
                k = n % max(1, len(servers))
                for label, server, paths in servers[k:] + servers[:k]:
                    self.one(bench, n, label, server, paths, folder)
        finally:
            for _, server, _ in servers:
                server.stop()

    def prepare(self, bench, folder, who, off):
        label = "artstore-off" if off else who
        home = os.path.join(folder, label)
        os.mkdir(home)
        server = peers.Nginx(home) if who == "nginx" else \
            peers.Artstore(home, VERIFY_READS="off" if off else "on")
        try:
            server.start()
            ids = os.path.join(home, "ids")
            bench.load(server, "--mode", server.put["mode"], "--path",
                       server.put["path"], "--conns", 16, "--size", self.size,
                       "--count", self.files(bench), "--collect", ids)
            with open(ids, encoding="ascii") as f:
                known = f.read().split()
            paths = os.path.join(home, "paths")
            with open(paths, "w", encoding="ascii") as f:
                f.write("\n".join(server.get_paths(
                    known, self.files(bench))) + "\n")
        except BaseException:
            server.stop()
            raise
        if not self.cold:  # so that all is in the cache
            bench.load(server, "--paths", paths, "--count",
                       self.files(bench), "--conns", 4)
        return label, server, paths

    def one(self, bench, n, label, server, paths, folder):
        if self.cold:
            how = peers.drop_caches(folder)
            amount = ["--count", self.files(bench)]
        else:
            how = "warm"
            seconds = 0.3 if bench.args.smoke else 2 if bench.args.quick else 4
            amount = ["--seconds", seconds]
        r = bench.load(server, "--paths", paths, "--conns", self.conns,
                       *amount)
        r["cache"] = how
        bench.record(self.name, label, n, r)


class Held:
    """The client with connections that it holds until told to end."""

    def __init__(self, bench, server, *args):
        self.process = subprocess.Popen(
            bench.client(server, *args), stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if "holding" not in line:
            raise RuntimeError("the client does not hold: " + line)

    def end(self):
        """How many connections were still there after the whole time."""
        out = self.process.communicate()[0]
        return json.loads(out)["requests"] if out.strip() else 0


class Idle(Case):
    quick = smoke = True
    name = "idle x5000"

    def run(self, bench):
        rows = []
        conns = 200 if bench.args.smoke else 5000
        for w in self.wanted(bench, "artstore", "nginx"):
            found = []
            for n in range(1 if bench.args.smoke else 3):
                server = (peers.Artstore if w == "artstore" else
                          peers.Nginx)(bench.disk.fresh())
                try:
                    server.start()
                    path = "/version" if w == "artstore" else "/"
                    if w == "nginx":  # something to answer 200 with
                        with open(os.path.join(server.folder, "data",
                                               "index.html"), "wb") as f:
                            f.write(b"hello\n")
                    # What the first connections allocate is not per
                    # connection.
                    bench.load(server, "--path", path, "--conns", 64,
                               "--count", 2000)
                    time.sleep(0.5)
                    before = server.rss()
                    held = Held(bench, server, "--mode", "hold", "--path",
                                path, "--conns", conns, "--seconds", 4)
                    time.sleep(2)
                    found.append((server.rss() - before) / conns)
                    if held.end() < conns:
                        bench.say("idle: %s closed some" % w)
                finally:
                    server.stop()
            rows.append({"case": self.name, "server": w,
                         "bytes_per_connection": statistics.median(found)})
        return rows


class Memory(Case):
    """64 uploads of 1 GiB without Content-Length; the largest RSS seen. The
    bound is 64 MiB + 64 x 768 KiB + the replay budget (64 MiB)."""
    quick = True
    name = "memory 64 x 1GiB"
    bound = 64 * MIB + 64 * 768 * KIB + 64 * MIB

    def run(self, bench):
        rows = []
        for w in self.wanted(bench, "artstore"):
            # More than the image holds: beside it, on the host's own.
            folder = os.path.join(bench.work, "memory")
            os.mkdir(folder)
            server = peers.Artstore(folder)
            try:
                server.start()
                room = shutil.disk_usage(folder).free
                if room < 80 * GIB and not bench.args.quick:
                    bench.say("memory: %d GiB free, the uploads are cut off"
                              " before they fill the disk" % (room // GIB))
                p = subprocess.Popen(
                    bench.client(server, "--mode", "post", "--path",
                                 server.put["path"], "--conns", 64, "--size",
                                 GIB, "--count", 64, "--chunked"),
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                most, end = 0, time.monotonic() + (
                    15 if bench.args.quick else 300)
                while p.poll() is None and time.monotonic() < end and \
                        shutil.disk_usage(folder).free > room // 4:
                    most = max(most, server.rss())
                    time.sleep(0.1)
                p.kill()
                p.wait()
                rows.append({"case": self.name, "server": w,
                             "rss_mib_max": most / MIB,
                             "rss_share_of_bound": most / self.bound})
            finally:
                server.stop()
                shutil.rmtree(folder, ignore_errors=True)
        return rows


class Slow(Case):
    quick = True
    name = "5000 slow clients"

    def run(self, bench):
        rows = []
        for w in self.wanted(bench, "artstore"):
            # A rate that the slow ones keep, so that they are not cut off.
            server = peers.Artstore(bench.disk.fresh(), BODY_MIN_RATE="0")
            try:
                server.start()
                alone = self.upload(bench, server)
                held = Held(bench, server, "--mode", "slow", "--path",
                            server.put["path"], "--conns", 5000, "--size",
                            100000, "--seconds", 20)
                time.sleep(2)
                rss = server.rss()
                crowd = self.upload(bench, server)
                kept = held.end()
                rows.append({"case": self.name, "server": w,
                             "alone_ms": alone, "crowd_ms": crowd,
                             "delay": crowd / alone, "kept": kept,
                             "rss_mib": rss / MIB})
            finally:
                server.stop()
        return rows

    def upload(self, bench, server):
        """Milliseconds of one 16 MiB upload, the median of some."""
        return statistics.median(
            bench.load(server, "--mode", "post", "--path",
                       server.put["path"], "--size", 16 * MIB, "--count",
                       1)["seconds"] * 1e3 for _ in range(9))


CASES = [
    Put(64 * MIB, 16, quick=True),
    Put(MIB, 16, quick=True, smoke=True),
    Put(64 * MIB, 1, quick=True),
    Put(4 * KIB, 64, quick=True, smoke=True),
    Put(4 * KIB, 1), Put(4 * KIB, 16),
    Put(MIB, 1), Put(MIB, 64), Put(64 * MIB, 64),
    Get(64 * MIB, 16, quick=True),
    Get(4 * KIB, 64, quick=True, smoke=True),
    Get(4 * KIB, 1), Get(4 * KIB, 16),
    Get(MIB, 1), Get(MIB, 16), Get(MIB, 64),
    Get(64 * MIB, 1), Get(64 * MIB, 64),
    Get(4 * KIB, 16, cold=True), Get(MIB, 16, cold=True),
    Get(64 * MIB, 16, cold=True),
    RemotePut(64 * MIB, 16),
    Idle(), Memory(), Slow(),
]
