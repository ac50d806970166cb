"""Many writers, several gateways, elements that fill up, two of them on one
file system: who is refused is refused because nobody has room, and no element
takes more than it has (issue 3, 5; D06, D26...D28, STO-032).

SPDX-License-Identifier: Apache-2.0
"""
import os
import random
import threading
import time

import pytest
import requests

import store
from cluster import Cluster, wait_for

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may mount a small file system")

WRITERS = 64
HEADROOM = 4 * store.MIB
# Folders, two indexes and their logs, after the last file: a batch's rows are
# a dozen pages in a log.
METADATA = 256 * store.KIB
GROWTH = 16 * store.MIB  # and in all
QUOTA = 40 * store.MIB  # of se-03, less than its file system has
FIT = store.MIB
UPLOAD = store.UPLOAD + "?filename=f"
ALL_OF_IT = {"STORAGE_HEADROOM_BYTES": HEADROOM,
             "STORAGE_HEADROOM_INODES": 64, "CAPACITY_FULL_PERCENT": 100,
             "CAPACITY_CRITICAL_PERCENT": 100,
             "CAPACITY_WARNING_PERCENT": 100}


@pytest.fixture
def full(tmp_path):
    """se-01 and se-02 on one small file system, se-03 with a quota on another;
    four gateways."""
    points = []
    c = Cluster(tmp_path / "cluster")
    os.makedirs(c.folder)
    try:
        for n, size in enumerate((96 * store.MIB, 64 * store.MIB)):
            points.append(store.mount(tmp_path, "disk-%d" % n, size, 4000))
        c.start_redis()
        c.start_admin()
        for n, ident in enumerate(("se-01", "se-02", "se-03")):
            c.start_element(ident, "edit",
                            os.path.join(points[n // 2], ident),
                            STORAGE_QUOTA_BYTES=QUOTA * (n // 2), **ALL_OF_IT)
            c.register(ident, "edit", n)
        for _ in range(4):
            c.await_known(c.start_gateway(), *c.elements)
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


def free(point):
    room = os.statvfs(point)
    return room.f_bavail * room.f_frsize


class Watch(threading.Thread):
    """The least that was free on each file system."""

    def __init__(self, points):
        super().__init__()
        self.least = {p: free(p) for p in points}
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(0.001):
            for p in self.least:
                self.least[p] = min(self.least[p], free(p))

    def end(self):
        self.over.set()
        self.join()


class Writer(threading.Thread):
    """Files of known length: first those of SIZES, which have a place; then
    any, smaller when refused, until none has one."""

    def __init__(self, n, gateways, token, sizes, together):
        super().__init__()
        self.rng = random.Random(n)
        self.gateways = gateways
        self.head = {"Authorization": "Bearer " + token,
                     "Content-Type": "application/octet-stream"}
        # Over 8 MiB a body is not kept for another try: it comes in blocks.
        self.size = self.rng.randrange(500000, 4000000) if n % 4 else 9000000
        self.sizes = sizes
        self.together = together
        self.stored, self.refused, self.wrong = {}, [], []

    def run(self):
        with requests.Session() as s:
            for size in self.sizes:
                self.upload(s, size)
            if self.refused:
                self.wrong.append((507, "there was room"))
            self.together.wait(600)  # nobody takes another's place
            self.fill(s, self.size)

    def fill(self, session, size):
        while size > 20000 and not self.wrong:
            self.upload(session, size)
            if self.refused and self.refused[-1] == size:
                size //= 2
            else:
                size = self.rng.randrange(size // 2, size + 1)

    def upload(self, session, size):
        body = store.pattern(size, self.rng.randrange(1000))
        for _ in range(60):
            r = session.post(self.rng.choice(self.gateways) + UPLOAD,
                             data=body, headers=self.head, timeout=120)
            if r.status_code != 503:
                break
            # "Nobody says how full they are": a machine so busy that Redis
            # does not answer in time. That is no refusal for want of room.
            time.sleep(1)
        if r.status_code == 201:
            self.stored[r.json()["file_id"]] = store.sha256(body)
        elif r.status_code == 507:
            self.refused.append(size)
        else:
            self.wrong.append((r.status_code, r.text))


def that_fit(shared):
    """How many files of FIT bytes have a place, as long as nothing else is
    written: an index and its log grow too."""
    return ((free(shared) - HEADROOM - GROWTH) // need(FIT) +
            QUOTA // need(FIT))


def settled(c, element):
    """What it says when no upload is under way any more."""
    cap = {}

    def is_still():
        cap.update(requests.get(element.url + "/api/v1/capacity",
                                headers=c.head(), timeout=60).json())
        return cap["reserved"] == 0

    wait_for("nothing is reserved", is_still)
    return cap


def test_nobody_is_refused_while_there_is_room(full):
    c = full
    token = c.admin.token()
    n = that_fit(c.points[0])
    assert n > WRITERS
    together = threading.Barrier(WRITERS)
    writers = [Writer(k, [g.url for g in c.gateways], token,
                      [FIT] * len(range(k, n, WRITERS)), together)
               for k in range(WRITERS)]
    watch = Watch(c.points)
    watch.start()
    try:
        for w in writers:
            w.start()
        for w in writers:
            w.join()
    finally:
        watch.end()
    wrong = [x for w in writers for x in w.wrong]
    assert not wrong, "%d: %s" % (len(wrong), wrong[0])
    refused = sorted(x for w in writers for x in w.refused)
    assert len(refused) >= WRITERS
    # Nothing was deleted: who has room now had it then.
    caps = {ident: settled(c, e) for ident, e in c.elements.items()}
    assert free(c.points[0]) - HEADROOM < need(refused[0])
    used = caps["se-03"]["used"]
    assert QUOTA - need(refused[0]) < used <= QUOTA
    # The headroom is for metadata, never for files: neither now nor at any
    # moment, and two processes on one file system are no exception.
    print("least free over the headroom:",
          [least - HEADROOM for least in watch.least.values()])
    for point, least in watch.least.items():
        assert least >= HEADROOM - METADATA, point
    stored = {k: v for w in writers for k, v in w.stored.items()}
    with requests.Session() as s:
        for ident, digest in stored.items():
            r = s.get(c.gateways[0].url + "/api/files/" + ident,
                      headers=writers[0].head, timeout=60)
            assert r.status_code == 200 and store.sha256(r.content) == digest
    print("stored %d files, refused %d times" % (len(stored), len(refused)))
