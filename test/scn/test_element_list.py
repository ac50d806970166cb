"""What STORAGE_ELEMENTS says and what the registry knows: where the two differ,
health says so, with what to do.

SPDX-License-Identifier: Apache-2.0
"""
import glob
import os

import pytest

from cluster import wait_for
from store import BIN, error_code, run

pytestmark = pytest.mark.core

ONE, TWO = "se-01:edit:elements/se-01", "se-02:%s:elements/se-02"
THREE = "se-03:edit:elements/se-03:1"  # filled first


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


def start_with(server, *listed):
    server.env["STORAGE_ELEMENTS"] = ",".join(listed)
    before = len(list(server.log_lines())) if os.path.exists(server.log) else 0
    server.start()
    return [line for line in list(server.log_lines())[before:]
            if "STORAGE_ELEMENTS" in line["message"]]


def test_element_left_out(make_server):
    """A slip in the list: the start says so, health as long as it is so, and
    whoever asks for a file hears the cause. What holds no file is not missed,
    and what was removed on purpose no longer."""
    s = make_server(start=False)
    assert not start_with(s, ONE, TWO % "rw", THREE)
    two = [s.put(b"x")["file_id"], s.put(b"y")["file_id"]]
    assert s.metadata(two[0])["storage_element_id"] == "se-03"
    s.stop()
    said = start_with(s, ONE)
    assert [(x["level"], x["se_id"], x["files"]) for x in said] == [
        ("WARNING", "se-03", 2)], said  # se-02 is empty
    status, why = elements(s)
    assert (status, why) == ("degraded", "se-03 is not in STORAGE_ELEMENTS: "
                             "its 2 files cannot be read")
    r = run(BIN, "status", "--url", s.url, "--data-dir", s.data)
    assert "! storage_elements is degraded: se-03 is not in" in r.stdout
    for method in ("GET", "DELETE"):
        r = s.http(method, "/api/files/" + two[0])
        assert (r.status_code, error_code(r)) == (503, "storage_error"), r.text
        assert "se-03, which is not in this server's" in r.text, r.text
        assert "Retry-After" not in r.headers
    # Of a catalogue made anew they are not even part.
    s.stop()
    for path in glob.glob(os.path.join(s.data, "catalogue.db*")):
        os.remove(path)
    said = start_with(s, ONE)
    assert sorted(x["se_id"] for x in said) == ["se-02", "se-03"], said
    status, why = elements(s)
    assert status == "degraded" and "; 1 more like it" in why, why
    s.stop()
    assert not start_with(s, ONE, TWO % "rw", THREE)
    assert elements(s)[0] == "healthy" and sorted(s.ids()) == sorted(two)
    # Meant so: forgotten, and back again when it comes back.
    s.stop()
    start_with(s, ONE, TWO % "rw")
    gone = "/api/v1/storage-elements/se-03"
    assert s.http("DELETE", gone).status_code == 409
    r = s.http("DELETE", gone + "?force=true")
    assert r.status_code == 204, r.text
    wait_for("it is seen", lambda: elements(s)[0] == "healthy")
    assert s.get(two[0]).status_code == 404
    assert s.http("DELETE", gone).status_code == 404
    s.stop()
    assert not start_with(s, ONE, TWO % "rw", THREE)
    assert s.get(two[1]).content == b"y"
