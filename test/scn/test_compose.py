"""The scripts of deploy/compose do what compose.yml expects of them, with the
settings that stand there: on loopback, without containers. What holds the files
together is tools/composecheck.

SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import signal
import subprocess
import tempfile

import pytest
import requests

import postgres
import redis_server
import store
from cluster import wait_for
from ports import free_port

HERE = os.path.join(store.ROOT, "deploy", "compose")
ELEMENTS = ("se-dc1-01", "se-dc2-02")  # two of the six tell enough
PATIENCE_S = 300  # a dozen processes start; 3 s, but not on a busy machine
yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")


class World:
    """ROOT stands for the containers' file systems."""

    def __init__(self):
        with open(os.path.join(HERE, "compose.yml"), encoding="utf-8") as f:
            self.services = yaml.safe_load(f)["services"]
        self.root = tempfile.mkdtemp(prefix="artstore-compose-")
        os.chmod(self.root, 0o755)
        # PostgreSQL refuses root; whoever runs this may be root or not.
        self.user = postgres.NOBODY if os.geteuid() == 0 else None
        self.owner = "%d:%d" % ((self.user, self.user) if self.user
                                else (os.getuid(), os.getgid()))
        self.processes = []
        for v in self.services["init"]["volumes"]:
            source, place = v.split(":")[:2]
            if not source.startswith(".") and (
                    source in ELEMENTS or not source.startswith("se-")):
                os.makedirs(self.at(place))

    def at(self, place):
        return self.root + place

    def run(self, name, **env):
        """To its end, as the service runs it."""
        p = subprocess.run(["sh", os.path.join(HERE, name)], text=True,
                           capture_output=True, timeout=PATIENCE_S,
                           env=self.environ(env))
        assert p.returncode == 0, (name, p.stdout, p.stderr)
        return p.stdout

    def environ(self, env):
        return {"PATH": os.path.dirname(store.BIN) + ":" + os.environ["PATH"],
                **env}

    def spawn(self, words, user=None, stdin=subprocess.DEVNULL, **env):
        with open(self.at("/log"), "ab") as log:
            p = subprocess.Popen(
                words, stdin=stdin, stdout=log, stderr=log, cwd=self.root,
                env=self.environ(env),
                **({"user": user, "group": user, "extra_groups": []}
                   if user else {}))
        self.processes.append(p)
        return p

    def role(self, name, **changes):
        """The service NAME; its settings from compose.yml but for CHANGES."""
        s, port = self.services[name], free_port()
        env = {**s["environment"], **changes}
        p = self.spawn([store.BIN, *s["command"], "--threads", "1",
                        "--listen", "127.0.0.1:%d" % port],
                       **{k: v for k, v in env.items() if v is not None})
        url = "http://127.0.0.1:%d" % port

        def live():
            assert p.poll() is None, (name, self.read("/log")[-3000:])
            return answers(url + "/health/live")
        wait_for(name + " is live", live, PATIENCE_S)
        return url

    def close(self):
        for p in self.processes:
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
        for p in self.processes:
            try:
                p.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    def read(self, place):
        with open(self.at(place), encoding="utf-8") as f:
            return f.read()


def answers(url):
    try:
        return requests.get(url, timeout=60).status_code == 200
    except requests.ConnectionError:
        return False


@pytest.fixture
def world():
    w = World()
    yield w
    w.close()


def start_redis(w):
    """With the command of compose.yml, which makes its configuration."""
    redis_server.required()
    home, port = w.at("/redis"), free_port()
    os.makedirs(home)
    word = w.services["redis"]["command"]
    text = word[2].replace("$$", "$").replace("/tmp", home)
    text = text.replace("/shared/", w.at("/srv/shared/"))
    text += " --port %d --bind 127.0.0.1" % port
    w.spawn([*word[:2], text])
    return port


def start_postgres(w):
    home, port = w.at("/srv/postgres"), free_port()
    with open(os.path.join(HERE, "postgres.sh"), encoding="utf-8") as f:
        w.spawn(["sh"], user=w.user, stdin=f, PGDATA=home + "/data",
                PASSWORD_FILE=w.at("/srv/shared/postgres.password"),
                SOCKETS="", LISTEN="127.0.0.1", PGPORT=str(port))
    ready = os.path.join(postgres.folder_of_programs(), "pg_isready")
    wait_for("PostgreSQL is up: " + w.read("/log"), lambda: subprocess.run(
        [ready, "-q", "-h", "127.0.0.1", "-p", str(port)],
        check=False).returncode == 0, PATIENCE_S)
    return port


def test_from_init_to_an_upload(world):
    w = world
    if not postgres.folder_of_programs():
        pytest.skip("PostgreSQL is not installed (tools/deps, section test)")
    w.run("init.sh", ROOT=w.root, OWNER=w.owner)
    before = w.read("/srv/shared/database.url")
    # A second time nothing changes: no new password, no new element.
    w.run("init.sh", ROOT=w.root, OWNER=w.owner)
    assert w.read("/srv/shared/database.url") == before

    redis, database = start_redis(w), start_postgres(w)
    coordination = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis),
                    "REDIS_PASSWORD_FILE": w.at("/srv/shared/redis.password")}
    admin = w.role(
        "admin-module", DATA_DIR=w.at("/srv/admin/data"),
        DATABASE_URL_FILE=None, **coordination,
        DATABASE_URL=before.replace("postgres:5432", "127.0.0.1:%d" % database))
    w.run("keys.sh", ADMIN_URL=admin, SHARED=w.at("/srv/shared"),
          ADMIN_DATA=w.at("/srv/admin/data"))

    urls = {}
    for name in ELEMENTS:
        home = w.at("/srv/elements/" + name)
        urls[name] = w.role(name, DATA_DIR=home + "/run",
                            STORAGE_PATH=home + "/disk",
                            AUTH_PUBLIC_KEY_PATH=w.at("/srv/shared/jwks.json"))
    asked = w.services["register"]["environment"]["ELEMENTS"].split()
    asked = [a.split("http:", 1)[0] + urls[a.split(":")[0]]
             for a in asked if a.split(":")[0] in urls]
    how = {"ADMIN_URL": admin, "ADMIN_DATA": w.at("/srv/admin/data"),
           "ELEMENTS": " ".join(asked)}
    assert w.run("register.sh", **how).count("registered") == 2
    assert w.run("register.sh", **how).count("known already") == 2

    gateway = w.role(
        "gateway-2", DATA_DIR=w.at("/gateway"), AUTH_ADMIN_MODULE_URL=admin,
        ARTSTORE_CONFIG=w.at("/srv/shared/gateway.env"),
        **coordination,
        # A new Redis is used after one lease only; this one is short.
        CAPACITY_MONITOR_LEADER_TTL="4",
        CAPACITY_MONITOR_LEADER_RENEWAL_INTERVAL="1")
    ready = gateway + "/health/ready"
    wait_for("the gateway is ready", lambda: answers(ready), PATIENCE_S)

    def redis_is(word):
        checks = requests.get(ready, timeout=60).json()["checks"]
        return checks["redis"]["status"] == word
    wait_for("it has logged in to Redis", lambda: redis_is("ok"), PATIENCE_S)
    token = subprocess.run(
        [store.BIN, "token", "--data-dir", w.at("/srv/admin/data")],
        capture_output=True, text=True, check=True).stdout.strip()
    head = {"Authorization": "Bearer " + token}
    r = requests.post(gateway + store.UPLOAD + "?filename=a&retention_policy="
                      "PERMANENT", data=b"hello", timeout=PATIENCE_S, headers={
                          **head, "Content-Type": "text/plain"})
    assert r.status_code == 201, r.text
    assert r.json()["storage_element_id"] == "se-dc2-02"
