"""artstore storage: one element in a process of its own (D02, D31, STO-016).

SPDX-License-Identifier: Apache-2.0
"""
import os
import subprocess

import pytest
import requests

import store


def init(folder, ident="se-dc1-01", mode="edit"):
    return subprocess.run(
        [store.BIN, "storage", "init", "--alone", "--path", folder, "--id",
         ident, "--mode", mode], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def element(tmp_path, server, loop):
    """One that believes the tokens of SERVER, as gateways of its Admin."""
    folder = tmp_path / "disk"
    made = init(str(folder))
    assert made.returncode == 0
    assert "--auth-public-key-path" in made.stdout, made.stdout
    public = tmp_path / "jwks.json"
    public.write_text(requests.get(
        server.url + "/.well-known/jwks.json", timeout=60).text)
    (tmp_path / "run").mkdir()
    e = store.Server(tmp_path / "run", loop, STORAGE_ELEMENT_ID="se-dc1-01",
                     STORAGE_PATH=str(folder), STORAGE_MODE="edit",
                     AUTH_PUBLIC_KEY_PATH=str(public))
    e.role = "storage"
    e.start()
    yield e
    e.stop()


def test_serves_alone(element, server):
    assert requests.get(element.url + "/health/ready", timeout=60).json()[
        "aggregate"] == "ok"
    url = element.url + "/api/v1/capacity"
    assert requests.get(url, timeout=60).status_code == 401
    token = server.token()
    a = requests.get(url, timeout=60,
                     headers={"Authorization": "Bearer " + token})
    assert a.status_code == 200
    assert a.json()["storage_id"] == "se-dc1-01"
    assert a.json()["mode"] == "edit" and a.json()["writable"]
    # What belongs to other roles is not here.
    for path in ("/api/files", "/api/v1/storage-elements",
                 "/.well-known/jwks.json"):
        assert requests.get(element.url + path, timeout=60, headers={
            "Authorization": "Bearer " + token}).status_code == 404
    paths = requests.get(element.url + "/openapi.json", timeout=60, headers={
        "Authorization": "Bearer " + token}).json()["paths"]
    assert "/api/v1/capacity" in paths and "/api/files" not in paths


def refused(element, **env):
    element.stop()
    was, element.env = element.env, {**element.env, **env}
    element.start(expect_ready=False)
    assert element.wait() == 1
    element.env = was
    return element.tail()


def test_refuses_another_element(element, tmp_path):
    """D31: two disks in each other's place, or no STORAGE_ELEMENT_ID."""
    folder = str(tmp_path / "disk")
    said = refused(element, STORAGE_ELEMENT_ID="se-77")
    assert "se-77 what by its superblock is se-dc1-01 in " + folder in said
    assert "STORAGE_ELEMENT_ID" in said
    words = ("storage", "rebuild", "--alone", "--data-dir", element.data)
    env = {**element.env, "STORAGE_ELEMENT_ID": "se-77"}
    for check in ([], ["--check"]):
        p = store.run(store.BIN, *words, *check, code=1, env=env)
        assert "se-77 what by its superblock is se-dc1-01" in p.stderr
        assert folder in p.stderr
    rename = (store.BIN, "storage", "rename", "--path", folder, "--id")
    for no_name in ("a:b", " se-77", "se-77 ", "se-77,se-78", "edit", ""):
        store.run(*rename, no_name, code=2)
    store.run(*rename, "se-79", "--data-dir", element.data, code=2)
    store.run(*rename, "se-79")
    store.run(store.BIN, "storage", "rename", "--alone", "--data-dir",
              element.data, "--id", "se-77", env=env)
    store.run(store.BIN, *words, env=env)
    element.env = env
    element.start()
    p = store.run(*rename, "se-78", code=8)  # it is served
    assert "another process serves it" in p.stderr, p.stderr


def test_modes_go_forward(element):
    """AMB-026. An element of any mode is ready while it is sound."""
    for mode in ("rw", "ro"):
        element.stop()
        element.env["STORAGE_MODE"] = mode
        element.start()
        r = requests.get(element.url + "/health/ready", timeout=60)
        assert (r.status_code, r.json()["aggregate"]) == (200, "ok"), r.text
    said = refused(element, STORAGE_MODE="edit")
    assert "edit the element se-dc1-01 (in ro already)" in said, said
    assert "STORAGE_MODE" in said
    element.start()


def test_refuses_a_foreign_folder(tmp_path, loop):
    """D31: a disk that is not mounted is not filled."""
    (tmp_path / "empty").mkdir()
    e = store.Server(tmp_path, loop, AUTH_ENABLED="off",
                     STORAGE_PATH=str(tmp_path / "empty"))
    e.role = "storage"
    e.start(expect_ready=False)
    assert e.wait() == 1
    assert "artstore storage init" in e.tail()
    assert os.listdir(tmp_path / "empty") == []


def test_needs_a_key(tmp_path, loop):
    assert init(str(tmp_path / "disk")).returncode == 0
    e = store.Server(tmp_path, loop, STORAGE_PATH=str(tmp_path / "disk"))
    e.role = "storage"
    e.start(expect_ready=False)
    assert e.wait() == 78
    assert "AUTH_PUBLIC_KEY_PATH" in e.tail()


def test_init_refuses_twice(tmp_path):
    assert init(str(tmp_path / "disk")).returncode == 0
    again = init(str(tmp_path / "disk"))
    assert again.returncode != 0 and "already" in again.stdout
