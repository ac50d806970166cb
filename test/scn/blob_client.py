"""What a gateway says to an element in another process, in Python: the paths of
src/wire/blobs.h, with footers and trailers made and checked here.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import json
import os
import struct
import time

import requests

BLOCK = 256 << 10
_TABLE = []
for _i in range(256):
    for _ in range(8):
        _i = _i >> 1 ^ (0x82F63B78 if _i & 1 else 0)
    _TABLE.append(_i)


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    table = _TABLE
    for b in data:
        crc = table[(crc ^ b) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def footer(data):
    return b"ASF1" + struct.pack("<IQ", crc32c(data), len(data))


def uuid7():
    ms = int(time.time() * 1000)
    b = bytearray(ms.to_bytes(6, "big") + os.urandom(10))
    b[6], b[8] = b[6] & 15 | 0x70, b[8] & 63 | 0x80
    h = b.hex()
    return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))


class Blobs:
    """Calls on the element at URL; each gives requests' answer back."""

    def __init__(self, url, token=None, seconds=60):
        self.base = url + "/api/v1/blobs"
        self.seconds = seconds
        self.headers = token and {"Authorization": "Bearer " + token}

    def call(self, method, path, **kw):
        """Over a connection of its own, so that the calls of one upload meet
        all loops of the element."""
        return requests.request(method, self.base + path,
                                headers=self.headers or None,
                                timeout=self.seconds, **kw)

    @staticmethod
    def file(file_id, data, name="a.bin"):
        return {"file_id": file_id, "original_filename": name,
                "storage_filename": "", "content_type": "text/plain",
                "content_encoding": "", "uploaded_by": "scenario",
                "size_bytes": len(data),
                "md5_hash": hashlib.md5(data).hexdigest(),
                "sha256_hash": hashlib.sha256(data).hexdigest(),
                "uploaded_at": None, "expires_at": None,
                "retention_policy": "PERMANENT",
                # The element's to fill in:
                "storage_element_id": "", "format": 1, "epoch": 0, "seq": 0,
                "element_uuid": "00000000-0000-0000-0000-000000000000",
                "state": "committed", "stored_size": 0,
                "stored_crc32c": "00000000"}

    def put(self, file_id, data, attempt=1):
        head = json.dumps({"file": self.file(file_id, data)}).encode()
        return self.call("PUT", "/%s/%d/put?head=%d" % (
            file_id, attempt, len(head)),
            data=head + data + footer(head + data))

    def admit(self, file_id, size, attempt=1):
        return self.call("POST", "/%s/%d/admit" % (file_id, attempt),
                         json={"size": size})

    def append(self, file_id, off, data, attempt=1):
        return self.call("PUT", "/%s/%d/append?off=%d" % (
            file_id, attempt, off), data=data + footer(data))

    def publish(self, file_id, data, attempt=1):
        return self.call("POST", "/%s/%d/publish" % (file_id, attempt), json={
            "length": len(data), "crc32c": "%08x" % crc32c(data),
            "file": self.file(file_id, data)})

    def upload(self, file_id, data, known=True):
        """In one segment; the answer of the publish."""
        r = self.admit(file_id, len(data) if known else None)
        assert r.status_code in (200, 201), r.text
        r = self.append(file_id, 0, data)
        assert r.status_code == 200, r.text
        return self.publish(file_id, data)

    def read(self, file_id, off, n):
        """N bytes from OFF, a multiple of BLOCK; None: there is no such
        file."""
        r = self.call("GET", "/%s/blocks?off=%d&n=%d&verify=1" % (
            file_id, off, n))
        if r.status_code == 404:
            return None
        assert r.status_code == 200, r.text
        out, body = b"", r.content
        while n:
            k = min(n, BLOCK)
            state, crc = struct.unpack("<II", body[k:k + 8])
            assert state == 0, state
            if k < 4096:
                assert crc == crc32c(body[:k])
            out, body, n = out + body[:k], body[k + 8:], n - k
        assert body == b""
        return out

    def delete(self, file_id):
        return self.call("DELETE", "/" + file_id)

    def list(self):
        """{file_id: size} of all, page by page."""
        found, after = {}, ""
        while True:
            r = self.call("GET", "?limit=2" + (after and "&after=" + after))
            assert r.status_code == 200, r.text
            page = r.json()
            for f in page["files"]:
                found[f["file_id"]] = f["size_bytes"]
                after = f["file_id"]
            if not page["more"]:
                return found
