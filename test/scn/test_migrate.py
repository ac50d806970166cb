"""`artstore migrate`: from SQLite files to PostgreSQL, also when it is killed
on the way. ALR-315 to ALR-324, ALR-327.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import pty
import signal
import sqlite3
import subprocess
import time

import pytest

from store import BIN, pattern, refused, run

TABLES = ["feed", "file", "copy", "element", "account", "audit", "setting",
          "audit_aside"]


@pytest.fixture
def migrate(pg):
    """Runs `artstore migrate WORD ...` towards a new database."""
    if pg.process is None:  # a test that failed left it so
        pg.start()
    url = pg.database()

    def call(word, *words, data=None, code=0, **env):
        e = {"DATABASE_URL": url, **env}
        if data:
            e["DATA_DIR"] = data
        return run(BIN, "migrate", word, *words, env=e, code=code)

    call.url = url
    return call


def fill(folder, n, seed=0):
    """N more files in the catalogue of FOLDER, as a server would have them:
    with names, users and metadata of all kinds."""
    db = sqlite3.connect(os.path.join(folder, "catalogue.db"))
    element = db.execute("SELECT min(n) FROM feed").fetchone()[0]
    names = ["a.txt", "caf\u00e9.pdf", "quote'd \"x\"", "tab\tname", "\u4e16"]
    meta = [None, '{"project":"apollo"}', '{"n":1.5,"x":null}', '{}']
    size = 0
    for i in range(n):
        file_id = (0x01941f2a0000 + i).to_bytes(6, "big") + bytes(
            [0x70, seed]) + i.to_bytes(8, "big")
        size += i
        db.execute(
            "INSERT INTO file VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (file_id, names[i % 5], "s%d" % i, "text/plain", "",
             "user-%d" % (i % 7), i, os.urandom(16), os.urandom(32),
             1700000000000 + i, 0, i % 2, meta[i % 4], 1))
        db.execute("INSERT INTO copy VALUES (?,?,1,?,0,1,?,?)",
                   (file_id, element, 10**6 + i, i, 2**32 - 1 - i))
    db.execute("UPDATE feed SET files = files + ?, bytes = bytes + ?"
               " WHERE n = ?", (n, size, element))
    db.commit()
    db.close()


@pytest.fixture
def source(make_server):
    """A server with SQLite that has run and ended."""
    s = make_server()
    s.files = [s.put(pattern(1000 + i, i), name="file-%d.bin" % i)["file_id"]
               for i in range(5)]
    gone = s.put(b"x", query="&retention=temporary")["file_id"]
    assert s.http("DELETE", "/api/files/" + gone).status_code == 204
    s.stop()
    return s


def counts(pg):
    return {t: int(pg.sql("SELECT count(*) FROM " + t, "artstore")[0][0])
            for t in TABLES}


def copied(pg):
    """Rows of the two tables that are copied first, by one question: the copy
    goes on meanwhile."""
    return int(pg.sql("SELECT (SELECT count(*) FROM file) +"
                      " (SELECT count(*) FROM copy)", "artstore")[0][0])


def slow(pg, seconds=0.005):
    """Each row of files takes so long: the copy is met in its middle
    however fast the machine is. With 0, as fast as it goes again."""
    pg.sql("DROP TRIGGER IF EXISTS slow ON file;"
           "CREATE OR REPLACE FUNCTION slow() RETURNS trigger AS"
           " 'BEGIN PERFORM pg_sleep(%g); RETURN NULL; END' LANGUAGE plpgsql"
           % seconds, "artstore")
    if seconds:
        pg.sql("CREATE TRIGGER slow BEFORE INSERT ON file FOR EACH STATEMENT"
               " EXECUTE FUNCTION slow()", "artstore")


def test_schema(pg, migrate, make_server):
    dry = migrate("schema", "--dry-run").stdout
    assert "catalogue 1" in dry and "admin 1" in dry and "pending" in dry
    assert pg.sql("SELECT to_regclass('file') IS NULL", "artstore") == [["t"]]
    assert "applied" in migrate("schema").stdout
    assert "nothing to do" in migrate("schema").stdout
    rows = pg.sql("SELECT part, version, length(checksum), applied_by FROM"
                  " schema_migrations ORDER BY part, version", "artstore")
    assert ["admin", "1", "64", "artstore"] in rows
    assert ["catalogue", "2", "64", "artstore"] in rows
    # A script that was changed afterwards is noticed.
    pg.sql("UPDATE schema_migrations SET checksum = 'x' WHERE part = 'admin'"
           " AND version = 1", "artstore")
    p = migrate("schema", code=1)
    assert "script 1 of admin" in p.stderr and "secret" not in p.stderr


def test_move(pg, migrate, source):
    fill(source.data, 3000)
    p = migrate("data", data=source.data, code=1)
    assert "artstore migrate schema" in p.stderr
    migrate("schema")
    status = migrate("status", data=source.data).stdout
    assert "not begun" in status and "3005" in status
    assert migrate("validate", data=source.data, code=3).stdout.count(
        "DIFFERS") >= 4
    out = migrate("data", "--batch-size", "700", data=source.data).stdout
    assert "3005 rows" in out
    told = [json.loads(line) for line in migrate(
        "validate", "--json", data=source.data).stdout.splitlines()]
    assert [t["table"] for t in told] == TABLES
    for t in told:
        assert t["same"] and t["sqlite_sha256"] == t["postgresql_sha256"], t
        assert t["sqlite"] == t["postgresql"]
    assert told[1]["sqlite"] == 3005 and told[5]["sqlite"] >= 1
    assert "copied" in migrate("status", data=source.data).stdout
    # Once more: nothing comes twice.
    assert "before" in migrate("data", data=source.data).stdout
    assert counts(pg)["file"] == 3005
    # Elsewhere what is written there from now on would be missing.
    other = {"data": source.data, "DATABASE_URL": pg.database("other")}
    migrate("schema", **other)
    for words in ((), ("--restart",)):
        said = migrate("data", *words, code=1, **other).stderr
        assert "moved to artstore at" in said and "--undo" in said, said
    assert pg.sql("SELECT count(*) FROM file", "other") == [["0"]]

    # The files are not taken any more, the PostgreSQL is: with all that was
    # there, the same installation, and new numbers behind the old ones.
    source.start(expect_ready=False)
    assert source.wait(20) != 0
    assert "moved to artstore at 127.0.0.1" in source.tail()
    source.env["DATABASE_URL"] = migrate.url
    source.start()
    assert source.get(source.files[3]).content == pattern(1003, 3)
    new = source.put(b"new")["file_id"]
    assert set(source.files + [new]) <= set(source.ids("&name=*"))
    source.stop()
    assert pg.sql("SELECT count(*) = count(DISTINCT n) FROM audit",
                  "artstore") == [["t"]]
    p = migrate("validate", data=source.data, code=3)
    assert "1 only there" in p.stdout
    # And back to the files, as they were then.
    migrate("data", "--undo", data=source.data)
    del source.env["DATABASE_URL"]
    source.start()
    assert source.files[0] in source.ids("&name=file-*")
    source.stop()


def test_kill(pg, migrate, source):
    """kill -9 in the middle, several times; the same command goes on."""
    fill(source.data, 6000)
    migrate("schema")
    slow(pg, 0.0002)
    env = {**os.environ, "DATABASE_URL": migrate.url,
           "DATA_DIR": source.data}
    seen, killed = 0, 0
    for _ in range(12):
        p = subprocess.Popen([BIN, "migrate", "data", "--batch-size", "20"],
                             env=env, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        while p.poll() is None and copied(pg) <= seen + 500:
            pass
        if p.poll() is not None:
            assert p.returncode == 0
            break
        p.send_signal(signal.SIGKILL)
        p.wait()
        killed += 1
        now = counts(pg)
        assert now["file"] + now["copy"] >= seen
        seen = now["file"] + now["copy"]
        # Batches are whole: the note says what is there.
        assert pg.sql(
            "SELECT rows_done FROM data_migrations WHERE table_name = 'file'",
            "artstore") == [[str(now["file"])]]
    assert killed >= 2
    slow(pg, 0)
    migrate("data", data=source.data)
    assert counts(pg)["file"] == 6005
    migrate("validate", data=source.data)


def test_database_dies(pg, migrate, source):
    """The same when it is the database that is killed."""
    fill(source.data, 2000)
    migrate("schema")
    slow(pg)
    p = subprocess.Popen(
        [BIN, "migrate", "data", "--batch-size", "20"],
        env={**os.environ, "DATABASE_URL": migrate.url,
             "DATA_DIR": source.data},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while p.poll() is None and copied(pg) < 300:
        pass
    pg.kill()
    _, said = p.communicate(timeout=60)
    pg.start()
    # Which server, or which commit, when it was lost in the middle of one.
    assert p.returncode == 1, said
    assert "127.0.0.1" in said or "nobody can say" in said, said
    assert "secret" not in said
    slow(pg, 0)
    migrate("data", data=source.data)
    migrate("validate", data=source.data)


def test_refusals(pg, migrate, source, make_server, tmp_path):
    assert "DATABASE_URL" in run(BIN, "migrate", "status", code=2).stderr
    migrate("schema")
    p = migrate("data", data=str(tmp_path), code=1)
    assert "admin.db" in p.stderr
    # A server that runs.
    source.start()
    p = migrate("data", data=source.data, code=4)
    assert "stop it first" in p.stderr
    source.stop()
    # Another run.
    holder = subprocess.Popen(
        [os.path.join(pg.bin, "psql"), "-X", "-h", pg.home, "-p",
         str(pg.port), "-U", "postgres", "artstore"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    holder.stdin.write("SELECT pg_advisory_lock(5929120364117553);\n")
    holder.stdin.flush()
    while pg.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
                 "artstore") == [["0"]]:
        time.sleep(0.05)
    assert "another" in migrate("data", data=source.data, code=4).stderr
    assert "another" in migrate("schema", code=4).stderr
    holder.communicate("\\q\n", timeout=60)
    # A database that is in use already.
    other = make_server(DATABASE_URL=migrate.url)
    other.stop()
    p = migrate("data", data=source.data, code=1)
    assert "empty database" in p.stderr
    p = migrate("data", "--restart", data=source.data, code=1)
    assert "another database" in p.stderr


def test_restart_of_a_copy(pg, migrate, source, make_server):
    """A source that went on after the copy had begun is copied anew."""
    fill(source.data, 1000)
    migrate("schema")
    slow(pg)
    p = subprocess.Popen(
        [BIN, "migrate", "data", "--batch-size", "10"],
        env={**os.environ, "DATABASE_URL": migrate.url,
             "DATA_DIR": source.data}, stdout=subprocess.DEVNULL)
    while p.poll() is None and copied(pg) < 100:
        pass
    assert p.poll() is None
    p.kill()
    p.wait()
    slow(pg, 0)
    # A server would make of the half of it an installation of its own, even
    # where only the last of the tables is missing.
    s = make_server(start=False, DATABASE_URL=migrate.url)
    refused(s, "has not ended", "artstore migrate data")
    pg.sql("UPDATE data_migrations SET finished = 1", "artstore")
    refused(s, "has not ended")
    pg.sql("INSERT INTO setting VALUES ('installation_id', 'x')", "artstore")
    p = migrate("data", data=source.data, code=1)
    assert "--restart" in p.stderr, p.stderr
    source.start()
    assert source.http("DELETE", "/api/files/" + source.files[0]
                       ).status_code in (204, 403, 409)
    source.put(b"later")
    source.stop()
    migrate("data", "--restart", data=source.data)
    migrate("validate", data=source.data)


def test_copy_of_another_build(pg, migrate, source):
    """An earlier one had fewer tables, and no note of its end: that is no copy
    which is under way, and a live catalogue is not emptied."""
    migrate("schema")
    migrate("data", data=source.data)
    pg.sql("DELETE FROM data_migrations"
           " WHERE table_name IN ('audit_aside', 'complete')", "artstore")
    source.env["DATABASE_URL"] = migrate.url
    source.start()
    new = source.put(b"only there")["file_id"]
    source.stop()
    for undone in (False, True):
        if undone:
            migrate("data", "--undo", data=source.data)
        p = migrate("data", "--restart", data=source.data, code=1)
        assert "another database" in p.stderr, p.stderr
        p = migrate("data", data=source.data, code=int(undone))
        assert ("taken back" in p.stderr if undone else
                "before" in p.stdout), p.stderr
    assert counts(pg)["file"] == 6
    source.start()
    assert source.get(new).content == b"only there"
    source.stop()
    # A later build copies more, and has not ended with what is unknown here.
    pg.sql("INSERT INTO data_migrations SELECT 'later', source, NULL, 0, 0, 0,"
           " 0, 0 FROM data_migrations WHERE table_name = 'file'", "artstore")
    refused(source, "has not ended")


def test_copy_that_was_taken_back(pg, migrate, source, make_server):
    """What was written to the files since would be missing in what was copied
    before. A run that died before its last word goes on."""
    died = ("UPDATE data_migrations SET finished = 0"
            " WHERE table_name = 'complete'")
    migrate("schema")
    migrate("data", data=source.data)
    for moved in (True, False):
        if not moved:
            migrate("data", "--undo", data=source.data)
        pg.sql(died, "artstore")
        refused(make_server(start=False, DATABASE_URL=migrate.url),
                "has not ended")
        if moved:  # there it is not emptied
            p = migrate("data", "--restart", data=source.data, code=1)
            assert "another database" in p.stderr, p.stderr
        migrate("data", data=source.data)
        assert pg.sql("SELECT count(*) FROM data_migrations"
                      " WHERE finished = 0", "artstore") == [["0"]]
        migrate("validate", data=source.data)
    migrate("data", "--undo", data=source.data)
    source.start()
    source.put(b"later")
    source.stop()
    p = migrate("data", data=source.data, code=1)
    assert "taken back" in p.stderr and "empty database" in p.stderr, p.stderr
    source.start()  # the files have not moved
    assert len(source.ids("&name=*")) == 6
    source.stop()


def test_progress_on_a_terminal(pg, migrate, source):
    fill(source.data, 500)
    migrate("schema")
    master, slave = pty.openpty()
    p = subprocess.Popen(
        [BIN, "migrate", "data", "--batch-size", "50"],
        env={**os.environ, "DATABASE_URL": migrate.url, "TERM": "xterm",
             "DATA_DIR": source.data}, stdout=slave, stderr=slave)
    os.close(slave)
    text = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        if not piece:
            break
        text += piece
    os.close(master)
    assert p.wait(60) == 0
    assert b"file     505 of 505 rows" in text
    assert b"\r\x1b[K" in text
