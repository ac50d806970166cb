"""HTTP/1.1 by hand: bytes out, an answer read strictly, bit by bit if need be.

What a library would forgive is what these tests are about: an answer here must
have CRLF line ends, one Content-Length or chunked, no byte too many, and the
connection must do what the Connection field says.

SPDX-License-Identifier: Apache-2.0
"""
import re
import socket
import ssl
import time


class Broken(AssertionError):
    """The peer sent something that is not HTTP/1.1, or hung up too early."""


class Answer:
    def __init__(self, status, reason, fields):
        self.status = status
        self.reason = reason
        self.fields = fields  # [(lower-case name, value)]
        self.body = b""

    def __repr__(self):
        return "<%d %s %r>" % (self.status, dict(self.fields), self.body[:200])

    def all(self, name):
        return [v for n, v in self.fields if n == name.lower()]

    def get(self, name, default=None):
        found = self.all(name)
        assert len(found) <= 1, "%s is there %d times" % (name, len(found))
        return found[0] if found else default

    @property
    def keeps(self):
        return "close" not in (self.get("connection") or "").lower()

    def json(self):
        import json
        return json.loads(self.body)


STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*)$")
FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$")


class Wire:
    """One connection. Everything waits at most SECONDS."""

    def __init__(self, port, seconds=30, tls=None, host="127.0.0.1",
                 receive_buffer=None):
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                 receive_buffer)
        self.sock.settimeout(seconds)
        self.sock.connect((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.buf = b""
        self.port = port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        if isinstance(data, str):
            data = data.encode("latin-1")
        self.sock.sendall(data)
        return self

    def request(self, method, path, *fields, body=None, host=True):
        """Sends one request; FIELDS are whole lines without their end."""
        lines = ["%s %s HTTP/1.1" % (method, path)]
        if host:
            lines.append("Host: 127.0.0.1:%d" % self.port)
        lines += fields
        if body is not None and not any(
                f.lower().startswith(("content-length", "transfer-encoding"))
                for f in fields):
            lines.append("Content-Length: %d" % len(body))
        head = "\r\n".join(lines) + "\r\n\r\n"
        return self.send(head.encode("latin-1") + (body or b""))

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise Broken("hung up after %r" % self.buf[-200:])
        self.buf += data

    def line(self):
        while b"\r\n" not in self.buf:
            if len(self.buf) > 65536:
                raise Broken("a line without end")
            self.fill()
        line, self.buf = self.buf.split(b"\r\n", 1)
        if b"\n" in line or b"\r" in line:
            raise Broken("bare CR or LF in %r" % line)
        return line

    def take(self, n):
        while len(self.buf) < n:
            self.fill()
        data, self.buf = self.buf[:n], self.buf[n:]
        return data

    def head(self):
        line = self.line()
        m = STATUS.match(line)
        if not m:
            raise Broken("status line %r" % line)
        fields = []
        while True:
            line = self.line()
            if not line:
                break
            f = FIELD.match(line)
            if not f:
                raise Broken("field %r" % line)
            fields.append((f.group(1).decode().lower(),
                           f.group(2).decode("latin-1")))
        return Answer(int(m.group(1)), m.group(2).decode("latin-1"), fields)

    def answer(self, method="GET", interim=False):
        """The next answer with its body; 1xx are skipped unless INTERIM."""
        while True:
            a = self.head()
            if a.status >= 200 or interim:
                break
        length, coding = a.get("content-length"), a.get("transfer-encoding")
        if a.status in (204, 304) or a.status < 200:
            if a.status != 304 and (length or coding):
                raise Broken("%d with a body" % a.status)
            return a
        if length is None and coding is None and a.keeps:
            raise Broken("no length and the connection stays")
        if length is not None and coding is not None:
            raise Broken("both lengths")
        if method == "HEAD":
            return a
        if coding is not None:
            a.body = self.chunks()
        elif length is not None:
            a.body = self.take(int(length))
        else:
            a.body = self.rest()
        return a

    def chunks(self):
        body = b""
        while True:
            size = int(self.line(), 16)
            if size == 0:
                while self.line():
                    pass
                return body
            body += self.take(size)
            if self.take(2) != b"\r\n":
                raise Broken("chunk without its end")

    def rest(self):
        """Everything up to the end of the connection."""
        while True:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                break
            if not data:
                break
            self.buf += data
        data, self.buf = self.buf, b""
        return data

    def closed(self, seconds=30):
        """Does the peer close, with no byte more, within SECONDS?"""
        if self.buf:
            return False
        self.sock.settimeout(seconds)
        try:
            data = self.sock.recv(1)
        except (ConnectionResetError, ssl.SSLEOFError):
            return True
        except (TimeoutError, socket.timeout):
            return False
        self.buf += data
        return not data

    def silent(self, seconds):
        """Does nothing arrive, and the connection stay, for SECONDS?"""
        if self.buf:
            return False
        old = self.sock.gettimeout()
        self.sock.settimeout(seconds)
        try:
            data = self.sock.recv(1)
            self.buf += data
            return False
        except (TimeoutError, socket.timeout):
            return True
        finally:
            self.sock.settimeout(old)

    def drip(self, data, gap, until):
        """Sends DATA a byte at a time, GAP seconds apart, as long as the peer
        listens. True when it hung up (or answered) before UNTIL seconds."""
        end = time.monotonic() + until
        self.sock.settimeout(gap)
        for i in range(len(data)):
            if time.monotonic() > end:
                return False
            try:
                self.sock.sendall(data[i:i + 1])
                got = self.sock.recv(65536)
                self.buf += got
                return True
            except (TimeoutError, socket.timeout):
                continue
            except OSError:
                return True
        return False
