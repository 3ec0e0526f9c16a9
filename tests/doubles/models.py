"""A model server that can stall, cut, lie and forget: `async with ModelServer({"file.pt": bytes}) as server`."""

from __future__ import annotations

import asyncio
import hashlib
import re

from tests.doubles.http import Reply, Request, Server


class ModelServer(Server):
    """Serves `/{sha256}/{file}` with ranges. `faults` are taken in order, one a request: see `_answer`.

    "status N", "cut N" (N bytes, then the connection drops), "stall N" (N bytes, then nothing), "wrong" (other bytes),
    "ignore-range", "html" (a login page with status 200), "shifted" (206 for another place than asked for).
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(self._handle)
        self.files = files
        self.faults: list[str] = []
        self.ranges: list[str] = []
        self.served_bytes = 0
        self.stalled = asyncio.Event()
        self.go_on = asyncio.Event()

    @property
    def template(self) -> str:
        """What AUTODUBBER_MODEL_URL would be."""
        return self.url + "/{sha256}/{file}"

    def sha256(self, file: str) -> str:
        return hashlib.sha256(self.files[file]).hexdigest()

    async def _handle(self, request: Request, reply: Reply) -> None:
        self.ranges.append(request.headers.get("range", ""))
        fault, _, amount = (self.faults.pop(0) if self.faults else "").partition(" ")
        file = request.path.rpartition("/")[2]
        if fault == "status":
            await reply.whole(int(amount), b"")
        elif fault == "html":
            await reply.whole(200, b"<html>Please log in</html>", {"content-type": "text/html"})
        elif file not in self.files or request.path != f"/{self.sha256(file)}/{file}":
            await reply.whole(404, b"")
        else:
            await self._answer(self.files[file], request, reply, fault, int(amount or 0))

    async def _answer(self, content: bytes, request: Request, reply: Reply, fault: str, amount: int) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        begin = int(asked[1]) if asked and fault != "ignore-range" else 0
        if begin >= len(content):
            await reply.whole(416, b"", {"content-range": f"bytes */{len(content)}"})
            return
        body = content[begin:] if fault != "wrong" else bytes(len(content) - begin)
        headers = (
            {"content-range": f"bytes {begin + (fault == 'shifted')}-{len(content) - 1}/{len(content)}"}
            if begin
            else {}
        )
        if fault in ("cut", "stall"):
            self.served_bytes += amount
            await reply.whole(206 if begin else 200, body[:amount], headers, length=len(body))
            if fault == "stall":
                self.stalled.set()
                await self.go_on.wait()
            reply.abort()
            return
        self.served_bytes += len(body)
        await reply.whole(206 if begin else 200, body, headers)
