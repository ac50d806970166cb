"""The client commands against a real server, as a shell script would use them.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from store import BIN, MIB, pattern, run, sha256

pytestmark = pytest.mark.core


@pytest.fixture
def cli(server, tmp_path):
    """Runs a command with the server's data folder; HOME is empty."""
    home = tmp_path / "home"
    home.mkdir()

    def call(*words, code=0, **kw):
        env = {"HOME": str(home), "DATA_DIR": server.data,
               "XDG_CONFIG_HOME": str(home / ".config"), **kw.pop("env", {})}
        return run(BIN, *words, code=code, env=env, **kw)

    call.data = server.data
    return call


def put(cli, path, *words):
    return json.loads(cli("put", "--json", *words, path).stdout)


def test_put_get(cli, server, tmp_path):
    f = tmp_path / "Report 2025.pdf"
    f.write_bytes(pattern(3 * MIB + 1))
    j = put(cli, f)
    assert j["sha256_hash"] == sha256(f.read_bytes())
    out = tmp_path / "out.pdf"
    cli("get", "-o", out, j["file_id"])
    assert out.read_bytes() == f.read_bytes()
    # An existing file is not replaced unasked.
    assert cli("get", "-o", out, j["file_id"], code=None).returncode != 0
    cli("get", "--force", "-o", out, j["file_id"])


def test_get_names_by_itself(cli, tmp_path):
    f = tmp_path / "name.txt"
    f.write_text("hello")
    j = put(cli, f)
    there = tmp_path / "there"
    there.mkdir()
    cli("get", j["file_id"], cwd=there)
    assert (there / "name.txt").read_text() == "hello"
    assert os.listdir(there) == ["name.txt"]


def test_get_resumes(cli, tmp_path):
    data = pattern(5 * MIB, 3)
    f = tmp_path / "big.bin"
    f.write_bytes(data)
    j = put(cli, f)
    out = tmp_path / "copy.bin"
    part = tmp_path / "copy.bin.part"
    part.write_bytes(data[:2 * MIB])
    cli("get", "-o", out, j["file_id"])
    assert out.read_bytes() == data
    assert not part.exists()
    # A part that is not of this file is not believed.
    out.unlink()
    part.write_bytes(b"\0" * MIB)
    p = cli("get", "-o", out, j["file_id"], code=None)
    assert (p.returncode == 0 and out.read_bytes() == data) or \
        p.returncode == 6


def test_put_folder_and_stdin(cli, tmp_path):
    d = tmp_path / "tree"
    (d / "sub").mkdir(parents=True)
    (d / "a.txt").write_text("a")
    (d / "sub" / "b.txt").write_text("b")
    os.symlink("/etc/passwd", d / "link")
    lines = cli("put", "--json", d).stdout.splitlines()
    assert len(lines) == 2
    p = subprocess.run([BIN, "put", "--json", "--name", "piped.bin", "-"],
                       input=pattern(MIB, 9), stdout=subprocess.PIPE,
                       env={**os.environ, "DATA_DIR": cli.data},
                       check=True)
    j = json.loads(p.stdout)
    assert j["sha256_hash"] == sha256(pattern(MIB, 9))


def test_ls_stat_rm(cli, server, tmp_path):
    f = tmp_path / "listed.txt"
    f.write_text("x")
    j = put(cli, f, "--metadata", "k=v")
    out = cli("ls", "--name", "listed.txt").stdout
    assert j["file_id"] in out
    found = [json.loads(line) for line in cli(
        "ls", "--json", "--all").stdout.splitlines()]
    assert j["file_id"] in {x["file_id"] for x in found}
    stat = cli("stat", "--json", j["file_id"]).stdout
    assert json.loads(stat)["metadata"]["k"] == "v"
    cli("rm", j["file_id"])
    assert cli("stat", j["file_id"], code=None).returncode == 3
    assert cli("rm", j["file_id"], code=None).returncode == 3


def test_se(cli):
    out = cli("se", "ls").stdout
    assert "se-01" in out and "se-02" in out
    out = cli("se", "why", "1M").stdout
    assert "se-01" in out and "se-02" in out
    p = cli("se", "why", "10000000T", code=None)
    assert p.returncode == 5
    assert "MAX_FILE_SIZE_MB" in p.stderr  # what `put` is told too


def test_status_and_version(cli):
    assert "healthy" in cli("status").stdout or "ok" in cli("status").stdout
    assert re.search(r"\d+\.\d+\.\d+", cli("version").stdout)


def test_token(cli, server):
    token = cli("token").stdout.strip()
    r = server.http("GET", "/api/files?limit=1", token=token)
    assert r.status_code == 200
    assert len(cli("token").stdout.strip().splitlines()) == 1


def test_exit_codes(cli, tmp_path):
    assert cli("no-such-command", code=None).returncode == 2
    assert cli("put", "--no-such-option", code=None).returncode == 2
    assert cli("get", "nonsense", code=None).returncode in (2, 3)
    p = cli("ls", "--url", "http://127.0.0.1:1", code=None)
    assert p.returncode == 7 and "127.0.0.1:1" in p.stderr
    p = cli("ls", "--token", "nonsense", code=None)
    assert p.returncode == 4
    assert "nonsense" not in p.stderr.replace("--token nonsense", "")
    p = cli("put", tmp_path / "absent", code=None)
    assert p.returncode != 0 and "absent" in p.stderr


def test_stdout_is_for_results(cli, tmp_path):
    """Not a terminal: no progress bar, no colours, nothing on stderr."""
    f = tmp_path / "f"
    f.write_bytes(pattern(MIB))
    p = cli("put", f)
    assert "\x1b" not in p.stdout + p.stderr
    assert "\r" not in p.stdout + p.stderr
    assert p.stderr == ""


def test_broken_pipe(cli, server, tmp_path):
    p = subprocess.run(["sh", "-c", '"$0" ls --all | head -n 1', BIN],
                       env={**os.environ, "DATA_DIR": server.data},
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert b"Aborted" not in p.stderr


def test_interrupted(server, tmp_path):
    """Ctrl-C in an upload: 130, and nothing stays."""
    p = subprocess.Popen([BIN, "put", "--name", "never", "-"],
                         stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                         stdout=subprocess.PIPE,
                         env={**os.environ, "DATA_DIR": server.data})
    p.stdin.write(bytes(3 * MIB))
    p.stdin.flush()
    time.sleep(0.5)
    p.send_signal(signal.SIGINT)
    assert p.wait(60) in (130, -signal.SIGINT)
    assert server.leftovers() == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell):
    out = run(BIN, "completion", shell).stdout
    for word in ("put", "get", "ls", "server", "token"):
        assert word in out
    if shell == "bash":
        run("bash", "-n", "-c", out)


def test_manual_page():
    out = run(BIN, "man").stdout
    assert out.startswith(".")
    p = run("groff", "-man", "-Tutf8", "-ww", "-z", input=out)
    assert p.stderr == ""


@pytest.mark.parametrize("words", [
    [], ["--help"], ["help"], ["put", "--help"], ["server", "--help"],
    ["help", "get"]])
def test_help(words):
    p = run(BIN, *words, code=None)
    assert p.returncode == (0 if words else p.returncode)
    text = p.stdout + p.stderr
    assert "artstore" in text
    for line in text.splitlines():
        assert len(line) <= 100, line
        assert not line.endswith(" "), line


def test_check_config(tmp_path):
    good = tmp_path / "good.env"
    good.write_text("DURABILITY=strict # as it should be\nLOG_LEVEL=DEBUG\n")
    run(BIN, "check-config", "--config", good)
    bad = tmp_path / "bad.env"
    bad.write_text("DURABILITY=strict\nAPP_PORT=99999\nNONSENSE=1\n")
    p = run(BIN, "check-config", "--config", bad, code=None)
    assert p.returncode != 0
    text = p.stdout + p.stderr
    assert "APP_PORT" in text and "99999" in text and "65535" in text
    assert "NONSENSE" in text
    p = run(BIN, "check-config", "gateway", code=2)
    assert "server, ingester, storage or admin" in p.stderr
    good.write_text("")  # no folder
    p = run(BIN, "server", "--data-dir", good, code=None)
    assert p.returncode != 0 and "DATA_DIR must be a folder" in p.stderr


@pytest.mark.parametrize("role,option,more", [
    ("server", "TLS_CERT_FILE", {"TLS_KEY_FILE": __file__}),
    ("server", "TLS_KEY_FILE", {"TLS_CERT_FILE": __file__}),
    ("server", "AUTH_PUBLIC_KEY_PATH", {}),
    ("admin", "AUTH_PUBLIC_KEY_PATH", {}),
    ("storage", "AUTH_PUBLIC_KEY_PATH", {}),
    ("ingester", "AUTH_PUBLIC_KEY_PATH", {}),
    ("ingester", "STORAGE_ELEMENT_CA_FILE", {}),
    ("ingester", "REDIS_TLS_CA_FILE", {"REDIS_TLS": "on"}),
    ("admin", "REDIS_TLS_CERT_FILE", {"REDIS_TLS": "on",
                                      "REDIS_TLS_KEY_FILE": __file__}),
    ("storage", "S3_CA_FILE", {"STORAGE_BACKEND": "s3"})])
def test_check_config_opens_files(tmp_path, role, option, more):
    """What the start would refuse: a file that is missing, or does not fit."""
    for path, why in [(tmp_path / "none.pem", "no such thing"), (BIN, "")]:
        p = run(BIN, "check-config", role, code=78,
                env={"REDIS_HOST": "redis.example", **more,
                     option: str(path)})
        told = [x for x in p.stdout.splitlines()
                if x.startswith("error: " + option) and why in x]
        # Both of a pair are read; which of them is at fault is said.
        assert told or (not why and more and "error: " in p.stdout), p.stdout


@pytest.mark.parametrize("role,option,value,more", [
    ("server", "ARTSTORE_HASH", "foo", {}),
    ("server", "AUTH_PUBLIC_KEY_PATH", "/no/such.pem", {}),
    ("admin", "AUTH_PUBLIC_KEY_PATH", "/no/such.pem", {}),
    ("server", "TLS_CERT_FILE", "/no/such.pem", {"TLS_KEY_FILE": __file__})])
def test_a_start_refuses_as_check_config(tmp_path, role, option, value, more):
    """In its words, and before a first start has made anything (PRD-187)."""
    env = {"DATA_DIR": str(tmp_path / "d"), **more,
           "ARTSTORE_LISTEN": "127.0.0.1:0", option: value}
    told = run(BIN, "check-config", role, env=env, code=78).stdout
    line, = [x for x in told.splitlines() if x.startswith("error: ")]
    assert option.replace("ARTSTORE_", "") in line and value in line
    assert run(BIN, role, env=env, code=78).stderr == line + "\n"
    assert not (tmp_path / "d").exists()


def test_check_config_of_a_gateway():
    """Without an account it starts, and is told that it will be refused."""
    p = run(BIN, "check-config", "ingester")
    assert "warning: SERVICE_ACCOUNT_CLIENT_ID is empty" in p.stdout
    p = run(BIN, "check-config", "ingester", "--no-auth-enabled")
    assert "SERVICE_ACCOUNT" not in p.stdout
    p = run(BIN, "check-config", "ingester", code=78,
            env={"SERVICE_ACCOUNT_CLIENT_ID": "a"})
    assert "SERVICE_ACCOUNT_CLIENT_SECRET is needed" in p.stdout
    # What it does not use is told by the name that was given.
    p = run(BIN, "check-config", "ingester", env={"ARTSTORE_TOKEN": "x"})
    assert "notice: ARTSTORE_TOKEN (environment)" in p.stdout


def test_words_that_are_not_known():
    p = run(BIN, "sim", "--faults", "cut,bogus", code=2)
    assert 'no "bogus"' in p.stderr and "failover" in p.stderr
    p = run(BIN, "sim", "--without", "belt", code=2)
    assert 'no "belt"' in p.stderr and "sit-out" in p.stderr


def test_an_address_to_listen_on(tmp_path):
    """One that is not this machine's (RFC 5737): the option is named."""
    p = run(BIN, "server", "--data-dir", tmp_path / "a", "--app-host",
            "203.0.113.7", code=1)
    assert "see APP_PORT and APP_HOST" in p.stderr
    p = run(BIN, "server", "--data-dir", tmp_path / "b", "--listen",
            "203.0.113.7:1", code=1)
    assert p.stderr.rstrip().endswith("see LISTEN")
