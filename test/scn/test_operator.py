"""What an operator meets: an index that is lost, options read again, and
messages that tell what to do.

SPDX-License-Identifier: Apache-2.0
"""
import glob
import json
import os
import pty
import shutil
import signal
import subprocess
import threading
import time

import pytest
import requests

from cluster import wait_for
from store import BIN, error_code, pattern, run

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
    # Two disks in each other's place.
    said = refusal("--data-dir", s.data, "--storage-elements",
                   "se-01:edit:elements/se-02,se-02:rw:elements/se-01")
    assert "se-01 what by its superblock is se-02 in " in said, said
    assert "elements/se-02:" in said and said.endswith("the element"), said
    # The first of the list has a later mode, of which nothing must be left.
    said = refusal("--data-dir", s.data, "--storage-elements",
                   "se-01:ar:elements/se-01,se-22:rw:elements/se-02")
    assert "se-22 what by its superblock is se-02 in " in said, said
    # A name that another element has had; with its own all is as before.
    rename = (BIN, "storage", "rename", "--path",
              os.path.join(s.data, "elements/se-01"), "--id")
    run(*rename, "se-02")
    said = refusal("--data-dir", s.data, "--storage-elements",
                   "se-02:ar:elements/se-01")
    assert "se-02 (to Admin it is " in said, said
    assert "elements/se-01:" in said and "storage rename" in said, said
    run(*rename, "se-01")
    with open(os.path.join(s.data, "elements/se-02/index.db"), "wb") as f:
        f.write(b"no database at all")
    said = refusal("--data-dir", s.data)
    assert "elements/se-02" in said and "move it away" in said, said
    lose_index(s, "se-02")  # as it says
    s.start()
    modes = [e["mode"] for e in s.http("GET", "/api/v1/storage-elements")
             .json()["storage_elements"]]
    assert modes == ["edit", "rw"], modes
    said = refusal("--data-dir", str(tmp_path / "x/y/z"))
    assert "find %s:" % (tmp_path / "x") in said, said
    said = run(BIN, "server", "--data-dir", str(tmp_path / "b"), "--hash",
               "fooo", code=78).stderr
    assert "fooo" in said and "avx512+sha-ni" in said, said
    said = refusal("--data-dir", str(tmp_path / "c"), "--listen",
                   "192.0.2.1:80")
    assert "does not have that address (EADDRNOTAVAIL)" in said, said


def test_lost_admin_db(make_server, tmp_path):
    """Elements and keys that are still there say whose catalogue is missing;
    what is not whole is refused, and then nothing is made."""
    s = make_server()

    def at(name, server=s):
        return os.path.join(server.data, name)

    file_id = s.put(b"mine")["file_id"]
    secret = at("credentials.json")
    with open(secret, encoding="ascii") as f:
        had = f.read()
    s.stop()

    def lose():
        for p in glob.glob(at("admin.db*")):
            os.remove(p)

    lose()
    os.rename(at("elements/se-02"), tmp_path / "se-02")
    for _ in range(2):
        said = refusal("--data-dir", s.data)
        assert "elements/se-02" in said and "mounted?" in said, said
    assert not os.path.exists(at("admin.db"))
    shutil.rmtree(at("elements/se-02"))
    os.rename(tmp_path / "se-02", at("elements/se-02"))
    os.rename(at("keys"), tmp_path / "keys")
    said = refusal("--data-dir", s.data)
    assert "keys/peers.key" in said and "runbook.md" in said, said
    assert not os.path.exists(at("keys"))
    os.rename(tmp_path / "keys", at("keys"))
    other = make_server()
    other.stop()
    said = refusal("--data-dir", s.data, "--storage-elements",
                   "se-01:edit:elements/se-01,se-02:rw:"
                   + at("elements/se-02", other))
    assert "restore the catalogue" in said, said
    for _ in range(2):
        s.start()
        assert s.ids() == [file_id]
        with open(secret, encoding="ascii") as f:
            assert f.read() == had
        r = requests.post(s.url + "/api/v1/auth/token", timeout=60,
                          data={"grant_type": "client_credentials"},
                          auth=tuple(json.loads(had)[k] for k in (
                              "client_id", "client_secret")))
        assert r.status_code == 200, r.text
        s.stop()
    lose()
    os.remove(at("catalogue.db"))
    s.start()
    assert s.ids() == [file_id]


# ---- options while it runs

def said(server, message, since=0):
    return [line for line in list(server.log_lines())[since:]
            if line["message"] == message]


def hang_up(server):
    """SIGHUP; the lines of the log that it brought. A loop that gets no turn
    for a second is not waited for: then once more, as the log says."""
    while True:
        lines = hang_up_once(server)
        if not any("try again" in x.get("detail", "") for x in lines):
            return lines


def hang_up_once(server):
    before = len(list(server.log_lines()))
    server.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 60
    while not said(server, "Keys reloaded", before):  # the last of them
        assert time.monotonic() < end and server.alive(), server.tail()
        time.sleep(0.05)
    return list(server.log_lines())[before:]


@pytest.fixture
def with_file(make_server, tmp_path, loop):
    """A server with a file of options that write() replaces."""
    path = tmp_path / "artstore.env"

    def write(**options):
        path.write_text("".join("%s=%s\n" % o for o in options.items()))

    write()
    s = make_server(loop, options=["--config", str(path)])
    s.write = write
    return s


def crowd(s):
    """What nine connections at a time are told."""
    many = []
    for _ in range(9):
        many.append(s.wire())
        many[-1].send(b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n")
    seen = [w.answer().status for w in many]
    for w in many:
        w.sock.close()
    assert set(seen) <= {200, 503}, seen
    return seen


def test_reload(with_file):
    """Options with "read again on SIGHUP" in doc/options.md hold afterwards,
    and the log says which do and which do not (CNF-007, PRD-193)."""
    s = with_file
    s.put(b"x" * (2 << 20))
    s.write(LOG_LEVEL="DEBUG", MAX_FILE_SIZE_MB=1, HEAD_TIMEOUT="1s",
            IDLE_TIMEOUT="400ms", MAX_CONNECTIONS_PER_ADDRESS=7,
            RETENTION_DEFAULT="PERMANENT", TOKEN_TTL=77, TTL_DEFAULT_DAYS=3,
            HEALTH_MEMORY_CRITICAL="on", STORAGE_HEADROOM_BYTES="4G",
            DISK_WORKERS=3)
    free = s.http("GET", "/api/v1/storage-elements").json()[
        "storage_elements"][0]["capacity_free"]
    lines = hang_up(s)
    told = [line["detail"] for line in lines
            if line["message"] == "Configuration"]
    assert len(told) == 11, told
    assert "DISK_WORKERS is changed; it needs a restart" in told
    assert "HEAD_TIMEOUT is changed" in told
    done = [x for x in lines if x["message"] == "Configuration reloaded"][0]
    assert (done["changed"], done["need_restart"]) == (10, 1)

    r = s.http("POST", "/api/files/upload?filename=f", data=b"x" * (2 << 20))
    assert r.status_code == 413, r.text
    j = s.put(b"small")
    assert s.metadata(j["file_id"])["storage_element_id"] == "se-02"
    health = s.http("GET", "/health/ready", token="").json()
    assert {c["name"]: c["critical"] for c in health["components"]}["memory"]
    with open(os.path.join(s.data, "credentials.json"), encoding="ascii") as f:
        account = json.load(f)
    r = requests.post(s.url + "/api/v1/auth/token", data={
        "grant_type": "client_credentials", "client_id": account["client_id"],
        "client_secret": account["client_secret"]}, timeout=60)
    assert r.json()["expires_in"] == 77, r.text
    after = s.http("GET", "/api/v1/storage-elements").json()[
        "storage_elements"][0]["capacity_free"]
    # Of a disk that others use too.
    assert free - after > 2 << 30, (free, after)
    with s.wire() as w:  # a head that does not come to its end
        w.send(b"GET /version HTTP/1.1\r\n")
        assert w.answer().status == 408
    # Those of before may linger for a moment, and a pause makes room.
    wait_for("seven at a time", lambda: 4 <= crowd(s).count(200) <= 7)
    wait_for("probes are told at DEBUG", lambda: s.http(
        "GET", "/health/live", token="") is not None and any(
            x.get("path") == "/health/live" for x in s.log_lines()))
    # Back again, and the same once more changes nothing.
    s.write()
    hang_up(s)
    s.put(b"x" * (2 << 20))
    done = said(s, "Configuration reloaded")
    assert done[-1]["changed"] == 10 and done[-1]["need_restart"] == 0
    hang_up(s)
    assert said(s, "Configuration reloaded")[-1]["changed"] == 0


def test_reload_with_a_mistake(with_file):
    """One mistake, and nothing of it holds."""
    s = with_file
    s.write(MAX_FILE_SIZE_MB=1, HEAD_TIMEOUT="nonsense")
    lines = hang_up(s)
    assert any(line["level"] == "ERROR" and "HEAD_TIMEOUT" in line["detail"]
               for line in lines if line["message"] == "Configuration")
    assert not [x for x in lines if x["message"] == "Configuration reloaded"]
    s.put(b"x" * (2 << 20))


def test_reload_under_load(with_file):
    """No request is lost or wrong while the loops stand still."""
    s = with_file
    stop, bad = threading.Event(), []

    def work(seed):
        data = pattern(300 << 10, seed)
        while not stop.is_set():
            try:
                if s.get(s.put(data)["file_id"]).content != data:
                    bad.append("other bytes")
            except Exception as e:  # pylint: disable=broad-except
                bad.append(repr(e))

    threads = [threading.Thread(target=work, args=(i,), daemon=True)
               for i in range(4)]
    for t in threads:
        t.start()
    for i in range(10):
        s.write(MAX_FILE_SIZE_MB=5 + i, SELECTOR_FILL_WIDTH=1 + i,
                SELECTOR_DATACENTER="dc%d" % i)
        assert [x for x in hang_up(s)
                if x["message"] == "Configuration reloaded"]
    stop.set()
    for t in threads:
        t.join()
    assert not bad, bad[:3]


def test_access_log_file(with_file, tmp_path):
    """ACCESS_LOG=PATH appends there, and SIGHUP opens it anew."""
    s = with_file
    log = tmp_path / "access.log"

    def paths(path=log):
        return [json.loads(line)["path"]  # but one that is being written
                for line in path.read_text().split("\n")[:-1]]

    def logged(*want):
        """Lines are written when a turn of the loop ends."""
        wait_for("it is in the log", lambda: log.exists() and
                 paths()[-1:] == list(want[-1:]))
        assert paths() == list(want)

    s.write(ACCESS_LOG=log)
    hang_up(s)
    s.http("GET", "/version?one", token="")
    logged("/version?one")
    assert not any(x.get("path") == "/version?one" for x in s.log_lines())
    assert log.stat().st_mode & 0o777 == 0o640
    log.rename(tmp_path / "access.log.1")
    hang_up(s)
    s.http("GET", "/version?two", token="")
    logged("/version?two")
    assert paths(tmp_path / "access.log.1") == ["/version?one"]
    s.write(ACCESS_LOG="off")
    hang_up(s)
    s.http("GET", "/version?three", token="")
    s.write(ACCESS_LOG=tmp_path / "no/such/folder/log")
    assert any("no/such/folder" in x.get("detail", "") for x in hang_up(s))
    s.write(ACCESS_LOG=log)
    hang_up(s)
    s.http("GET", "/version?four", token="")
    logged("/version?two", "/version?four")
    s.stop()
    s.start()  # with the file from the first line on
    s.http("GET", "/version?five", token="")
    wait_for("it is in the log", lambda: paths()[-1] == "/version?five")
    assert not any(x.get("path", "").startswith("/version?f")
                   for x in s.log_lines())


def test_startup_timeout(tmp_path):
    """PRD-170: a start that hangs ends; here on a key that never comes."""
    os.mkfifo(tmp_path / "key.pem")
    (tmp_path / "cert.pem").write_text("")
    began = time.monotonic()
    r = subprocess.run(
        [BIN, "server", "--data-dir", str(tmp_path / "d"), "--listen",
         "127.0.0.1:0", "--startup-timeout", "1", "--tls-cert-file",
         str(tmp_path / "key.pem"), "--tls-key-file",
         str(tmp_path / "key.pem")], capture_output=True, text=True,
        timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert r.returncode == 1 and r.stdout == "", r
    assert time.monotonic() - began > 0.9
    assert "name: nothing has moved for 1 s" in r.stderr
    assert '"level": "CRITICAL"' in r.stderr


def test_log_on_a_terminal(tmp_path):
    """JSON for machines, text for whoever sits there."""
    def first_log_line(**env):
        ours, theirs = pty.openpty()
        with subprocess.Popen(
                [BIN, "server", "--data-dir", str(tmp_path / "d"), "--listen",
                 "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=theirs,
                stdin=subprocess.DEVNULL, env={**os.environ, **env}) as p:
            os.close(theirs)
            assert p.stdout.readline().startswith(b"ready ")
            text = ""
            while "Starting ArtStore" not in text:
                text += os.read(ours, 65536).decode()
            p.terminate()
            assert p.wait(60) == 0
        os.close(ours)
        return [x for x in text.splitlines() if "Starting ArtStore" in x][0]

    assert not first_log_line().startswith("{")
    assert json.loads(first_log_line(LOG_FORMAT="json"))


# ---- what the messages tell

def data_file(s, j):
    return glob.glob(os.path.join(s.data, "elements", j["storage_element_id"],
                                  "data", "**", j["storage_filename"]),
                     recursive=True)[0]


def test_missing_data_is_called_missing(make_server, loop):
    """Not "its bytes do not match": the operator would look elsewhere."""
    s = make_server(loop)
    gone, short = s.put(b"x" * 1000), s.put(b"y" * 1000)
    os.unlink(data_file(s, gone))
    os.truncate(data_file(s, short), 10)
    r = s.get(gone["file_id"])
    assert (r.status_code, error_code(r)) == (500, "storage_corrupt")
    assert "its data is missing" in r.json()["message"]
    r = s.get(short["file_id"])
    assert "does not have the length" in r.json()["message"]
    for line in open(s.log, encoding="utf-8"):
        if '"download failed"' in line:
            pairs = json.loads(line, object_pairs_hook=list)
            assert len(dict(pairs)) == len(pairs), "a key stands there twice"
    assert [x for x in s.log_lines() if x["message"] == "download failed"
            and "its data is missing" in x["detail"]]


@pytest.mark.parametrize("size,at", [(1000, 10), (3 << 20, 2 << 20)])
def test_get_of_a_damaged_file(make_server, loop, tmp_path, size, at):
    """Exit code 6, and nothing stays that could be gone on from."""
    s = make_server(loop)
    j = s.put(pattern(size), "d.bin")
    with open(data_file(s, j), "r+b") as f:
        f.seek(at)
        f.write(b"damage")
    out = tmp_path / "out"
    out.mkdir()
    p = run(BIN, "get", j["file_id"], "--data-dir", s.data, "--retries", "1",
            code=None, cwd=out)
    assert p.returncode == 6, (p.returncode, p.stderr)
    assert os.listdir(out) == []
    assert "storage verify" in p.stderr


def test_no_element_of_that_mode(make_server, tmp_path):
    """Waiting cannot help: no Retry-After, and the client does not wait."""
    s = make_server(options=["--storage-elements", "se-01:edit:elements/a"])
    r = s.http("POST", "/api/files/upload?filename=f&retention_policy="
               "PERMANENT", data=b"x")
    assert (r.status_code, error_code(r)) == (503, "no_available_storage")
    assert "Retry-After" not in r.headers
    (tmp_path / "f").write_bytes(b"x")
    began = time.monotonic()
    p = run(BIN, "put", "--retention", "permanent", "--data-dir", s.data,
            tmp_path / "f", code=8)
    assert time.monotonic() - began < 5
    assert "mode rw" in p.stderr and "storage init" in p.stderr, p.stderr


def test_token_errors_have_a_request_id(make_server):
    """D16, as all others."""
    s = make_server()
    for form in ({"grant_type": "client_credentials", "client_id": "x",
                  "client_secret": "y"}, {"grant_type": "password"}):
        r = requests.post(s.url + "/api/v1/auth/token", data=form, timeout=60)
        assert r.status_code >= 400
        assert r.json()["request_id"] == r.headers["X-Request-ID"]
        error_code(r)


def test_storage_init_says_what_it_knows(make_server, tmp_path):
    s = make_server()

    def init(name, *words, code=0, **env):
        return run(BIN, "storage", "init", "--path", tmp_path / name, "--id",
                   "se-07", "--data-dir", s.data, *words, code=code,
                   env={k: str(v) for k, v in env.items()})

    out = init("a").stdout
    assert "from: default" in out and "--config" in out, out
    conf = tmp_path / "conf"
    conf.write_text("STORAGE_ELEMENTS=se-01:edit:elements/se-01\n")
    out = init("b", "--config", conf).stdout
    assert "STORAGE_ELEMENTS=se-01:edit:elements/se-01,se-07:rw:" in out
    assert "from: %s:1" % conf in out, out
    out = init("c", STORAGE_ELEMENTS="se-01:rw:/x").stdout
    assert "from: environment" in out, out
    p = init("a", code=1)
    assert "the folder is a storage element already" in p.stderr, p.stderr
    assert str(tmp_path / "a") in p.stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    p = init("full", code=1)
    assert "thesis.tex" in p.stderr and "empty folder" in p.stderr
    p = init("none/se-07", code=1)
    assert "make the folder above it first" in p.stderr, p.stderr
    p = init("d", "--id", "se 07", code=2)
    assert "id must be letters, digits, . - _" in p.stderr, p.stderr


def test_list_that_does_not_count(make_server):
    """What PATCH has set goes before STORAGE_ELEMENTS, and it is said."""
    s = make_server()
    assert s.http("PATCH", "/api/v1/storage-elements/se-01",
                  json={"mode": "rw"}).status_code == 200
    s.stop()
    s.options = ["--storage-elements",
                 "se-01:edit:elements/se-01,se-02:rw:elements/se-02:5"]
    before = len(list(s.log_lines()))
    s.start()
    told = [x for x in list(s.log_lines())[before:]
            if x["level"] == "WARNING" and "STORAGE_ELEMENTS" in x["message"]]
    assert [(x["se_id"], x["listed"], x["holds"]) for x in told] == [
        ("se-01", "edit", "rw"), ("se-02", 5, 100)], told


def test_first_credentials(make_server):
    """No member that is empty; the address is in server.json."""
    s = make_server()
    with open(os.path.join(s.data, "credentials.json"), encoding="ascii") as f:
        assert set(json.load(f)) == {"client_id", "client_secret"}


@pytest.mark.parametrize("topic,word", [
    ("exit-codes", "130"), ("environment", "ARTSTORE_TOKEN"),
    ("files", "server.json"), ("credentials", "--client-id")])
def test_help_topics(topic, word):
    assert word in run(BIN, "help", topic).stdout
    assert topic in run(BIN, "help").stdout
