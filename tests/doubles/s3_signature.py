"""Recomputes AWS Signature Version 4 of a request, from what arrived."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tests.doubles.s3_bucket import Bucket

ACCESS_KEY = "AKIADOUBLE"
SECRET_KEY = "a secret/of the double+"
REGION = "eu-test-1"
_SKEW_S = 900


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


class SignedHandler(BaseHTTPRequestHandler):
    """A request to a bucket, which must be signed."""

    bucket: Bucket

    def _refuse(self, status: int, code: str, message: str) -> Refused:
        self.bucket.violations.append(f"{self.command} {self.path}: {code}: {message}")
        return Refused(status, code, message)

    def _check(self, body: Path) -> None:
        """Recompute the signature from what arrived. Raises what S3 answers when it is not right."""
        given = re.fullmatch(
            (
                r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?SignedHeaders=([a-z0-9;-]+), "
                r"?Signature=([0-9a-f]{64})"
            ),
            self.headers.get("Authorization", ""),
        )
        if given is None:
            raise self._refuse(403, "AccessDenied", "no signature")
        access_key, day, region, signed, signature = given.groups()
        if access_key != ACCESS_KEY:
            raise self._refuse(
                403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
            )
        if region != REGION:
            raise self._refuse(
                400, "AuthorizationHeaderMalformed", f"the region '{region}' is wrong; expecting '{REGION}'"
            )
        stamp = self.headers.get("x-amz-date", "")
        try:
            at = time.mktime(time.strptime(stamp, "%Y%m%dT%H%M%SZ")) - time.timezone
        except ValueError:
            raise self._refuse(403, "AccessDenied", "no date") from None
        if not stamp.startswith(day) or abs(at - time.time()) > _SKEW_S:
            raise self._refuse(403, "RequestTimeTooSkewed", stamp)
        names = signed.split(";")
        if names != sorted(names) or not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names):
            raise self._refuse(403, "AccessDenied", f"headers {signed}")
        unsigned = [
            name.lower() for name in self.headers if name.lower().startswith("x-amz-") and name.lower() not in names
        ]
        if unsigned:
            raise self._refuse(403, "AccessDenied", f"not signed: {unsigned}")
        told = self.headers["x-amz-content-sha256"]
        with body.open("rb") as file:
            if told not in ("UNSIGNED-PAYLOAD", hashlib.file_digest(file, "sha256").hexdigest()):
                raise self._refuse(400, "XAmzContentSHA256Mismatch", told)
        parts = urlsplit(self.path)
        query = sorted(parse_qsl(parts.query, keep_blank_values=True))
        canonical = "\n".join(
            [
                self.command,
                quote(unquote(parts.path), safe="/-_.~"),
                "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query),
                *(f"{name}:{' '.join(self.headers[name].split())}" for name in names),
                "",
                signed,
                told,
            ]
        )
        scope = f"{day}/{region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = f"AWS4{SECRET_KEY}".encode()
        for word in (day, region, "s3", "aws4_request"):
            key = hmac.new(key, word.encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), signature):
            raise self._refuse(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided.",
            )
