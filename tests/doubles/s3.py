"""Stands in for S3: a real HTTP server that recomputes AWS Signature Version 4 of every request, and fails on purpose
when told.

Speaks what a backup needs, path style: PUT (also `If-None-Match: *`), GET with ranges, HEAD, DELETE, DeleteObjects,
ListObjectsV2 with pages, multipart uploads. The signature was written from
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. Objects lie in files of a folder, so that
gigabytes pass through in flat memory.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

from tests.doubles.s3_bucket import BUCKET, Bucket
from tests.doubles.s3_signature import ACCESS_KEY, Refused, SignedHandler

_LEAST_PART = 5 << 20


class _Handler(SignedHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet."""

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(60)

    def do_GET(self) -> None:
        self._handle(self._get)

    def do_HEAD(self) -> None:
        self._handle(self._get)

    def do_PUT(self) -> None:
        self._handle(self._put)

    def do_POST(self) -> None:
        self._handle(self._post)

    def do_DELETE(self) -> None:
        self._handle(self._delete)

    # ---------------------------------------------------------------- every request

    def _handle(self, work: object) -> None:
        line = f"{self.command} {self.path}"
        self._fault = self.bucket.fault(line)
        body = self._read_body()
        try:
            if self._fault and self._fault.kind == "drop":
                self.close_connection = True
                return
            if self._fault and self._fault.kind == "slow":
                threading.Event().wait(self._fault.delay_s)
            self.bucket.requests.append(line)
            try:
                self._check(body)
                if self._fault and self._fault.kind in ("500", "503"):
                    raise Refused(int(self._fault.kind), {"500": "InternalError", "503": "SlowDown"}[self._fault.kind])
                if self.command in self.bucket.denied:
                    raise Refused(403, "AccessDenied", "Access Denied")
                work(body)  # type: ignore[operator]
            except Refused as refused:
                said = f"<Code>{refused.code}</Code><Message>{escape(refused.message)}</Message>"
                said += f"<AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId>"
                self._answer(refused.status, f'<?xml version="1.0"?><Error>{said}</Error>'.encode())
        finally:
            body.unlink(missing_ok=True)

    def _read_body(self) -> Path:
        """The body as a file, which is deleted after the request unless it became an object."""
        left = int(self.headers.get("Content-Length", 0))
        with tempfile.NamedTemporaryFile(dir=self.bucket.folder, delete=False) as file:
            while left > 0:
                block = self.rfile.read(min(left, 1 << 20))
                if not block:
                    raise ConnectionError("the client went away")
                file.write(block)
                left -= len(block)
        return Path(file.name)

    def _answer(
        self,
        status: int,
        body: bytes | Path = b"",
        headers: dict[str, str] | None = None,
        span: tuple[int, int] | None = None,
    ) -> None:
        size = len(body) if isinstance(body, bytes) else body.stat().st_size
        start, end = span or (0, size)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = self._fault is not None and self._fault.kind == "cut"
        stop = start + (end - start) // 2 if cut else end
        if isinstance(body, bytes):
            self.wfile.write(body[start:stop])
        else:
            with body.open("rb") as file:
                file.seek(start)
                while start < stop and (block := file.read(min(1 << 20, stop - start))):
                    self.wfile.write(block)
                    start += len(block)
        if cut:
            self.wfile.flush()
            self.close_connection = True

    # ---------------------------------------------------------------- what it does

    def _where(self) -> tuple[str, dict[str, str]]:
        """The key and the query. Raises NoSuchBucket."""
        parts = urlsplit(self.path)
        name, _, key = unquote(parts.path).removeprefix("/").partition("/")
        if name != BUCKET:
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist")
        return key, dict(parse_qsl(parts.query, keep_blank_values=True))

    def _get(self, body: Path) -> None:
        key, query = self._where()
        if not key:
            return self._list(query)
        with self.bucket.lock:
            found = self.bucket.objects.get(key)
        if found is None:
            raise Refused(404, "NoSuchKey", "The specified key does not exist.")
        file, etag, at = found
        headers = {"ETag": etag, "Last-Modified": formatdate(at, usegmt=True), "Accept-Ranges": "bytes"}
        size = file.stat().st_size
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            return self._answer(200, file, headers)
        start, end = int(wanted[1]), min(size, int(wanted[2]) + 1 if wanted[2] else size)
        if start >= size:
            raise Refused(416, "InvalidRange")
        return self._answer(206, file, headers | {"Content-Range": f"bytes {start}-{end - 1}/{size}"}, (start, end))

    def _list(self, query: dict[str, str]) -> None:
        if query.get("list-type") != "2":
            raise self._refuse(400, "InvalidArgument", "only ListObjectsV2")
        after = query.get("continuation-token", query.get("start-after", ""))
        with self.bucket.lock:
            keys = sorted(key for key in self.bucket.objects if key.startswith(query.get("prefix", "")) and key > after)
            page = [(key, *self.bucket.objects[key]) for key in keys[: self.bucket.page]]
        listed = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{_iso(at)}</LastModified><ETag>{escape(etag)}</ETag>"
            f"<Size>{file.stat().st_size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key, file, etag, at in page
        )
        more = len(keys) > len(page)
        token = f"<NextContinuationToken>{escape(page[-1][0])}</NextContinuationToken>" if more else ""
        head = f"<Name>{BUCKET}</Name><KeyCount>{len(page)}</KeyCount>"
        head += f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}"
        text = (
            f'<?xml version="1.0"?><ListBucketResult '
            f'xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{head}{listed}</ListBucketResult>'
        )
        self._answer(200, text.encode(), {"Content-Type": "application/xml"})

    def _put(self, body: Path) -> None:
        key, query = self._where()
        with body.open("rb") as file:
            etag = f'"{hashlib.file_digest(file, "md5").hexdigest()}"'
        kept = body.with_name(secrets.token_hex(16))
        body.rename(kept)
        if "uploadId" in query:
            if query["uploadId"] not in self.bucket.uploads:
                raise Refused(404, "NoSuchUpload")
            self.bucket.uploads[query["uploadId"]][int(query["partNumber"])] = (kept, etag)
            return self._answer(200, b"", {"ETag": etag})
        with self.bucket.lock:
            exists = key in self.bucket.objects
        if exists and self.headers.get("If-None-Match") == "*":
            raise Refused(412, "PreconditionFailed")
        self.bucket.store(key, kept, etag)
        return self._answer(200, b"", {"ETag": etag})

    def _post(self, body: Path) -> None:
        key, query = self._where()
        if "delete" in query:
            return self._delete_many(body.read_bytes())
        if "uploads" in query:
            upload_id = secrets.token_hex(16)
            self.bucket.uploads[upload_id] = {}
            told = f"<Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key><UploadId>{upload_id}</UploadId>"
            return self._answer(200, f"<InitiateMultipartUploadResult>{told}</InitiateMultipartUploadResult>".encode())
        parts = self.bucket.uploads.get(query.get("uploadId", ""))
        if parts is None:
            raise Refused(404, "NoSuchUpload")
        named = re.findall(r"<PartNumber>(\d+)</PartNumber>", body.read_text())
        numbers = [int(number) for number in named]
        if not numbers or numbers != sorted(numbers) or set(numbers) != set(parts):
            raise self._refuse(400, "InvalidPart", str(numbers))
        if any(parts[number][0].stat().st_size < _LEAST_PART for number in numbers[:-1]):
            raise self._refuse(400, "EntityTooSmall", "a part is smaller than 5 MiB")
        whole = self.bucket.folder / secrets.token_hex(16)
        with whole.open("wb") as out:
            for number in numbers:
                with parts[number][0].open("rb") as part:
                    shutil.copyfileobj(part, out, 1 << 20)
                parts[number][0].unlink()
        del self.bucket.uploads[query["uploadId"]]
        etag = f'"{secrets.token_hex(16)}-{len(numbers)}"'
        self.bucket.store(key, whole, etag)
        return self._answer(
            200,
            f"<CompleteMultipartUploadResult><Key>{escape(key)}</Key><ETag>{escape(etag)}</ETag></CompleteMultipartUploadResult>".encode(),
        )

    def _delete(self, body: Path) -> None:
        key, query = self._where()
        if "uploadId" in query:
            self.bucket.uploads.pop(query["uploadId"], None)
        else:
            self._remove(key)
        self._answer(204)

    def _delete_many(self, body: bytes) -> None:
        """DeleteObjects, which S3 takes only with a checksum of its body."""
        sums = {
            "content-md5": base64.b64encode(hashlib.md5(body).digest()).decode(),  # noqa: S324 - as the protocol has it
            "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
        }
        given = {name: self.headers[name] for name in sums if self.headers[name]}
        if not given or any(sums[name] != value for name, value in given.items()):
            raise self._refuse(400, "InvalidRequest", f"the checksum of a body is missing or wrong: {given}")
        if "DELETE" in self.bucket.denied:
            raise Refused(403, "AccessDenied", "Access Denied")
        keys = [unescape(key) for key in re.findall(r"<Key>(.*?)</Key>", body.decode())]
        for key in keys:
            self._remove(key)
        told = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        self._answer(
            200, f'<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{told}</DeleteResult>'.encode()
        )

    def _remove(self, key: str) -> None:
        with self.bucket.lock:
            gone = self.bucket.objects.pop(key, None)
        if gone:
            gone[0].unlink(missing_ok=True)


def _iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03}Z"


@contextlib.contextmanager
def running(folder: Path) -> Iterator[tuple[str, Bucket]]:
    """The server's address and what it holds; objects lie in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    bucket = Bucket(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"bucket": bucket}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
