#!/usr/bin/python3
"""large - one large file through artstore storage into a bucket and back.

Run by radosgw.py, which names the S3 server in the environment:

  test/s3/radosgw.py --disk --size 13958643712 test/s3/large.py PROGRAM MIB

The file goes up as a gateway sends it (segments of 64 MiB with their footers),
without telling its length, and comes back block by block, each compared. Ends
with 1 when the process ever took more memory than 64 MiB and 768 KiB, all in
all.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import http.client
import json
import os
import re
import struct
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "scn"))
sys.dont_write_bytecode = True

PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
os.environ["ARTSTORE_BIN"] = PROGRAM
import blob_client  # noqa: E402
import store  # noqa: E402

MIB = 1 << 20
SEGMENT = 64 * MIB
BOUND = 64 * MIB + 768 * 1024


def combine(a, b, n):
    """CRC32C of A's bytes and then B's, of which there are N: A shifted by 8N
    zero bits in GF(2), by squaring, and B on top."""
    def times(m, v):
        r = 0
        for row in m:
            if v & 1:
                r ^= row
            v >>= 1
        return r
    shift = [0x82F63B78] + [1 << i for i in range(31)]  # by one bit
    bits = 8 * n
    while bits:
        if bits & 1:
            a = times(shift, a)
        shift = [times(shift, row) for row in shift]
        bits >>= 1
    return a ^ b


def memory(pid, what):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return int(re.search(what + r":\s+(\d+)", f.read()).group(1)) * 1024


class Large:
    def __init__(self, url, size):
        self.host = url.split("//")[1]
        self.size = size
        self.id = blob_client.uuid7()
        self.piece = os.urandom(SEGMENT)
        self.crc = blob_client.crc32c(self.piece)

    def call(self, method, path, body=b""):
        c = http.client.HTTPConnection(self.host, timeout=600)
        c.request(method, "/api/v1/blobs/" + self.id + path, body)
        r = c.getresponse()
        if r.status not in (200, 201):
            raise RuntimeError("%s: %d %s" % (path, r.status, r.read(500)))
        return r

    def up(self):
        md5, sha, crc = hashlib.md5(), hashlib.sha256(), 0
        foot = b"ASF1" + struct.pack("<IQ", self.crc, SEGMENT)
        self.call("POST", "/1/admit", b'{"size": null}').read()
        for off in range(0, self.size, SEGMENT):
            self.call("PUT", "/1/append?off=%d" % off,
                      self.piece + foot).read()
            md5.update(self.piece)
            sha.update(self.piece)
            crc = combine(crc, self.crc, SEGMENT)
        file = blob_client.Blobs.file(self.id, b"")
        file.update(size_bytes=self.size, md5_hash=md5.hexdigest(),
                    sha256_hash=sha.hexdigest())
        self.call("POST", "/1/publish", json.dumps({
            "length": self.size, "crc32c": "%08x" % crc,
            "file": file}).encode()).read()

    def down(self):
        block = blob_client.BLOCK
        for off in range(0, self.size, SEGMENT):
            r = self.call("GET", "/blocks?off=%d&n=%d&verify=1" % (
                off, SEGMENT))
            for i in range(0, SEGMENT, block):
                got = r.read(block)
                state, = struct.unpack("<I", r.read(8)[:4])
                if state or got != self.piece[i:i + block]:
                    raise RuntimeError("differs at %d" % (off + i))


def main():
    size = int(sys.argv[2]) * MIB
    if size % SEGMENT:
        sys.exit("large.py: a multiple of 64 MiB")
    with tempfile.TemporaryDirectory(prefix="artstore-large-") as folder:
        env = {"AUTH_ENABLED": "off", "STORAGE_BACKEND": "s3",
               "STORAGE_MODE": "edit", "S3_SOFT_CAPACITY_LIMIT": "1T"}
        s = store.Server(folder, **env)
        s.role = "storage"
        os.makedirs(s.data)
        store.run(PROGRAM, "storage", "init", "--alone", "--id", "se-01",
                  "--mode", "edit", "--data-dir", s.data, env=env)
        s.start()
        try:
            idle = memory(s.process.pid, "VmHWM")
            f = Large(s.url, size)
            t = time.monotonic()
            f.up()
            up = time.monotonic() - t
            most_up = memory(s.process.pid, "VmHWM")
            t = time.monotonic()
            f.down()
            down = time.monotonic() - t
            most = memory(s.process.pid, "VmHWM")
        finally:
            s.stop()
    print("%d MiB: up %.0f s, down %.0f s; memory %.1f MiB idle, at most "
          "%.1f MiB while it went up, %.1f MiB in all" % (
              size // MIB, up, down, idle / MIB, most_up / MIB, most / MIB))
    if most > BOUND:
        print("large.py: more than %.2f MiB" % (BOUND / MIB))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
