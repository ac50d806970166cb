"""The power goes: what was in the page cache only is lost, on a real ext4.

The data folder lies on an ext4 image behind a loop device with direct I/O, so
that the image holds what the file system has sent to its disk and nothing else.
Under load the server is killed, and the image is copied as it is, without
unmounting: that copy is the disk after a power cut. It is mounted (ext4 replays
its journal), a server starts over it, and has to keep every promise of the
first. The kernel writes dirty pages by itself only after tens of seconds, and
the journal is told to wait as long, so whatever was not synced is really gone:
the first test shows that the method does lose such data.

Unlike a preloaded library this sees io_uring too. Needs root.

SPDX-License-Identifier: Apache-2.0
"""
import os
import random
import shutil
import subprocess
import threading
import time

import pytest

import store
import test_kill9 as k9
from store import MIB

ROUNDS = max(2, int(os.environ.get("ROUNDS", "10")) // 2)
SIZE = 768 * MIB
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may mount an image")


class Disk:
    """An ext4 image that can be cut off."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.count = 0
        self.image = self.path("img")
        with open(self.image, "wb") as f:
            f.truncate(SIZE)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-E",
                        "lazy_itable_init=0,lazy_journal_init=0", self.image],
                       check=True)
        self.loop = self.point = None
        self.mount()

    def path(self, kind):
        return os.path.join(self.folder, "disk%d.%s" % (self.count, kind))

    def mount(self):
        p = subprocess.run(["losetup", "--direct-io=on", "-f", "--show",
                            self.image], stdout=subprocess.PIPE, text=True)
        if p.returncode:
            pytest.skip("no loop devices here")
        self.loop = p.stdout.strip()
        self.point = self.path("mnt")
        os.mkdir(self.point)
        # Nothing is written because time has passed.
        subprocess.run(["mount", "-o", "commit=900,noauto_da_alloc",
                        self.loop, self.point], check=True)

    def rest(self):
        """Until it has had nothing to do for a tenth of a second."""
        stat = "/sys/block/%s/stat" % os.path.basename(self.loop)
        was, since = None, time.monotonic()
        while time.monotonic() - since < 0.1:
            with open(stat, encoding="ascii") as f:
                now = f.read().split()
            if now != was or now[8] != "0":  # under way
                was, since = now, time.monotonic()
            time.sleep(0.01)

    def cut(self):
        """The power goes and comes back; the old disk is thrown away."""
        self.rest()  # what it has been told is done by now
        old = self.image
        self.count += 1
        self.image = self.path("img")
        subprocess.run(["cp", "--sparse=always", old, self.image], check=True)
        self.release()
        os.remove(old)
        self.mount()

    def release(self):
        if self.point:
            store.unmount(self.point)
            subprocess.run(["losetup", "-d", self.loop])
            self.point = None


@pytest.fixture
def disk(tmp_path):
    if shutil.disk_usage(tmp_path).free < 3 * SIZE:
        pytest.skip("no room for the image")
    d = Disk(tmp_path)
    yield d
    d.release()


@pytest.mark.needs_no_server
def test_the_method_loses_what_was_not_synced(disk):
    def write(name, sync):
        fd = os.open(os.path.join(disk.point, name),
                     os.O_CREAT | os.O_WRONLY)
        os.write(fd, b"x" * 10000)
        if sync:
            os.fsync(fd)
            folder = os.open(disk.point, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        os.close(fd)

    write("synced", True)
    write("not-synced", False)
    disk.cut()
    with open(os.path.join(disk.point, "synced"), "rb") as f:
        assert f.read() == b"x" * 10000
    lost = os.path.join(disk.point, "not-synced")
    assert not os.path.exists(lost) or os.path.getsize(lost) == 0


@pytest.mark.slow
def test_power_cuts(disk, make_server, loop):
    master = random.Random(k9.SEED)
    print("SEED=%d" % k9.SEED)
    s = make_server(loop, start=False)
    book = k9.Book()
    s.data = os.path.join(disk.point, "data")
    s.start()
    for n in range(ROUNDS):
        s.token()
        book.fresh = []
        end = threading.Event()
        threads = [threading.Thread(target=k9.client, daemon=True, args=(
            s, book, random.Random(master.random()), end))
            for _ in range(k9.CLIENTS)]
        for t in threads:
            t.start()
        time.sleep(master.uniform(0.3, 1.5))
        book.wait(5 * (n + 1) + 1)
        s.kill()
        end.set()
        for t in threads:
            t.join(60)
        disk.cut()
        s.data = os.path.join(disk.point, "data")
        s.start(60)
        k9.judge(s, book, random.Random(n), everything=True)
    assert len(book.there) + len(book.gone) > 5 * ROUNDS, "no load at all"
    s.stop()
    k9.rebuild_agrees(s)


def test_first_start_and_power_cut(disk, make_server, loop):
    """The account, the keys and the elements of a first start that has said
    ready are promises too."""
    s = make_server(loop, start=False)
    s.own_key = True
    s.data = os.path.join(disk.point, "data")
    s.start()
    token = s.token()
    f = s.put(b"first")["file_id"]
    s.kill()
    disk.cut()
    s.data = os.path.join(disk.point, "data")
    s.start()
    assert s.get(f, token=token).content == b"first"


def test_relaxed_is_relaxed_only_about_durability(disk, make_server):
    """D10: DURABILITY=relaxed may lose the last files, never tear one."""
    s = make_server(start=False, DURABILITY="relaxed")
    s.data = os.path.join(disk.point, "data")
    s.start()
    sent = {}
    for i in range(50):
        data = store.pattern(5000 + i, i)
        sent[s.put(data)["file_id"]] = data
    s.kill()
    disk.cut()
    s.data = os.path.join(disk.point, "data")
    s.start()
    for f in s.ids():
        assert s.get(f).content == sent[f]
    assert s.leftovers() == []
