"""cli_fake_server - a small artstore that says what a test tells it to say.

It keeps files in memory and speaks the part of the API that the client uses
(spec ING sections 2, 4, 8; D16, D21). What makes it worth having beside a real
server is `plan`: a list of faults, each used once, by the first request that
fits. A plan entry is a dict:

    match    substring of "METHOD path" (default: any)
    status   answer with this, and `code`, `message`, `details`, `retry_after`
    foreign  with a status: a page of this server, as a proxy makes one
    cut      send only so many bytes of the body, then close
    flip     change the byte at this offset of what is sent
    close    "head": close when the head was read; "body": when the body was;
             "port": in the middle of it, and nobody listens any more
    wrong    upload only: a dict that overrides members of the 201
    ignore_range   answer 200 with the whole, as a server without ranges would
    etag     another ETag than the right one
    pace     seconds to sleep between pieces of 16 KiB
    gate     an Event: what is behind half of a download waits for it

It listens on 127.0.0.1, any port. SPDX-License-Identifier: Apache-2.0
"""
import base64
import hashlib
import http.server
import json
import re
import socket
import socketserver
import threading
import time
import urllib.parse
import uuid

TOKEN = "eyJ.fake.token"
CLIENT = ("sa_test", "secret-of-sa_test")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "fake"

    def log_message(self, *args):
        pass

    # ---- answers ----

    def send(self, status, body=b"", headers=(), length=None):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers = list(headers) + [("Content-Type", "application/json")]
        self.send_response(status)
        self.send_header("X-Request-ID", self.request_id)
        for k, v in headers:
            self.send_header(k, v)
        if status != 204:
            self.send_header("Content-Length",
                             str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code, message, details=None, headers=()):
        body = {"error": code, "message": message,
                "request_id": self.request_id}
        if details is not None:
            body["details"] = details
        self.close_connection = True
        self.send(status, body, list(headers) + [("Connection", "close")])

    def page(self, fault):
        body = b"<html>no</html>"
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 %d No\r\nServer: %s\r\n"
                         b"Content-Length: %d\r\nConnection: close\r\n\r\n%s"
                         % (fault["status"], fault["foreign"].encode(),
                            len(body), body))
        self.linger()

    # ---- requests ----

    def take_fault(self):
        s = self.server.fake
        with s.lock:
            line = "%s %s" % (self.command, self.path)
            s.requests.append((line, dict(self.headers)))
            for f in s.plan:
                if f.get("match", "") in line:
                    s.plan.remove(f)
                    return f
        return {}

    def read_body(self, fault):
        out = []
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            while True:
                n = int(self.rfile.readline().split(b";")[0], 16)
                out.append(self.rfile.read(n))
                self.rfile.readline()
                if n == 0:
                    break
        else:
            left = int(self.headers.get("Content-Length", 0))
            while left:
                piece = self.rfile.read(min(left, 16384))
                if not piece:
                    break
                left -= len(piece)
                out.append(piece)
                if fault.get("pace"):
                    time.sleep(fault["pace"])
        return b"".join(out)

    def linger(self):
        """A close with bytes unread would reset what was just answered."""
        self.wfile.flush()
        self.connection.settimeout(10)
        try:
            self.connection.shutdown(socket.SHUT_WR)
            while self.connection.recv(65536):
                pass
        except OSError:
            pass

    def route(self):
        self.request_id = "req-" + uuid.uuid4().hex[:8]
        self.fault = fault = self.take_fault()
        if fault.get("close") in ("head", "port"):
            if fault["close"] == "port":
                self.rfile.read(1 << 20)
                self.server.shutdown()
                self.server.server_close()
            self.close_connection = True
            return
        if "status" in fault:
            extra = []
            if "retry_after" in fault:
                extra.append(("Retry-After", str(fault["retry_after"])))
            if fault.get("read"):
                self.read_body(fault)
            if "foreign" in fault:
                return self.page(fault)
            self.refuse(fault["status"], fault.get("code", "planned"),
                        fault.get("message", "as planned"),
                        fault.get("details"), extra)
            return self.linger()
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        if self.command == "POST":
            self.body = self.read_body(fault)
            if fault.get("close") == "body":
                self.close_connection = True
                return
        self.dispatch(url.path)

    do_GET = do_HEAD = do_POST = do_DELETE = route

    def dispatch(self, path):
        s = self.server.fake
        if path == "/health/ready":
            status = 503 if s.health.get("aggregate") == "fail" else 200
            return self.send(status, s.health)
        if path == "/version":
            return self.send(200, {"version": "9.9.9"})
        if path == "/api/v1/auth/token":
            return self.token()
        if self.headers.get("Authorization") != "Bearer " + s.token:
            return self.refuse(401, "unauthorized", "the token is not valid")
        if path == "/api/files/upload" and self.command == "POST":
            return self.upload()
        if path == "/api/files":
            return self.list()
        if path == "/api/v1/storage-elements":
            return self.send(200, {"storage_elements": s.elements})
        if path == "/api/v1/selection/explain":
            return self.send(200, dict(s.explain, query=self.query))
        m = re.fullmatch(r"/api/files/([0-9a-f-]{36})(/metadata)?", path)
        if not m:
            return self.refuse(404, "not_found", "there is no such path")
        entry = s.files.get(m.group(1))
        if not entry:
            return self.refuse(404, "file_not_found", "there is no such file")
        if m.group(2):
            return self.send(200, entry["attr"])
        if self.command == "DELETE":
            return self.delete(entry)
        self.download(entry)

    def token(self):
        s = self.server.fake
        form = dict(urllib.parse.parse_qsl(self.body.decode()))
        s.token_forms.append(form)
        if (form.get("client_id"), form.get("client_secret")) != CLIENT:
            return self.refuse(401, "invalid_client", "no such client")
        self.send(200, {"access_token": s.token, "token_type": "Bearer",
                        "expires_in": s.token_ttl,
                        "scope": form.get("scope", "read write delete")})

    def upload(self):
        s = self.server.fake
        q = self.query
        entry = s.add(self.body, q.get("filename", "unnamed"),
                      self.headers.get("Content-Type"),
                      q.get("retention_policy", "TEMPORARY"),
                      json.loads(q.get("metadata", "null")))
        names = ("file_id", "storage_element_id", "storage_filename",
                 "size_bytes", "md5_hash", "sha256_hash", "uploaded_at",
                 "original_filename")
        self.send(201, dict({k: entry["attr"][k] for k in names},
                            **self.fault.get("wrong", {})))

    def list(self):
        s = self.server.fake
        q = self.query
        limit = int(q.get("limit", 100))
        at = int(q.get("cursor", 0))
        files = [e["attr"] for e in s.files.values()]
        if "name" in q:
            files = [f for f in files if f["original_filename"] == q["name"]]
        page = files[at:at + limit]
        more = at + limit < len(files)
        self.send(200, {"files": page,
                        "next_cursor": str(at + limit) if more else None})

    def delete(self, entry):
        s = self.server.fake
        if entry["attr"]["retention_policy"] == "PERMANENT":
            return self.refuse(400, "file_in_readonly_storage",
                               "Cannot delete file from read-only Storage "
                               "Element")
        del s.files[entry["attr"]["file_id"]]
        self.send(204)

    def download(self, entry):
        fault, data = self.fault, entry["data"]
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        etag = fault.get("etag", '"%s"' % entry["attr"]["sha256_hash"][:16])
        head = [("ETag", etag), ("Accept-Ranges", "bytes")]
        if not self.server.fake.no_digest:
            head.append(("Repr-Digest", "sha-256=:%s:" % digest))
        if entry["disposition"]:
            head.append(("Content-Disposition", entry["disposition"]))
        m = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first, status = 0, 200
        if m and not fault.get("ignore_range") and \
                self.headers.get("If-Range", etag) == etag:
            first, status = int(m.group(1)), 206
            if first >= len(data):
                return self.send(416, b"", [("Content-Range",
                                             "bytes */%d" % len(data))])
            head.append(("Content-Range", "bytes %d-%d/%d" %
                         (first, len(data) - 1, len(data))))
        body = bytearray(data[first:])
        length = len(body)
        if "flip" in fault and fault["flip"] < len(body):
            body[fault["flip"]] ^= 1
        if "cut" in fault:
            del body[fault["cut"]:]
            self.close_connection = True
        if self.command == "HEAD" or not {"pace", "gate"} & set(fault):
            return self.send(status, bytes(body), head, length)
        self.send(status, b"", head, length)
        for i in range(0, len(body), 16384):
            if i >= len(body) // 2 and "gate" in fault:
                fault["gate"].wait(60)
            self.wfile.write(body[i:i + 16384])
            time.sleep(fault.get("pace", 0))


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # a client that goes away is part of the play


class FakeServer:
    """Started by its constructor; stop() ends it."""

    def __init__(self):
        self.files = {}
        self.plan = []
        self.requests = []
        self.token_forms = []
        self.token = TOKEN
        self.token_ttl = 3600
        self.no_digest = False
        self.health = {"status": "healthy", "aggregate": "ok", "checks": {}}
        self.elements = [
            {"element_id": "se-01", "mode": "edit", "priority": 10,
             "capacity_total": 1000 << 20, "capacity_used": 370 << 20,
             "capacity_free": 630 << 20, "capacity_percent": 37.0,
             "capacity_status": "ok", "health_status": "healthy",
             "pool_id": "p1"},
            {"element_id": "se-02", "mode": "rw", "priority": 20,
             "capacity_total": 1000 << 20, "capacity_used": 990 << 20,
             "capacity_free": 10 << 20, "capacity_percent": 99.0,
             "capacity_status": "full", "health_status": "degraded",
             "pool_id": "p2"}]
        self.explain = {"choice": "se-01", "elements": [
            {"element_id": "se-01", "mode": "edit", "priority": 10,
             "status": "ok", "available": 630 << 20, "verdict": "chosen",
             "reason": "first with room"},
            {"element_id": "se-02", "mode": "rw", "priority": 20,
             "status": "full", "available": 10 << 20, "verdict": "refused",
             "reason": "mode rw does not take TEMPORARY"}]}
        self.lock = threading.Lock()
        self.http = Server(("127.0.0.1", 0), Handler)
        self.http.fake = self
        self.url = "http://127.0.0.1:%d" % self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.02,),
                         daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    def add(self, data, name, content_type="application/octet-stream",
            retention="TEMPORARY", metadata=None, disposition=None):
        """Stores DATA and returns its entry; entry["attr"] is its JSON."""
        file_id = str(uuid.uuid4())
        attr = {"file_id": file_id, "storage_element_id": "se-01",
                "storage_filename": "stored_" + file_id,
                "size_bytes": len(data),
                "md5_hash": hashlib.md5(data).hexdigest(),
                "sha256_hash": hashlib.sha256(data).hexdigest(),
                "uploaded_at": "2025-01-02T15:30:45Z",
                "original_filename": name, "content_type": content_type,
                "retention_policy": retention, "expires_at": None,
                "uploaded_by": "sa_test", "metadata": metadata}
        entry = {"attr": attr, "data": data,
                 "disposition": disposition if disposition is not None else
                 "attachment; filename*=UTF-8''" + urllib.parse.quote(name)}
        with self.lock:
            self.files[file_id] = entry
        return entry
