"""What an operator meets: an index that is lost, options read again, and
messages that tell what to do.

SPDX-License-Identifier: Apache-2.0
"""
import glob
import os
import subprocess

import pytest

from store import BIN, pattern

pytestmark = pytest.mark.core


def lose_index(server, name):
    for path in glob.glob(os.path.join(server.data, "elements", name,
                                       "index.db*")):
        os.unlink(path)


@pytest.mark.parametrize("clean", [True, False])
def test_lost_index(make_server, clean):
    """Nothing is missing in silence, and the catalogue follows."""
    s = make_server()
    files = [(s.put(pattern(1000 + i), "f%d" % i)["file_id"], 1000 + i)
             for i in range(5)]
    gone = s.put(b"gone")["file_id"]
    assert s.http("DELETE", "/api/files/" + gone).status_code in (200, 204)
    if not clean:  # so that the superblock knows of an index at all
        s.stop()
        s.start()
        files.append((s.put(pattern(50), "late")["file_id"], 50))
    s.stop() if clean else s.kill()
    lose_index(s, "se-01")
    s.start()
    told = [line for line in s.log_lines() if line.get("level") == "WARNING"
            and "index" in line["message"]]
    assert len(told) == 1 and told[0]["se_id"] == "se-01"
    for file_id, size in files:
        assert s.get(file_id).content == pattern(size)
    listed = s.http("GET", "/api/files").json()
    assert {f["file_id"] for f in listed["files"]} == {f for f, _ in files}
    assert s.get(gone).status_code == 404
    s.stop()
    s.start()
    assert len([line for line in s.log_lines()
                if line.get("level") == "WARNING"
                and "index" in line["message"]]) == 1


def refusal(*options, cwd=None):
    """What a server that does not start says; it must not take long."""
    r = subprocess.run([BIN, "server", "--listen", "127.0.0.1:0", *options],
                       capture_output=True, timeout=60, cwd=cwd, text=True,
                       stdin=subprocess.DEVNULL, check=False)
    assert r.returncode == 1 and r.stdout == "", (r.returncode, r.stdout)
    return [line for line in r.stderr.splitlines()
            if line.startswith("artstore server: ")][0]


def test_refusals_name_the_folder_and_the_remedy(make_server, tmp_path):
    """D31; no sentence is cut."""
    s = make_server()
    two = ("--data-dir", s.data, "--storage-elements",
           "se-01:edit:elements/se-01,se-03:edit:elements/se-03")
    said = refusal("--data-dir", s.data)
    assert "elements/se-01" in said and said.endswith("stop that first"), said
    s.stop()
    said = refusal(*two)
    assert "elements/se-03:" in said and "storage init" in said, said
    os.mkdir(os.path.join(s.data, "elements", "se-03"))
    said = refusal(*two)
    assert "elements/se-03/superblock" in said, said
    assert "is its disk mounted?" in said and "storage init" in said
    with open(os.path.join(s.data, "elements/se-02/index.db"), "wb") as f:
        f.write(b"no database at all")
    said = refusal("--data-dir", s.data)
    assert "elements/se-02" in said and "move it away" in said, said
    lose_index(s, "se-02")  # as it says
    s.start()
    said = refusal("--data-dir", str(tmp_path / "x/y/z"))
    assert "find %s:" % (tmp_path / "x") in said, said
    said = refusal("--data-dir", str(tmp_path / "b"), "--hash", "fooo")
    assert "fooo" in said and "avx512+sha-ni" in said, said
    said = refusal("--data-dir", str(tmp_path / "c"), "--listen",
                   "192.0.2.1:80")
    assert "does not have that address (EADDRNOTAVAIL)" in said, said
