"""A stream of unknown length outgrows the element that it went to: 503 with
Retry-After while another has room for more of it, and a repetition goes there;
507 with why for each where none has (D04, D06, D28).

Needs root, for small file systems.

SPDX-License-Identifier: Apache-2.0
"""
import os

import pytest

import store
from store import KIB, MIB, UPLOAD

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may mount a small file system")

PIECE = bytes(256 * KIB)
STEP = 64 * MIB


@pytest.fixture
def two(tmp_path):
    """se-01 has room for one step, se-03 for two."""
    points = [store.mount(tmp_path, name, size, 1000, "tmpfs")
              for name, size in (("a", 100 * MIB), ("b", 160 * MIB))]
    a, b = (os.path.join(p, "se") for p in points)
    folder = tmp_path / "home"
    os.makedirs(folder)
    s = store.Server(folder, STORAGE_HEADROOM_BYTES="64K",
                     STORAGE_HEADROOM_INODES="16",
                     STORAGE_ELEMENTS="se-01:edit:%s:10,se-03:edit:%s:20,"
                     "se-02:rw:%s-rw" % (a, b, b))
    try:
        s.start()
        yield s
        s.stop()
    finally:
        s.kill()
        for p in points:
            store.unmount(p)


def stream(s, size, ends):
    """A chunked upload of SIZE bytes. Without its end the server has read all
    there is when it refuses, so the answer is not lost to a reset."""
    with s.wire(seconds=60) as w:
        w.request("PUT", UPLOAD + "?filename=p", s.auth(),
                  "Transfer-Encoding: chunked")
        for _ in range(size // len(PIECE)):
            w.send(b"%x\r\n" % len(PIECE) + PIECE + b"\r\n")
        if ends:
            w.send(b"0\r\n\r\n")
        return w.answer()


def test_outgrown(two):
    s = two
    a = stream(s, STEP + 4 * len(PIECE), ends=False)
    assert (a.status, a.json()["error"]) == (503, "no_available_storage"), a
    assert "se-01" in a.json()["message"]
    assert int(a.get("Retry-After")) > 0
    assert s.leftovers() == []
    # The repetition goes where there is more.
    a = stream(s, STEP + 4 * len(PIECE), ends=True)
    assert a.status == 201, a
    file_id = a.json()["file_id"]
    assert a.json()["size_bytes"] == STEP + 4 * len(PIECE)
    assert s.http("GET", "/api/files/%s/metadata" % file_id).json()[
        "storage_element_id"] == "se-03"
    assert s.http("DELETE", "/api/files/" + file_id).status_code == 204
    # A length that is known goes by the order of filling, as before.
    r = s.http("PUT", UPLOAD + "?filename=q", data=bytes(KIB))
    assert r.json()["storage_element_id"] == "se-01", r.text
    # More than anybody has.
    a = stream(s, 2 * STEP + 4 * len(PIECE), ends=False)
    assert (a.status, a.json()["error"]) == (507, "insufficient_storage"), a
    told = {e["element_id"]: e["verdict"]
            for e in a.json()["details"]["elements"]}
    assert told == {"se-01": "no_space", "se-02": "wrong_mode",
                    "se-03": "no_space"}
    assert s.leftovers() == []
