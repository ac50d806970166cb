"""Fixtures of the scenarios: a server per loop driver, its log on failure.

    server        one that many tests share, on each loop driver in turn
    make_server   starts one's own: make_server(loop=..., HEAD_TIMEOUT=1)
    loop          just the name of the driver
    pg            PostgreSQL, one for all tests of a file
    two_admins    a pair of Admins over one database of pg
    home          of tests that root runs: a folder that others get to
    cluster       a Cluster (cluster.py) of which nothing runs yet

Tests marked core also run sanitized; those that are not on io_uring run as an
ordinary user, see tools/suite. Without the program every test is skipped and
says so.

SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools"))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import postgres  # noqa: E402
import store  # noqa: E402
from cluster import Cluster  # noqa: E402

LOOPS = ["uring", "epoll"]
_started = []


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "core: also sanitized and as an ordinary user")
    config.addinivalue_line("markers", "slow: takes tens of seconds")


def pytest_collection_modifyitems(config, items):
    if not os.access(store.BIN, os.X_OK):
        why = pytest.mark.skip(reason="there is no %s" % os.path.relpath(
            store.BIN, store.ROOT))
        for item in items:
            if "needs_no_server" not in item.keywords:
                item.add_marker(why)


@pytest.fixture(scope="session", params=LOOPS)
def loop(request):
    if request.param not in store.loops():
        pytest.skip("this kernel or container does not allow io_uring")
    return request.param


@pytest.fixture(scope="session")
def shared_server(loop, tmp_path_factory):
    s = store.Server(tmp_path_factory.mktemp("server-" + loop), loop)
    s.own_key = True
    _started.append(s)
    s.start()
    yield s
    if s.alive():
        s.stop()
    _started.remove(s)
    shutil.rmtree(s.data, ignore_errors=True)


@pytest.fixture
def server(shared_server):
    """The shared one. A test that kills it fails, and alone: the next finds
    it started again over the same folder."""
    s = shared_server
    if not s.alive():
        s.kill()
        s.start()
    yield s
    if not s.alive():
        code = s.process.returncode if s.process else None
        pytest.fail("the server died with %s: %s" % (code, s.tail()))


@pytest.fixture
def make_server(tmp_path, request):
    """Servers of one test, ended with it: cleanly, unless it has failed."""
    mine = []

    def make(loop="auto", options=(), start=True, folder=None, **env):
        home = folder or tmp_path / ("s%d" % len(mine))
        os.makedirs(home, exist_ok=True)
        s = store.Server(home, loop, options, **env)
        mine.append(s)
        _started.append(s)
        return s.start() if start else s

    yield make
    failed = getattr(request.node, "failed_call", False)
    error = None
    for s in mine:
        _started.remove(s)
        if s.process is None:
            continue
        try:
            s.kill() if failed else s.stop()
        except AssertionError as e:
            error = error or e
    if error:
        raise error
    if not failed:  # pytest keeps the folders of three runs
        for s in mine:
            shutil.rmtree(s.data, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.failed_call = True
        for s in _started:
            report.sections.append(
                ("log of the server in %s" % s.folder, s.tail()))


@pytest.fixture
def cluster(tmp_path):
    c = Cluster(tmp_path)
    yield c
    c.close()


@pytest.fixture(scope="module")
def pg():
    if postgres.folder_of_programs() is None:
        pytest.skip("no PostgreSQL server is installed (package postgresql)")
    server = postgres.Postgres()
    yield server
    server.close()


@pytest.fixture
def two_admins(pg, make_server):
    """The second was acquainted with the first before its first start."""
    url = pg.database()
    two = []
    for _ in range(2):
        s = make_server(start=False, DATABASE_URL=url, DB_AUTO_MIGRATE="on")
        s.role = "admin"
        if two:
            store.acquaint(two[0], s)
        two.append(s.start())
    return two


@pytest.fixture
def home():
    """A folder of root's that another user can get to, with the program."""
    with tempfile.TemporaryDirectory(prefix="artstore-root-") as folder:
        os.chmod(folder, 0o755)
        shutil.copy(store.BIN, os.path.join(folder, "artstore"))
        try:
            subprocess.run([os.path.join(folder, "artstore"), "--version"],
                           check=True, stdout=subprocess.DEVNULL,
                           user=store.NOBODY, group=store.NOBODY,
                           extra_groups=[])
        except (PermissionError, subprocess.SubprocessError) as why:
            pytest.skip("no way to be another user here: %s" % why)
        yield folder
