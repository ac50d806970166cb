"""What happens around a cluster, watched from outside: Redis' own record of
each command, a way to Redis that can be cut, and uploads that go on.

SPDX-License-Identifier: Apache-2.0
"""
import re
import select
import socket
import subprocess
import threading
import time

import requests

import store

LOCK = "capacity_monitor:leader_lock"
WRITES = {"SET", "HSET", "HMSET", "ZADD", "ZREM", "DEL"}


class Monitor:
    """Redis' MONITOR: who took the leader's lock under which epoch, and which
    guarded writes were carried out or refused. Times are Redis'."""

    def __init__(self, port):
        self.acquired = []  # (time, owner, epoch)
        self.freed = []     # time
        self.writes = []    # (time, owner, epoch, accepted)
        self._open = None
        self._epoch = None
        self.process = subprocess.Popen(
            ["redis-cli", "-p", str(port), "monitor"], text=True,
            errors="replace", stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        assert self.process.stdout

    def _read(self):
        for line in self.process.stdout:
            m = re.match(r"(\d+\.\d+) \[\d+ (\S+)\] (.*)", line)
            if m:
                words = re.findall(r'"((?:[^"\\]|\\.)*)"', m.group(3))
                self._line(float(m.group(1)), m.group(2) == "lua", words)
        self._end()

    def _line(self, at, lua, words):
        if not lua:
            self._end()
            # keys..., guard's key and its :epoch; then owner and epoch
            if words[0].upper() in ("EVALSHA", "EVAL") and LOCK in words and \
                    not words[3].startswith(LOCK):
                n = int(words[2])
                owner, epoch = words[3 + n:5 + n]
                self._open = [at, owner, int(epoch), False]
            return
        if self._open and words[0].upper() in WRITES:
            self._open[3] = True
        if words[:2] == ["SET", LOCK + ":epoch"]:
            self._epoch = int(words[2])
        elif words[:2] == ["SET", LOCK] and self._epoch:
            self.acquired.append((at, words[2], self._epoch))
            self._epoch = None
        elif words[:2] == ["DEL", LOCK]:
            self.freed.append(at)

    def _end(self):
        if self._open:
            self.writes.append(tuple(self._open))
        self._open = None

    def stale(self):
        """Writes carried out under another epoch than the newest."""
        out = []
        for at, owner, epoch, accepted in self.writes:
            taken = [a for a in self.acquired if a[0] <= at]
            if accepted and taken and (owner, epoch) != taken[-1][1:]:
                out.append((at, owner, epoch))
        return out

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.thread.join(10)


class Way:
    """A way to PORT that can be cut: nothing gets through any more, and no
    connection ends, as with a cable that is pulled."""

    def __init__(self, port):
        self.target = port
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.server.getsockname()[1]
        self.open = True
        self.answers = True  # False: requests arrive, answers do not
        self.closing = self.anew = False
        self.pairs = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.closing:
            if not self.open:
                time.sleep(0.02)
                continue
            if self.anew:
                self.anew = False
                while select.select([self.server], [], [], 0)[0]:
                    self.server.accept()[0].close()
                self._end()
            ends = [s for pair in self.pairs for s in pair]
            ready, _, _ = select.select([self.server, *ends], [], [], 0.05)
            for s in ready if self.open else []:
                if s is self.server:
                    self._join(s.accept()[0])
                else:
                    self._pass(s)

    def _join(self, a):
        try:
            b = socket.create_connection(("127.0.0.1", self.target), 5)
        except OSError:  # nobody there: as if it had said so itself
            a.close()
            return
        self.pairs.append((a, b))

    def _pass(self, s):
        pair = next((p for p in self.pairs if s in p), None)
        if not pair:
            return
        other = pair[1] if s is pair[0] else pair[0]
        try:
            data = s.recv(1 << 16)
            if data and s is pair[1] and not self.answers:
                return
            if data:
                other.sendall(data)
                return
        except OSError:
            pass
        self.pairs.remove(pair)
        for end in pair:
            end.close()

    def _end(self):
        for end in [s for pair in self.pairs for s in pair]:
            end.close()
        self.pairs = []

    def mend(self):
        """As new; what was connected is not any more."""
        self.anew = True
        self.answers = self.open = True

    def close(self):
        self.closing = True
        self.thread.join(10)
        self.server.close()
        self._end()


class Load:
    """Small uploads through GATEWAYS until it is stopped: one client each,
    every INTERVAL."""

    def __init__(self, gateways, interval=0.1):
        self.done = []  # (time, gateway, status, seconds, text of a failure)
        self.away = set()  # gateways that get nothing for now
        self.ending = threading.Event()
        self.interval = interval
        self.threads = [threading.Thread(target=self._run, args=(n, g),
                                         daemon=True)
                        for n, g in enumerate(gateways)]
        for t in self.threads:
            t.start()

    def _run(self, n, g):
        head = {"Authorization": "Bearer " + g.token()}
        i = 0
        while not self.ending.wait(self.interval):
            if n in self.away:
                continue
            i += 1
            begin = time.time()
            try:
                r = requests.post(
                    "%s%s?filename=l-%d-%d" % (g.url, store.UPLOAD, n, i),
                    data=b"some bytes", headers=head, timeout=60)
                status, text = r.status_code, r.text
            except requests.RequestException as e:
                status, text = 0, str(e)
            if n in self.away and status == 0:
                continue  # it was ended in the middle
            self.done.append((begin, n, status, time.time() - begin,
                              "" if status == 201 else text))

    def bad(self, since=0):
        return [d for d in self.done if d[2] != 201 and d[0] >= since]

    def count(self, since=0):
        return sum(d[0] >= since for d in self.done)

    def stop(self):
        self.ending.set()
        for t in self.threads:
            t.join(70)


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))]
