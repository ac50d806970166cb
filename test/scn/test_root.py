"""Storage commands that root runs on what is another user's (cli/owner.h).

SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import signal
import stat
import subprocess

import pytest

import store
from store import NOBODY

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="of root alone")


def give(folder):
    for at, folders, files in os.walk(folder):
        for name in [".", *folders, *files]:
            os.lchown(os.path.join(at, name), NOBODY, NOBODY)


def owners(folder):
    return {name: os.lstat(os.path.join(folder, name)).st_uid
            for name in [".", *os.listdir(folder)]}


def storage(*words, code=0, **env):
    return store.run(store.BIN, "storage", *words, code=code, env=env)


@pytest.fixture
def disk(home):
    folder = os.path.join(home, "disk")
    storage("init", "--alone", "--path", folder, "--id", "se-01")
    give(folder)
    return folder


def rebuild(home, disk, code=0):
    return storage("rebuild", "--alone", "--data-dir",
                   os.path.join(home, "none"), code=code, STORAGE_PATH=disk,
                   STORAGE_ELEMENT_ID="se-01")


def serve(home, role="storage", **env):
    os.makedirs(os.path.join(home, "run"), exist_ok=True)
    s = store.Server(os.path.join(home, "run"), AUTH_ENABLED="off", **env)
    s.program, s.user, s.role, s.own_key = (
        os.path.join(home, "artstore"), NOBODY, role, True)
    give(s.folder)
    s.start()
    return s


def test_follows_no_link(home, disk):
    """What may root, must not be done for whoever has the folder."""
    secret = os.path.join(home, "secret")
    os.mkdir(secret, 0o700)
    for name in ("index.db", "index.db-wal"):
        link = os.path.join(disk, name)
        os.symlink(os.path.join(secret, "preload"), link)
        os.lchown(link, NOBODY, NOBODY)
        p = rebuild(home, disk, code=1)
        assert "uid 65534" in p.stderr, p.stderr
        assert os.listdir(secret) == []
        os.unlink(link)
    os.unlink(os.path.join(disk, "index.db"))
    # Nor for whoever has the folder around a file of root's, or of a third.
    for uid in (0, 12345):
        os.chown(os.path.join(disk, "superblock"), uid, uid)
        p = rebuild(home, disk, code=1)
        assert "work as root in " + disk in p.stderr, p.stderr
        assert "index.db" not in os.listdir(disk)
    # Nor through a link that is not root's.
    os.chown(os.path.join(disk, "superblock"), NOBODY, NOBODY)
    for uid, code in ((NOBODY, 1), (0, 0)):
        os.symlink(disk, disk + str(uid))
        os.lchown(disk + str(uid), uid, uid)
        p = storage("rename", "--path", disk + str(uid), "--id", "se-01",
                    code=code)
        assert ("of links root follows only its own" in p.stderr) == bool(
            code), p.stderr
    os.symlink(secret, disk + "-new")
    os.lchown(disk + "-new", NOBODY, NOBODY)
    storage("init", "--alone", "--path", disk + "-new", "--id", "se-02",
            code=1)
    assert os.listdir(secret) == []


def test_killed_rebuild(home, disk):
    """Whenever it ends, the server can open what it leaves."""
    folder = os.path.join(disk, "data", "2026", "01", "02", "0001")
    os.makedirs(folder)
    fifo = os.path.join(folder, "x_20260102T030405_%s.bin.attr.json" % (
        "01890a5d-ac96-774b-bcce-b302099a8057"))
    os.mkfifo(fifo)  # which it does not get past
    give(disk)
    rebuilding = subprocess.Popen(
        [store.BIN, "storage", "rebuild", "--alone", "--data-dir", home],
        env={**os.environ, "STORAGE_PATH": disk,
             "STORAGE_ELEMENT_ID": "se-01"})
    try:
        store.until(lambda: rebuilding.poll() is not None or os.path.exists(
            os.path.join(disk, "index.db-wal")), 60 * store.slow_build())
        assert rebuilding.poll() is None
        with open("/proc/%d/status" % rebuilding.pid, encoding="ascii") as f:
            may = dict(line.rstrip("\n").split(":\t", 1) for line in f)
        for name in ("Uid", "Gid"):
            assert set(may[name].split()) == {str(NOBODY)}
        assert int(may["CapPrm"], 16) == 0
    finally:
        rebuilding.send_signal(signal.SIGKILL)
        rebuilding.wait()
    assert "index.db-wal" in os.listdir(disk)
    assert set(owners(disk).values()) == {NOBODY}, owners(disk)
    shutil.rmtree(os.path.join(disk, "data", "2026"))
    serve(home, STORAGE_PATH=disk, STORAGE_ELEMENT_ID="se-01").stop()


def test_rename(home, disk):
    """The mode stays as well; and what root left before is named."""
    superblock = os.path.join(disk, "superblock")
    for mode in (0o640, 0o600):
        os.chmod(superblock, mode)
        subprocess.run(["sh", "-c", "umask 077; exec \"$@\"", "-", store.BIN,
                        "storage", "rename", "--path", disk, "--id", "se-01"],
                       check=True)
        assert stat.S_IMODE(os.stat(superblock).st_mode) == mode
    os.chown(os.path.join(disk, "lock"), 0, 0)
    os.chmod(os.path.join(disk, "lock"), 0o600)
    p = storage("rename", "--path", disk, "--id", "se-02", code=1)
    assert "lock in " + disk in p.stderr and "chown -h" in p.stderr, p.stderr
    give(disk)
    # Root that may not be another user: nothing is changed.
    for lacks in ("setuid", "setgid"):
        p = store.run("setpriv", "--bounding-set=-" + lacks, store.BIN,
                      "storage", "rename", "--path", disk, "--id", "se-02",
                      code=1)
        assert "sudo -u '#65534'" in p.stderr, p.stderr
        assert set(owners(disk).values()) == {NOBODY}, owners(disk)
    rebuild(home, disk)
    assert set(owners(disk).values()) == {NOBODY}, owners(disk)


def test_init(home):
    """As the user of the server that it is for."""
    words = ("init", "--alone", "--id", "se-01", "--path")
    folder = os.path.join(home, "alone")
    p = storage(*words, folder)
    assert "chown -R USER " + folder in p.stderr, p.stderr
    shutil.rmtree(folder)
    os.mkdir(folder)
    give(folder)
    storage(*words, folder)
    assert set(owners(folder).values()) == {NOBODY}, owners(folder)
    s = serve(home, "server")
    words = ("init", "--data-dir", s.data, "--id", "se-03", "--path")
    folder = os.path.join(home, "se-03")
    try:
        p = storage(*words, folder, code=1)  # HOME is root's
        assert "mkdir " + folder in p.stderr, p.stderr
        assert "install -d -o 65534" in p.stderr, p.stderr
        assert not os.path.exists(folder)
        os.mkdir(folder)
        p = storage(*words, folder, code=1)
        assert os.listdir(folder) == []
        give(folder)
        p = storage(*words, folder)
        assert set(owners(folder).values()) == {NOBODY}, owners(folder)
        assert set(owners(s.data).values()) == {NOBODY}, owners(s.data)
        line = [x for x in p.stdout.splitlines()
                if x.startswith("STORAGE_ELEMENTS=")]
        s.stop()
        s.env["STORAGE_ELEMENTS"] = line[0].split("=", 1)[1]
        s.start()
    finally:
        s.stop()
