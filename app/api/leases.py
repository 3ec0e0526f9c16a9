"""One writer for each upload. A client may reconnect before the server notices its dead connection: then the silent
writer is interrupted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from app.api.bodies import BodyReader
from app.domain.errors import DubError
from app.domain.problems.uploads import UPLOAD_LOCKED

_SILENT_S: Final = 2.0
_PATIENCE_S: Final = 10.0  # time for an interrupted writer to sync its bytes


class _Lease:
    def __init__(self) -> None:
        self.pace = BodyReader()
        self.released = asyncio.Event()


class Leases:
    """The writers of uploads in this process."""

    def __init__(self) -> None:
        self._held: dict[str, _Lease] = {}

    def interrupt_all(self) -> None:
        """Interrupt every writer because the server stops. Written bytes are kept."""
        for lease in self._held.values():
            lease.pace.interrupt()

    async def vacate(self, upload_id: str, *, by_force: bool = False) -> None:
        """Return when no writer is left. A writer that has been silent for 2 s (`by_force`: any) is interrupted;
        otherwise raises upload_locked."""
        while (lease := self._held.get(upload_id)) is not None:
            if not by_force and lease.pace.silent_s() < _SILENT_S:
                raise DubError(UPLOAD_LOCKED, headers={"Retry-After": "1"})
            lease.pace.interrupt()
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await lease.released.wait()
            except TimeoutError:
                raise DubError(UPLOAD_LOCKED, headers={"Retry-After": "1"}) from None

    @contextlib.asynccontextmanager
    async def hold(self, upload_id: str, *, by_force: bool = False) -> AsyncIterator[BodyReader]:
        """Become the only writer, after `vacate`."""
        await self.vacate(upload_id, by_force=by_force)
        lease = self._held[upload_id] = _Lease()
        try:
            yield lease.pace
        finally:
            del self._held[upload_id]
            lease.released.set()
