"""kill -9 under mixed load, again and again: what was acknowledged is there
with its hash, what was not is whole or absent, nothing is left over, and the
index is what a rebuild would make of the sidecars (D10, D30, D33, D35).

ROUNDS (10) rounds in make test, 200 in make soak; the loop driver changes from
round to round. SEED repeats a run's choices, though not its timing.

SPDX-License-Identifier: Apache-2.0
"""
import os
import random
import threading
import time

import pytest
import requests
import urllib3

import store
from store import KIB, MIB, UPLOAD, pattern, run, sha256

ROUNDS = int(os.environ.get("ROUNDS", "10"))
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
SIZES = [0, 10, 500, 4 * KIB, 4 * KIB, 4 * KIB, 20 * KIB, 100 * KIB,
         300 * KIB, MIB, 5 * MIB, 12 * MIB]
CLIENTS = 12


class Book:
    """What the clients were told, under one lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.there = {}         # file_id -> sha256, acknowledged
        self.gone = set()       # delete acknowledged
        self.unsure = {}        # delete sent, no answer: either is right
        self.sent = set()       # sha256 of everything ever sent
        self.fresh = []         # acknowledged in this round
        self.wrong = []

    def wait(self, n, seconds=60):
        """Until so many files have been heard of: some load there must be."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self.lock:
                if len(self.there) + len(self.gone) >= n:
                    return
            time.sleep(0.01)

    def choose(self, rng):
        with self.lock:
            if not self.there:
                return None, None
            f = rng.choice(list(self.there))
            return f, self.there[f]


def client(s, book, rng, end):
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = "Bearer " + s.token()
    url, i = s.url, 0
    while not end.is_set():
        i += 1
        what = rng.random()
        try:
            if what < 0.6:
                put(session, url, book, rng)
            elif what < 0.85:
                get(session, url, book, rng)
            else:
                delete(session, url, book, rng)
        except (requests.RequestException, urllib3.exceptions.HTTPError,
                OSError):
            if end.is_set():
                return
            time.sleep(0.005)


def put(session, url, book, rng):
    data = pattern(rng.choice(SIZES) + rng.randrange(100),
                   rng.randrange(1 << 30))
    h = sha256(data)
    with book.lock:
        book.sent.add(h)
    policy = "PERMANENT" if rng.random() < 0.2 else "TEMPORARY"

    def chunks():
        for at in range(0, len(data), 50000):
            yield data[at:at + 50000]

    chunked = len(data) > 0 and rng.random() < 0.2
    r = session.post("%s%s?filename=k.bin&retention_policy=%s" % (
        url, UPLOAD, policy), data=chunks() if chunked else data, timeout=60)
    if r.status_code == 201:
        j = r.json()
        with book.lock:
            if j["sha256_hash"] != h:
                book.wrong.append("answered %s for %s" % (
                    j["sha256_hash"], h))
            book.there[j["file_id"]] = h
            book.fresh.append(j["file_id"])
    elif r.status_code not in (503, 507):
        with book.lock:
            book.wrong.append("put: %d %s" % (r.status_code, r.text[:200]))


def get(session, url, book, rng):
    f, h = book.choose(rng)
    if not f:
        return
    r = session.get("%s/api/files/%s" % (url, f), timeout=60)
    if len(r.content) != int(r.headers["Content-Length"]):
        raise OSError("cut off")  # which requests does not tell
    with book.lock:
        if f not in book.there:
            return  # deleted meanwhile
        if r.status_code != 200:
            book.wrong.append("get %s: %d" % (f, r.status_code))
        elif sha256(r.content) != h:
            book.wrong.append("get %s: other bytes" % f)


def delete(session, url, book, rng):
    f, h = book.choose(rng)
    if not f:
        return
    with book.lock:
        if book.there.pop(f, None) is None:
            return
        book.unsure[f] = h
    r = session.delete("%s/api/files/%s" % (url, f), timeout=60)
    with book.lock:
        if r.status_code == 204:
            book.unsure.pop(f)
            book.gone.add(f)
        elif r.status_code == 400:  # a PERMANENT one
            book.there[f] = book.unsure.pop(f)
        elif r.status_code not in (503, 507):
            book.wrong.append("delete: %d %s" % (r.status_code, r.text[:200]))


def judge(s, book, rng, everything):
    """The server is up again: does it keep what was promised?"""
    assert not book.wrong, book.wrong[:10]
    listed = set(s.ids())
    lost = set(book.there) - listed
    assert not lost, "%d acknowledged files lost: %s" % (
        len(lost), sorted(lost)[:5])
    back = listed & book.gone
    assert not back, "deleted files are back: %s" % sorted(back)[:5]
    old = list(book.there)
    look = old if everything else set(book.fresh) & set(old) | set(
        rng.sample(old, min(50, len(old))))
    for f in look:
        r = s.get(f)
        assert r.status_code == 200, (f, r.status_code)
        assert sha256(r.content) == book.there[f], "wrong bytes: " + f
    for f in rng.sample(sorted(book.gone), min(20, len(book.gone))):
        assert s.get(f).status_code == 404
    # Not acknowledged: whole, or absent; the answer was what got lost.
    for f in listed - set(book.there):
        r = s.get(f)
        assert r.status_code == 200, (f, r.status_code)
        h = sha256(r.content)
        assert h in book.sent, "a file that nobody sent: " + f
        assert s.metadata(f)["sha256_hash"] == h
        book.there[f] = h
    for f in list(book.unsure):
        if f not in listed:
            book.gone.add(f)
        del book.unsure[f]
    assert s.leftovers() == []


def rebuild_agrees(s):
    """The index is what the sidecars say."""
    out = run(store.BIN, "storage", "rebuild", "--check", "--data-dir",
              s.data, code=None)
    assert out.returncode == 0, out.stdout + out.stderr


@pytest.mark.core
@pytest.mark.slow
def test_kill9(make_server):
    print("SEED=%d ROUNDS=%d" % (SEED, ROUNDS))
    master = random.Random(SEED)
    s = make_server(start=False)
    book = Book()
    loops = store.loops()
    for n in range(ROUNDS):
        s.env["ARTSTORE_LOOP"] = loops[n % len(loops)]
        s.start(60)
        s.token()
        book.fresh = []
        end = threading.Event()
        threads = [threading.Thread(target=client, daemon=True, args=(
            s, book, random.Random(master.random()), end))
            for _ in range(CLIENTS)]
        for t in threads:
            t.start()
        time.sleep(master.uniform(0.2, 1.2) * store.slow_build())
        book.wait(5 * (n + 1) + 1)
        s.kill()
        end.set()
        for t in threads:
            t.join(60)
        if n % 10 == 0 or n == ROUNDS - 1:
            # Offline: a rebuild sees what the restart would have to repair,
            # so it comes after a start and a clean stop.
            s.start(60)
            s.stop()
            rebuild_agrees(s)
        s.start(60)
        judge(s, book, random.Random(n), everything=n == ROUNDS - 1)
        s.kill() if n % 3 == 0 else s.stop()
    assert len(book.there) + len(book.gone) > 5 * ROUNDS, "no load at all"
    s.start(60)
    judge(s, book, random.Random(0), everything=True)


def test_killed_while_recovering(make_server):
    """A recovery that is itself cut off, many times, ends well."""
    s = make_server()
    book = Book()
    end = threading.Event()
    threads = [threading.Thread(target=client, daemon=True, args=(
        s, book, random.Random(i), end)) for i in range(CLIENTS)]
    for t in threads:
        t.start()
    time.sleep(1)
    s.kill()
    end.set()
    for t in threads:
        t.join(60)
    for delay in (0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08):
        s.start(expect_ready=False)
        time.sleep(delay)
        s.kill()
    s.start(60)
    judge(s, book, random.Random(0), everything=True)
    s.stop()
    rebuild_agrees(s)


@pytest.mark.core
def test_index_is_only_a_cache(make_server, loop):
    """STO-038: without its databases the element knows everything again."""
    s = make_server(loop)
    data = {}
    for i in range(50):
        d = pattern(100 * i, i)
        data[s.put(d, "c%d.bin" % i)["file_id"]] = d
    gone = list(data)[7]
    assert s.http("DELETE", "/api/files/" + gone).status_code == 204
    del data[gone]
    before = {f: s.metadata(f) for f in data}
    s.stop()
    run(store.BIN, "storage", "rebuild", "--data-dir", s.data)
    rebuild_agrees(s)
    s.start()
    assert set(s.ids()) == set(data)
    for f, d in data.items():
        assert s.get(f).content == d
        assert s.metadata(f) == before[f]
