"""A server whose catalogue is in PostgreSQL: it does all that it does with
SQLite, says what is wrong with the database, and outlives its restarts.

SPDX-License-Identifier: Apache-2.0
"""
import os
import re

import requests

from store import acquaint, pattern, refused, sha256, until


def test_all_of_it(pg, make_server):
    s = make_server(DATABASE_URL=pg.database(), DB_AUTO_MIGRATE="on")
    kept = s.put(pattern(70000), name="kept.bin",
                 headers={"X-Metadata": '{"project": "apollo"}'})
    gone = s.put(b"x", name="gone.txt", query="&retention=temporary")
    assert s.get(kept["file_id"]).content == pattern(70000)
    assert sorted(s.ids()) == sorted([kept["file_id"], gone["file_id"]])
    assert s.ids("&name=KEPT*") == [kept["file_id"]]
    r = s.http("DELETE", "/api/files/" + gone["file_id"])
    assert r.status_code in (200, 204), r.text
    assert s.ids() == [kept["file_id"]]
    assert pg.sql("SELECT count(*) FROM file", "artstore") == [["1"]]
    until(lambda: pg.sql("SELECT count(*) > 0 FROM audit",
                         "artstore") == [["t"]])
    text = requests.get(s.url + "/metrics", timeout=60).text
    assert re.search(r'db_connections_max\{database="postgresql"\} 20', text)
    assert re.search(
        r'db_queries_total\{operation="insert",table="file"\} [1-9]', text)
    # A second start finds it all, and the same installation.
    s.stop()
    s.start()
    assert s.ids() == [kept["file_id"]]
    assert sha256(s.get(kept["file_id"]).content) == sha256(pattern(70000))
    with open(s.log, encoding="utf-8") as f:
        assert "secret-of-artstore" not in f.read()


def test_refusals(pg, make_server, tmp_path):
    url = pg.database()
    s = make_server(DATABASE_URL=url, start=False)
    refused(s, "earlier schema", "artstore migrate schema")
    s = make_server(DATABASE_URL=pg.url("nowhere"), start=False)
    refused(s, "nowhere", "createdb")
    s = make_server(DATABASE_URL=url.replace(str(pg.port), "1"), start=False)
    refused(s, "127.0.0.1:1", "does PostgreSQL run there")
    # A folder with SQLite files must not begin anew in an empty PostgreSQL.
    s = make_server()
    s.put(b"mine")
    s.stop()
    s.env.update(DATABASE_URL=url, DB_AUTO_MIGRATE="on")
    refused(s, "artstore migrate data")
    del s.env["DATABASE_URL"]
    s.start()
    assert len(s.ids()) == 1


def test_database_restarts(pg, make_server):
    """Killed -9 under the server: uploads go on all the while, and what was
    acknowledged is listed afterwards."""
    s = make_server(DATABASE_URL=pg.database(), DB_AUTO_MIGRATE="on")
    ids = [s.put(pattern(1000, i))["file_id"] for i in range(5)]
    pg.kill()
    ids += [s.put(pattern(1000, 10 + i))["file_id"] for i in range(5)]
    r = s.http("GET", "/api/files?limit=1")
    assert r.status_code == 503 and r.json()["error"] == "unavailable", r.text
    assert "The database does not answer" in r.text
    assert "secret" not in r.text

    def ready():
        r = requests.get(s.url + "/health/ready", timeout=60)
        assert "secret" not in r.text
        return r.status_code, next(x["message"] for x in r.json()["components"]
                                   if x["name"] == "database")
    until(lambda: ready()[0] == 503)
    until(lambda: "127.0.0.1:%d" % pg.port in ready()[1])
    pg.start()
    until(lambda: s.http("GET", "/api/files?limit=1").status_code == 200)
    ids += [s.put(pattern(1000, 20 + i))["file_id"] for i in range(5)]
    until(lambda: set(ids) == set(s.ids()), 60)


def test_two_servers(pg, make_server):
    """Two processes over one database see each other's files."""
    url = pg.database()
    a = make_server(DATABASE_URL=url, DB_AUTO_MIGRATE="on")
    one = a.put(b"of a")["file_id"]
    assert pg.sql("SELECT sum(files) FROM feed", "artstore") == [["1"]]
    b = make_server(DATABASE_URL=url, start=False)
    # The folder of an Admin without keys was not mounted: new ones would end
    # every token.
    b.own_key = True
    refused(b, "keys", "is DATA_DIR mounted", "keys/peers.key")
    assert os.listdir(b.data) == []
    acquaint(a, b)
    # Its folder has no elements, and only a first start makes them.
    refused(b, "storage init")
    assert a.ids() == [one]
