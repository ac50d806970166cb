"""What an operator meets: an index that is lost, options read again, and
messages that tell what to do.

SPDX-License-Identifier: Apache-2.0
"""
import glob
import os

import pytest

from store import pattern

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
