"""artstore admin: the registry in a process of its own (D02, ADM-001).

SPDX-License-Identifier: Apache-2.0
"""
import requests

import store


def test_serves_alone(tmp_path, loop):
    a = store.Server(tmp_path, loop)
    a.role = "admin"
    a.start()
    try:
        ready = requests.get(a.url + "/health/ready", timeout=60).json()
        assert ready["aggregate"] == "ok"
        assert "database" in ready["checks"]
        assert "storage_elements" not in ready["checks"]
        head = {"Authorization": "Bearer " + a.token()}
        got = requests.get(a.url + "/api/v1/storage-elements", headers=head,
                           timeout=60)
        assert got.status_code == 200
        assert got.json()["storage_elements"] == []
        keys = requests.get(a.url + "/.well-known/jwks.json", timeout=60)
        assert len(keys.json()["keys"]) == 1
        # Files and elements are other roles'.
        for method, path in (("POST", "/api/files/upload?filename=x"),
                             ("GET", "/api/v1/capacity")):
            assert requests.request(method, a.url + path, headers=head,
                                    data=b"x" if method == "POST" else None,
                                    timeout=60).status_code == 404
        a.stop()
        a.start()  # over the same folder, with the same key
        assert requests.get(a.url + "/.well-known/jwks.json",
                            timeout=60).json() == keys.json()
    finally:
        a.kill()
