#!/usr/bin/python3
"""radosgw - a real S3 server for tests: Ceph's, one node, in a temp directory.

Why this one: it is the only complete S3 server that Debian 12 packages (Swift
has an S3 front, without list-objects-v2's start-after and with segments in a
second container). Three daemons on 127.0.0.1: a monitor, one OSD (in memory;
or BlueStore in a sparse file, for objects of gigabytes) and the gateway. No
manager: nothing that a gateway needs asks it. Pools have one placement group
and one copy, and the monitor proposes at once instead of once a second, so the
cluster answers about 4 s after the start (measured; at most 60 s are allowed).

  test/s3/radosgw.py [--disk] [--size BYTES] [--restart] COMMAND...
      runs COMMAND with S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY, S3_SECRET_KEY
      and S3_REGION set, and ends with its status; 77 (a skipped test) where
      Ceph is not installed. COMMAND may kill the gateway, whose process id is
      the text of the file S3_PID_FILE: with --restart another one is started
  test/s3/radosgw.py --serve
      until it is interrupted; prints the variables

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import hashlib
import hmac
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "tools"))
from ports import free_port  # noqa: E402

NEEDED = ["ceph-mon", "ceph-osd", "radosgw", "radosgw-admin",
          "ceph-authtool", "monmaptool", "ceph"]
START_LIMIT = 60

CONF = """[global]
fsid = {fsid}
keyring = {dir}/keyring
mon host = v2:127.0.0.1:{mon_port}
mon initial members = a
ms bind msgr1 = false
run dir = {dir}/run
admin socket = {dir}/run/$name.asok
pid file = {dir}/run/$name.pid
log file = {dir}/run/$name.log
crash dir = {dir}/run
paxos propose interval = 0.02
mon allow pool size one = true
mon osd full ratio = .99
mon osd nearfull ratio = .99
mon osd backfillfull ratio = .99
mon data avail crit = 1
mon data avail warn = 2
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd memory target = 1073741824
rgw frontends = beast endpoint=127.0.0.1:{rgw_port}
rgw thread pool size = 32
rgw dns name = s3.localhost
rgw dynamic resharding = false
rgw run sync thread = false
[mon.a]
mon data = {dir}/mon
[osd.0]
osd data = {dir}/osd
osd objectstore = {store}
memstore device bytes = {size}
bluestore block size = {size}
[client.rgw]
rgw data = {dir}/rgw
"""


def missing():
    """The first program that is not there, or None."""
    return next((p for p in NEEDED if shutil.which(p) is None), None)


class Radosgw:
    """A cluster of one; start() makes it, stop() leaves nothing."""

    def __init__(self, disk=False, size=2 << 30):
        self.dir = tempfile.mkdtemp(prefix="artstore-s3-")
        self.port = free_port()
        self.access, self.secret = "ARTSTORETESTKEY", "not/a+secret=at all"
        self.bucket = "artstore"
        self.pid_file = os.path.join(self.dir, "gateway")
        self.procs = {}
        for d in ("mon", "osd", "run", "rgw"):
            os.mkdir(os.path.join(self.dir, d))
        self.conf = os.path.join(self.dir, "ceph.conf")
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(CONF.format(
                dir=self.dir, fsid=uuid.uuid4(), mon_port=free_port(),
                rgw_port=self.port, size=size,
                store="bluestore" if disk else "memstore"))

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def env(self):
        return {"S3_ENDPOINT": self.endpoint, "S3_BUCKET": self.bucket,
                "S3_ACCESS_KEY": self.access, "S3_SECRET_KEY": self.secret,
                "S3_REGION": "us-east-1", "S3_PID_FILE": self.pid_file}

    def keep_up(self, child):
        """Until CHILD ends; its status. A killed gateway comes back."""
        while child.poll() is None:
            gateway = self.procs["rgw"]
            if gateway.poll() is not None:
                self.start_gateway()
            time.sleep(0.05)
        return child.returncode

    def run(self, *argv, timeout=30):
        argv = (argv[0], "-c", self.conf) + argv[1:]
        return subprocess.run(argv, cwd=self.dir, check=True, timeout=timeout,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT).stdout

    def keyring(self):
        path = os.path.join(self.dir, "keyring")
        tool = ["ceph-authtool", path, "--gen-key"]
        caps = ["--cap", "mon", "allow *", "--cap", "osd", "allow *"]
        subprocess.run(tool + ["--create-keyring", "-n", "mon."] + caps[:3],
                       check=True, stdout=subprocess.DEVNULL)
        for who in ("client.admin", "client.rgw", "osd.0"):
            subprocess.run(tool + ["-n", who] + caps, check=True,
                           stdout=subprocess.DEVNULL)
        return path

    def daemon(self, name, *argv):
        out = open(os.path.join(self.dir, "run", name + ".out"), "ab")
        self.procs[name] = subprocess.Popen(
            (argv[0], "-c", self.conf) + argv[1:] + ("-f",), cwd=self.dir,
            stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        out.close()

    def wait(self, what, ready):
        end = time.monotonic() + START_LIMIT
        while not ready():
            dead = [n for n, p in self.procs.items() if p.poll() is not None]
            if dead or time.monotonic() > end:
                raise RuntimeError(f"{what} does not start ({dead}): "
                                   f"see {self.dir}/run")
            time.sleep(0.05)

    def mon_answers(self):
        return subprocess.run(
            ["timeout", "5", "ceph", "-c", self.conf, "mon", "stat"],
            cwd=self.dir, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, check=False).returncode == 0

    def gateway_answers(self):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            c.request("GET", "/")
            return c.getresponse().status == 200
        except OSError:
            return False
        finally:
            c.close()

    def start(self):
        keys = self.keyring()
        with open(self.conf, encoding="utf-8") as f:
            line = {k.strip(): v.strip() for k, _, v in
                    (x.partition("=") for x in f) if v}
        monmap = os.path.join(self.dir, "monmap")
        subprocess.run(["monmaptool", "--create", "--fsid", line["fsid"],
                        "--addv", "a", f"[{line['mon host']}]", monmap],
                       check=True, stdout=subprocess.DEVNULL)
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap,
                 "--keyring", keys)
        self.daemon("mon", "ceph-mon", "-i", "a")
        self.wait("the monitor", self.mon_answers)
        osd = str(uuid.uuid4())
        self.run("ceph", "osd", "new", osd)
        self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd,
                 timeout=START_LIMIT)
        self.daemon("osd", "ceph-osd", "-i", "0")
        self.start_gateway()
        self.run("radosgw-admin", "-n", "client.rgw", "user", "create",
                 "--uid=artstore", "--display-name=artstore",
                 "--access-key=" + self.access,
                 "--secret-key=" + self.secret, timeout=START_LIMIT)
        status = self.request("PUT", "/" + self.bucket)
        if status != 200:
            raise RuntimeError(f"cannot make a bucket: {status}")
        return self

    def start_gateway(self):
        self.daemon("rgw", "radosgw", "-n", "client.rgw")
        self.wait("the gateway", self.gateway_answers)
        with open(self.pid_file + "~", "w", encoding="ascii") as f:
            f.write(str(self.procs["rgw"].pid))
        os.rename(self.pid_file + "~", self.pid_file)

    def kill_gateway(self):
        """As a power cut: SIGKILL."""
        p = self.procs.pop("rgw")
        p.kill()
        p.wait()

    def pause_gateway(self):
        self.procs["rgw"].send_signal(signal.SIGSTOP)

    def resume_gateway(self):
        self.procs["rgw"].send_signal(signal.SIGCONT)

    def request(self, method, path, body=b"", query=""):
        """One signed request (SigV4, written from its specification and not
        from ours); the status, and the body in self.answer."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        host = f"127.0.0.1:{self.port}"
        sha = hashlib.sha256(body).hexdigest()
        names = "host;x-amz-content-sha256;x-amz-date"
        canon = (f"{method}\n{path}\n{query}\nhost:{host}\n"
                 f"x-amz-content-sha256:{sha}\nx-amz-date:{now}\n\n"
                 f"{names}\n{sha}")
        scope = f"{now[:8]}/us-east-1/s3/aws4_request"
        text = (f"AWS4-HMAC-SHA256\n{now}\n{scope}\n"
                + hashlib.sha256(canon.encode()).hexdigest())
        key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        sign = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            c.request(method, path + ("?" + query if query else ""), body, {
                "x-amz-date": now, "x-amz-content-sha256": sha,
                "Authorization": f"AWS4-HMAC-SHA256 Credential={self.access}/"
                                 f"{scope}, SignedHeaders={names}, "
                                 f"Signature={sign}"})
            r = c.getresponse()
            self.answer = r.read()
            return r.status
        finally:
            c.close()

    def stop(self):
        for p in reversed(list(self.procs.values())):
            p.kill()
            p.wait()
        self.procs = {}
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--disk", action="store_true")
    ap.add_argument("--size", type=int, default=2 << 30)
    ap.add_argument("--restart", action="store_true")
    ap.add_argument("--serve", action="store_true")
    ap.add_argument("command", nargs=argparse.REMAINDER)
    a = ap.parse_args()
    if missing():
        print(f"skipped: {missing()} is not installed (Debian packages "
              "radosgw, ceph-mon and ceph-osd)")
        return 77
    # A test runner ends us by SIGTERM: the daemons must not stay.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    server = Radosgw(a.disk, a.size)
    began = time.monotonic()
    try:
        server.start()
        print(f"radosgw: answers after {time.monotonic() - began:.1f} s",
              file=sys.stderr)
        if a.serve:
            for k, v in server.env().items():
                print(f"{k}='{v}'")
            print(f"CEPH_PID={server.procs['rgw'].pid}", flush=True)
            signal.pause()
            return 0
        env = dict(os.environ, **server.env())
        if a.restart:
            return server.keep_up(subprocess.Popen(a.command, env=env))
        return subprocess.run(a.command, env=env, check=False).returncode
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
