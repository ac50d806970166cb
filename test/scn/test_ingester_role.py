"""artstore ingester: a gateway whose elements and Admin are other processes
(D02, ING-001...ING-027, CAP-008, D25).

SPDX-License-Identifier: Apache-2.0
"""
import pytest
import requests

import store
from cluster import Cluster, wait_for


@pytest.fixture
def cluster(tmp_path, loop):
    c = Cluster(tmp_path, loop)
    yield c
    c.close()


def test_files_go_in_and_out(cluster):
    """Redis, Admin, two elements and a gateway: a file in, listed, out, and
    deleted; then all of them end as they should."""
    c = cluster
    c.start_redis()
    c.start_admin()
    for ident, mode in (("se-01", "edit"), ("se-02", "rw")):
        c.start_element(ident, mode)
        c.register(ident, mode)  # Admin asks the element itself, no force
    g = c.start_gateway()
    for size in (20, 300 * store.KIB, 9 * store.MIB):
        body = store.pattern(size)
        up = g.put(body, "report-%d.pdf" % size)
        assert up["storage_element_id"] == "se-01"
        assert up["sha256_hash"] == store.sha256(body)
        got = g.get(up["file_id"])
        assert got.status_code == 200
        assert store.sha256(got.content) == store.sha256(body)
        assert up["file_id"] in g.ids()
        assert g.metadata(up["file_id"])["size_bytes"] == size
        r = g.http("DELETE", "/api/files/" + up["file_id"])
        assert r.status_code == 204
        assert up["file_id"] not in g.ids()
        assert g.get(up["file_id"]).status_code == 404
    kept = g.put(b"x" * 1000, "kept.txt", "&retention_policy=PERMANENT")
    assert kept["storage_element_id"] == "se-02"
    assert g.http("DELETE", "/api/files/" + kept["file_id"]).status_code == 400
    why = g.http("GET", "/api/v1/selection/explain?size=5").json()
    assert why["choice"] == "se-01" and why["source"] == "adaptive_monitor"
    assert [e["verdict"] for e in why["elements"]] == ["chosen", "wrong_mode"]
    # Nobody without a token, and no other role's routes.
    assert requests.get(g.url + "/api/files", timeout=10).status_code == 401
    assert g.http("GET", "/api/v1/capacity").status_code == 404
    c.stop()
