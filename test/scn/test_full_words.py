"""What is said of an element on which nothing can be stored: that it is full,
and what has run out (STO-020, D06, D07).

Needs root, for a small file system of its own.

SPDX-License-Identifier: Apache-2.0
"""
import os
import time

import pytest

import store
from store import MIB, UPLOAD, run

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may mount a small file system")


@pytest.fixture
def small(tmp_path):
    """A server whose marks are the default ones, and its file system."""
    point = store.mount(tmp_path, "small", 300 * MIB, 110, "tmpfs")
    folder = tmp_path / "home"
    os.makedirs(folder)
    s = store.Server(folder, STORAGE_HEADROOM_INODES="16", STORAGE_ELEMENTS=(
        "se-01:edit:%s/a,se-02:rw:%s/b" % (point, point)))
    try:
        s.start()
        yield s, point
        s.stop()
    finally:
        s.kill()
        store.unmount(point)


def verdict(s, element="se-01"):
    o = s.http("GET", "/api/v1/selection/explain?size=6").json()
    return next(e for e in o["elements"] if e["element_id"] == element)


def until(what, why):
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, why
        time.sleep(0.2)


def test_no_inodes(small):
    s, point = small
    with pytest.raises(OSError):
        for i in range(200):
            open(os.path.join(point, "f%d" % i), "w").close()
    r = s.http("PUT", UPLOAD + "?filename=p", data=b"6 byte")
    assert r.status_code == 507, r.text
    e = r.json()["details"]["elements"][0]
    assert (e["verdict"], e["status"]) == ("no_inodes", "full"), e
    assert "has too few free inodes: 3 are needed, 0 are free" in e["reason"]
    assert verdict(s)["verdict"] == "no_inodes"
    shown = run(store.BIN, "status", "--url", s.url,
                env={"ARTSTORE_TOKEN": s.token()}, code=None).stdout
    assert "but 0 of 110 inodes are free" in shown, shown


def test_below_its_mark(small):
    """Only the headroom is left: 300 MiB / 8, at 88 %."""
    s, point = small
    free = os.statvfs(point)
    filler = os.path.join(point, "filler")
    with open(filler, "wb") as f:
        os.posix_fallocate(f.fileno(), 0,
                           free.f_bavail * free.f_frsize - 36 * MIB)
    r = s.http("PUT", UPLOAD + "?filename=p", data=b"6 byte")
    assert r.status_code == 507, r.text

    def capacity():
        return s.http("GET", "/api/v1/capacity?element_id=se-01").json()

    until(lambda: capacity()["available"] == 0, "room is left")
    c = capacity()
    assert (c["status"], c["percent_used"] < 98) == ("full", True), c
    assert verdict(s)["verdict"] == "no_space"
    os.remove(filler)
    until(lambda: capacity()["status"] == "ok", "it stays full")
    r = s.http("PUT", UPLOAD + "?filename=p", data=b"6 byte")
    assert r.status_code == 201, r.text
