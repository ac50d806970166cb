"""What STORAGE_ELEMENTS says and what the registry knows: where the two differ,
health says so, with what to do.

SPDX-License-Identifier: Apache-2.0
"""
import pytest

from cluster import wait_for
from store import error_code

pytestmark = pytest.mark.core

ONE, TWO = "se-01:edit:elements/se-01", "se-02:%s:elements/se-02"


def elements(server):
    """The status of the part, and what it says."""
    c = [c for c in server.http("GET", "/health/ready", token="").json()
         ["components"] if c["name"] == "storage_elements"][0]
    return c["status"], c["message"]


def test_nobody_takes_permanent_files(make_server):
    """The list asks for mode rw, and the only such element was set to ro. Who
    says ro in the list too is content with it."""
    s = make_server()
    assert elements(s) == ("healthy", "2 of 2 healthy")
    r = s.http("PATCH", "/api/v1/storage-elements/se-02", json={"mode": "ro"})
    assert r.status_code == 200, r.text
    status, why = wait_for("it is seen", lambda: [
        x for x in [elements(s)] if x[0] != "healthy"])[0]
    assert status == "degraded" and "mode rw" in why, why
    r = s.http("POST", "/api/files/upload?filename=f", data=b"x",
               headers={"X-Retention-Policy": "PERMANENT"})
    assert (r.status_code, error_code(r)) == (503, "no_available_storage")
    assert "Retry-After" not in r.headers  # waiting does not help
    s.put(b"x")
    s.stop()
    s.env["STORAGE_ELEMENTS"] = ONE + "," + TWO % "ro"
    s.start()
    assert elements(s) == ("healthy", "2 of 2 healthy")
