"""Roles as processes of their own on loopback: Redis, Admin, elements and
gateways, each a store.Server or a Redis of redis_server.py.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import subprocess
import time

import requests

import redis_server
import store


def wait_for(what, condition, seconds=60):
    """Until CONDITION gives something true, which is returned."""
    end = time.monotonic() + seconds * store.slow_build()
    while True:
        got = condition()
        if got:
            return got
        assert time.monotonic() < end, what
        time.sleep(0.05)


class Cluster:
    """LOOP: the driver of all. Made in steps, ended by close()."""

    def __init__(self, folder, loop="auto"):
        self.folder = str(folder)
        self.loop = loop
        self.redis = None
        self.extra = []  # whatever has a stop() or close()
        self.admin = None
        self.elements = {}
        self.gateways = []

    def sub(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(path, exist_ok=True)
        return path

    def start_redis(self, *conf):
        self.redis = redis_server.Redis(self.sub("redis"), *conf)
        return self.redis

    def redis_env(self):
        return {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": self.redis.port} \
            if self.redis else {"REDIS_HOST": ""}

    def start_admin(self, **env):
        self.admin = store.Server(self.sub("admin"), self.loop,
                                  **{**self.redis_env(), **env})
        self.admin.role = "admin"
        self.admin.start()
        jwks = requests.get(self.admin.url + "/.well-known/jwks.json",
                            timeout=60).text
        self.jwks = os.path.join(self.folder, "jwks.json")
        with open(self.jwks, "w", encoding="ascii") as f:
            f.write(jwks)
        return self.admin

    def head(self):
        return {"Authorization": "Bearer " + self.admin.token()}

    def start_element(self, ident, mode="edit", disk=None, **env):
        """Made and started, but not registered."""
        disk = disk or os.path.join(self.sub(ident), "disk")
        if not os.path.exists(disk):
            store.run(store.BIN, "storage", "init", "--alone", "--path", disk,
                      "--id", ident, "--mode", mode)
        e = store.Server(self.sub(ident), self.loop,
                         STORAGE_ELEMENT_ID=ident, STORAGE_PATH=disk,
                         STORAGE_MODE=mode, AUTH_PUBLIC_KEY_PATH=self.jwks,
                         **env)
        e.role = "storage"
        e.start()
        self.elements[ident] = e
        return e

    def register(self, ident, mode="edit", priority=100, url=None, code=201):
        r = requests.post(
            self.admin.url + "/api/v1/storage-elements", headers=self.head(),
            json={"element_id": ident, "mode": mode, "priority": priority,
                  "api_url": url or self.elements[ident].url}, timeout=60)
        assert r.status_code == code, (r.status_code, r.text)
        return r.json()

    def start_gateway(self, ready=True, **env):
        """READY: waits until it can say where files go."""
        with open(os.path.join(self.admin.data, "gateway.json"),
                  encoding="utf-8") as f:
            account = json.load(f)
        n = len(self.gateways)
        conf = {"AUTH_ADMIN_MODULE_URL": self.admin.url,
                "SERVICE_ACCOUNT_CLIENT_ID": account["client_id"],
                "SERVICE_ACCOUNT_CLIENT_SECRET": account["client_secret"],
                "INGESTER_INSTANCE_ID": "gateway-%d" % n,
                **self.redis_env(), **env}
        g = store.Server(self.sub("gateway-%d" % n), self.loop, **conf)
        g.role = "ingester"
        g._token = self.admin._token  # users' tokens are Admin's
        g.token = self.admin.token
        g.start()
        self.gateways.append(g)
        if ready:
            self.await_ready(g)
        return g

    def await_ready(self, g):
        def is_ready():
            r = requests.get(g.url + "/health/ready", timeout=60)
            return r.status_code == 200
        try:
            wait_for("the gateway is ready", is_ready)
        except AssertionError as e:
            raise AssertionError("%s: %s; log: %s" % (
                e, requests.get(g.url + "/health/ready", timeout=60).text,
                g.tail())) from None

    def await_known(self, g, *idents, policy="TEMPORARY"):
        """A gateway is ready when it knows of one element that takes files:
        until G knows that each of IDENTS does."""
        def known():
            j = g.http("GET", "/api/v1/selection/explain?size=1"
                       "&retention_policy=" + policy).json()
            return set(idents) <= {e["element_id"] for e in j["elements"]
                                   if e["verdict"] in ("chosen", "waits")}
        wait_for("elements that take files: " + " ".join(idents), known)

    def processes(self):
        return [*self.gateways, *self.elements.values(),
                *([self.admin] if self.admin else [])]

    def stop(self):
        """Each in order; each must end with 0."""
        for p in self.processes():
            if p.process:
                p.stop()
        if self.redis:
            self.redis.stop()

    def close(self):
        for x in self.extra:
            (getattr(x, "stop", None) or x.close)()
        for p in self.processes():
            p.kill()
        if self.redis:
            self.redis.stop()
