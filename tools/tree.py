"""The files of the project, as git knows them, for the scripts in tools/.

Tracked files and new ones that are not ignored; where there is no git (an
unpacked archive) the folder is walked instead. safe.directory is set on the
command line because the checkout may belong to another user, as in
containers and CI, and git then refuses to answer.

SPDX-License-Identifier: Apache-2.0
"""
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def git(*args):
    return subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", ROOT, *args],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
        text=True).stdout


def walk():
    skip = {".git", ".cache", "node_modules", "__pycache__"}
    for here, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders
                      if f not in skip and not f.startswith("build")]
        for name in names:
            yield os.path.relpath(os.path.join(here, name), ROOT)


def files(*suffixes, under=""):
    """Sorted paths relative to ROOT, of these suffixes (all if none)."""
    try:
        found = git("ls-files", "-co", "--exclude-standard", "-z").split("\0")
    except (OSError, subprocess.CalledProcessError):
        found = walk()
    return sorted(
        f for f in found
        if f and f.startswith(under) and f.endswith(suffixes or "")
        and os.path.isfile(os.path.join(ROOT, f)))


def lines(path):
    with open(os.path.join(ROOT, path), encoding="utf-8",
              errors="replace") as f:
        return f.read().split("\n")
