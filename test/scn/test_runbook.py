"""doc/runbook.md (CNF-023): every command in it runs, on a cluster of
tools/cluster; every alert's runbook_url points at a heading of it.

All blocks are one shell script that stops at the first command that fails, so
that what one block sets is there in the next, as for somebody who reads on.
Blocks of `sh postgres` are left out where there is no PostgreSQL.

SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import shutil
import subprocess

import pytest

import postgres
import redis_server
import store
from ports import free_port

PAGE = os.path.join(store.ROOT, "doc", "runbook.md")
ALERTS = os.path.join(store.ROOT, "monitoring", "prometheus", "alerts.yml")
TOOL = os.path.join(store.ROOT, "tools", "cluster")
PATIENCE_S = 600
# A new Redis is used after one lease only, and logs are pulled when polled.
QUICK = {"CAPACITY_MONITOR_LEADER_TTL": "4",
         "CAPACITY_MONITOR_LEADER_RENEWAL_INTERVAL": "1",
         "CAPACITY_MONITOR_BASE_INTERVAL": "2"}


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def blocks(text):
    """[(heading, words behind the fence, commands)]"""
    found, heading = [], ""
    for m in re.finditer(r"^#+ (.+)$|^```(.*)\n((?:(?!```).*\n)*)```$",
                         text, re.M):
        if m.group(1):
            heading = m.group(1)
        else:
            found.append((heading, m.group(2), m.group(3)))
    return found


def anchors(text):
    """Of headings, as hosts of git repositories make them; not of blocks."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    return {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-")
            for h in re.findall(r"^#+ (.+)$", text, re.M)}


@pytest.mark.needs_no_server
def test_alerts_have_a_place_in_it():
    text, rules = read(PAGE), read(ALERTS)
    names = re.findall(r"- alert: (\w+)", rules)
    urls = re.findall(r"runbook_url: (\S+)", rules)
    assert urls == ["doc/runbook.md#" + n.lower() for n in names]
    there = anchors(text)
    assert {n.lower() for n in names} <= there
    for link in re.findall(r"\]\(#([\w-]+)\)", text):
        assert link in there, link
    assert not [b for b in blocks(text)
                if b[1] not in ("sh", "sh postgres", "text")]
    assert len(blocks(text)) > 20  # they are found at all


@pytest.fixture
def place(tmp_path):
    """A folder like the checkout's, whose tools/cluster keeps to itself."""
    redis_server.required()
    if not shutil.which("redis-cli"):
        pytest.skip("redis-cli is not installed (tools/deps, section test)")
    os.makedirs(tmp_path / "tools")
    os.makedirs(tmp_path / "bin")
    os.symlink(store.BIN, tmp_path / "bin" / "artstore")
    tool = tmp_path / "tools" / "cluster"
    tool.write_text('#!/bin/sh\nexec %s "$@" --dir build/cluster --bin %s\n'
                    % (TOOL, store.BIN))
    tool.chmod(0o755)
    environ = {k: v for k, v in os.environ.items()
               if not k.startswith("ARTSTORE_")}
    environ.update(QUICK, PATH="%s:%s" % (tmp_path / "bin",
                                          os.environ["PATH"]),
                   SE_PORT=str(free_port()), GATEWAY_PORT=str(free_port()))

    def run(*words):
        return subprocess.run(words, cwd=tmp_path, env=environ,
                              stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=PATIENCE_S, check=False)
    up = run("tools/cluster", "up", "--database", "sqlite", "--datacentres",
             "1", "--proxy", "none")
    assert up.returncode == 0, up.stdout
    yield run
    down = run("tools/cluster", "down")
    assert down.returncode == 0, down.stdout


def test_every_command_runs(place):
    database = postgres.Postgres() if postgres.folder_of_programs() else None
    try:
        # What a block leaves in the background ends with the script.
        script = "trap 'kill $(jobs -p) 2>/dev/null || :' EXIT\n"
        if database:
            database.sql("CREATE DATABASE runbook OWNER artstore")
            # A variable of the shell only: Admin inherits what is exported.
            script += ("DATABASE_URL=postgresql://artstore:secret-of-artstore@"
                       "127.0.0.1:%d/runbook\n" % database.port)
        for heading, words, text in blocks(read(PAGE)):
            if words == "sh" or words == "sh postgres" and database:
                script += "echo '#### %s'\n%s" % (heading, text)
        p = place("bash", "-euo", "pipefail", "-c",
                  script + "echo '#### end'\n")
        last = p.stdout[p.stdout.rfind("####"):]
        assert p.returncode == 0 and last == "#### end\n", last[-3000:]
    finally:
        if database:
            database.close()
