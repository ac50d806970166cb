"""Many writers, several gateways, elements that fill up, two of them on one
file system: who is refused is refused because nobody has room, and no element
takes more than it has (issue 3, 5; D06, D26...D28, STO-032).

SPDX-License-Identifier: Apache-2.0
"""
import os
import random
import subprocess
import threading
import time

import pytest
import requests

import store
from cluster import Cluster

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may mount a small file system")

WRITERS = 64
HEADROOM = 4 * store.MIB
ALL_OF_IT = {"STORAGE_HEADROOM_BYTES": HEADROOM,
             "STORAGE_HEADROOM_INODES": 64, "CAPACITY_FULL_PERCENT": 100,
             "CAPACITY_CRITICAL_PERCENT": 100,
             "CAPACITY_WARNING_PERCENT": 100}


def mount(folder, name, size):
    point = str(folder / name)
    os.makedirs(point)
    image = point + ".img"
    with open(image, "wb") as f:
        f.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-N", "4000", image],
                   check=True)
    p = subprocess.run(["mount", "-o", "loop", image, point], text=True,
                       stderr=subprocess.PIPE)
    if p.returncode:
        pytest.skip("cannot mount here: " + p.stderr.strip())
    return point


@pytest.fixture
def full(tmp_path):
    """se-01 and se-02 on one small file system, se-03 on another; four
    gateways."""
    points = []
    c = Cluster(tmp_path / "cluster")
    os.makedirs(c.folder)
    try:
        for n, size in enumerate((96 * store.MIB, 64 * store.MIB)):
            points.append(mount(tmp_path, "disk-%d" % n, size))
        c.start_redis()
        c.start_admin()
        for n, ident in enumerate(("se-01", "se-02", "se-03")):
            c.start_element(ident, "edit",
                            os.path.join(points[n // 2], ident), **ALL_OF_IT)
            c.register(ident, "edit", n)
        for _ in range(4):
            c.start_gateway()
        c.points = points
        yield c
        c.stop()
    finally:
        c.close()
        for point in points:
            store.unmount(point)


def need(size):
    """What a file is counted with: whole blocks, and one for attr.json."""
    return -(-size // 4096) * 4096 + 4096


class Writer(threading.Thread):
    """Files of known length, smaller when refused, until none has a place."""

    def __init__(self, n, gateways, token):
        super().__init__()
        self.rng = random.Random(n)
        self.gateways = gateways
        self.head = {"Authorization": "Bearer " + token,
                     "Content-Type": "application/octet-stream"}
        self.stored, self.refused, self.wrong = {}, [], []

    def run(self):
        size = self.rng.randrange(500000, 4000000)
        with requests.Session() as s:
            while size > 20000 and not self.wrong:
                self.upload(s, size)
                if self.refused and self.refused[-1] == size:
                    size //= 2
                else:
                    size = self.rng.randrange(size // 2, size + 1)

    def upload(self, session, size):
        body = store.pattern(size, self.rng.randrange(1000))
        r = session.post(
            self.rng.choice(self.gateways) + "/api/files/upload?filename=f",
            data=body, headers=self.head, timeout=120)
        if r.status_code == 201:
            self.stored[r.json()["file_id"]] = store.sha256(body)
        elif r.status_code == 507:
            self.refused.append(size)
        else:
            self.wrong.append((r.status_code, r.text))


def test_nobody_is_refused_while_there_is_room(full):
    c = full
    token = c.admin.token()
    writers = [Writer(n, [g.url for g in c.gateways], token)
               for n in range(WRITERS)]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
    wrong = [x for w in writers for x in w.wrong]
    assert not wrong, "%d: %s" % (len(wrong), wrong[0][1])
    refused = sorted(x for w in writers for x in w.refused)
    assert len(refused) >= WRITERS
    time.sleep(6)  # each has measured its file system
    # Nothing was deleted: who has room now had it then.
    for ident, e in c.elements.items():
        cap = requests.get(e.url + "/api/v1/capacity", headers={
            "Authorization": "Bearer " + token}, timeout=10).json()
        assert cap["reserved"] == 0, (ident, cap)
        assert cap["available"] < need(refused[0]), (ident, cap, refused[:3])
    # The headroom is for metadata, never for files. (Two processes on one file
    # system see each other's uploads under way only when these are written;
    # there the headroom may be needed for that.)
    room = os.statvfs(c.points[1])
    assert room.f_bavail * room.f_frsize >= HEADROOM - 64 * store.KIB
    stored = {k: v for w in writers for k, v in w.stored.items()}
    with requests.Session() as s:
        for ident, digest in stored.items():
            r = s.get(c.gateways[0].url + "/api/files/" + ident,
                      headers=writers[0].head, timeout=60)
            assert r.status_code == 200 and store.sha256(r.content) == digest
    print("stored %d files, refused %d times" % (len(stored), len(refused)))
