"""tools/cluster: all roles over nginx or HAProxy, PostgreSQL or SQLite, Redis
or Sentinel; files through every gateway; nothing left behind (issue 3, 1).

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import shutil
import subprocess

import pytest

import postgres
import store
from cluster import wait_for

TOOL = os.path.join(os.path.dirname(store.__file__), "..", "..", "tools",
                    "cluster")


class Tool:
    def __init__(self, folder):
        self.folder = os.path.join(str(folder), "cluster")

    def run(self, verb, *words, expect=0):
        # A new Redis is used after one lease only; this one is short.
        env = {**os.environ, "CAPACITY_MONITOR_LEADER_TTL": "4",
               "CAPACITY_MONITOR_LEADER_RENEWAL_INTERVAL": "1"}
        p = subprocess.run(
            [TOOL, verb, "--dir", self.folder, "--bin", store.BIN, *words],
            capture_output=True, text=True, env=env,
            timeout=180 * store.slow_build())
        assert p.returncode == expect, (p.stdout, p.stderr)
        return p.stdout + p.stderr

    def state(self):
        with open(os.path.join(self.folder, "cluster.json"),
                  encoding="utf-8") as f:
            return json.load(f)

    def settings(self):
        """Those of `env`, for the CLI."""
        return dict(line.removeprefix("export ").split("=", 1)
                    for line in self.run("env").splitlines())


@pytest.fixture
def tool(tmp_path):
    if not os.path.exists(TOOL):
        pytest.skip("tools/ is not beside the scenarios")
    t = Tool(tmp_path)
    yield t
    if os.path.exists(os.path.join(t.folder, "cluster.json")):
        t.run("down")


def cli(settings, *words):
    p = subprocess.run([store.BIN, *words], capture_output=True, timeout=120,
                       env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                            **settings})
    assert p.returncode == 0, p.stderr.decode()
    return p.stdout


def through_every_gateway(t, tmp_path):
    settings = t.settings()
    body = store.pattern(3 * store.MIB + 17)
    (tmp_path / "in.bin").write_bytes(body)
    gateways = t.state()["gateways"]
    ids = []
    for url in gateways:
        settings["ARTSTORE_URL"] = url
        o = json.loads(cli(settings, "put", "--json",
                           str(tmp_path / "in.bin")))
        assert o["sha256_hash"] == store.sha256(body)
        ids.append(o["file_id"])
    for url, ident in zip(gateways, reversed(ids)):  # by another gateway
        settings["ARTSTORE_URL"] = url
        out = str(tmp_path / ident)
        cli(settings, "get", ident, "-o", out)
        with open(out, "rb") as f:
            assert f.read() == body
    return settings


def test_two_datacentres(tool, tmp_path):
    if not shutil.which("nginx", path="/usr/sbin:/usr/bin"):
        pytest.skip("nginx is not installed (tools/deps, section test)")
    if not postgres.folder_of_programs():
        pytest.skip("PostgreSQL is not installed (tools/deps, section test)")
    tool.run("up", "--ingesters", "4", "--elements", "3")
    tool.run("up", expect=1)  # not twice
    settings = through_every_gateway(tool, tmp_path)
    seen = cli(settings, "status").decode()
    for ident in ("dc1-se-01", "dc1-se-03", "dc2-se-01", "dc2-se-03"):
        assert ident in seen
    processes = tool.state()["processes"]
    assert len(processes) == 2 + 1 + 6 + 2 + 4
    assert tool.run("status").count(" runs ") == len(processes)
    tool.run("stop", "postgres")  # Admin holds connections to it
    tool.run("start", "postgres")
    processes = tool.state()["processes"]
    victim = next(p for p in processes if p["name"] == "dc1-se-02")
    os.kill(victim["pid"], 9)
    wait_for("it is dead", lambda: not alive(victim["pid"]))
    assert "GONE" in tool.run("status", expect=1)
    assert "ended: 15 processes" in tool.run("down")
    assert not os.path.exists(tool.folder)
    for p in processes:
        assert not alive(p["pid"]), p
    tool.run("status", expect=1)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii",
                  errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_haproxy_and_sentinel(tool, tmp_path):
    if not shutil.which("haproxy", path="/usr/sbin:/usr/bin"):
        pytest.skip("HAProxy is not installed (tools/deps, section test)")
    tool.run("up", "--ingesters", "1", "--elements", "1", "--database",
             "sqlite", "--proxy", "haproxy", "--redis", "sentinel")
    through_every_gateway(tool, tmp_path)
    tool.run("down")


def test_trouble_is_told(tool):
    """What cannot start is named with the end of its log, and all goes."""
    out = tool.run("up", "--bin", "/bin/false", "--database", "sqlite",
                   expect=1)
    assert "admin ended with 1" in out, out
    assert "no cluster" in tool.run("status", expect=1)
