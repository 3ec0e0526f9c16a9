"""Follows what a piece of work writes into folders, and holds it to the room that is there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Final

from app.domain.errors import DubError
from app.storage.disk_floor import PIECE_BYTES
from app.storage.disk_floors import Reservation

_LOOK_S: Final = 0.5
_LOOK_SHARE: Final = 20  # at most this share of the time is spent on measuring


@contextlib.asynccontextmanager
async def followed(room: Reservation, new: Sequence[Path], more: Sequence[Path]) -> AsyncIterator[None]:
    """Tells the ledger what the block writes into the folders `new`, which are empty, and `more`, which are not.

    The task in the block is cancelled when it has written more than `room` and there is no more; what is raised then
    is disk_full.
    """
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("there is no task")
    known = await asyncio.to_thread(_bytes_in, more)
    before, full = task.cancelling(), list[DubError]()

    async def follow() -> None:
        try:
            await _follow(room, (*new, *more), known)
        except DubError as error:
            full.append(error)
            task.cancel()

    following = asyncio.create_task(follow())
    try:
        yield
    except asyncio.CancelledError:
        if full and task.cancelling() - 1 <= before:
            raise full[0] from None
        raise
    finally:
        if full:
            task.uncancel()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _follow(room: Reservation, folders: Sequence[Path], known: int) -> None:
    """Tell the ledger what has been written, and ask for more when that is more than was thought. `known` were there
    before."""
    pause_s = _LOOK_S
    while True:
        await asyncio.sleep(pause_s)
        began = time.monotonic()
        there = await asyncio.to_thread(_bytes_in, folders)
        pause_s = max(_LOOK_S, _LOOK_SHARE * (time.monotonic() - began))
        if there > known:
            beyond = there - known > room.remaining_bytes
            room.landed(there - known)
            known = there
            if beyond:
                await asyncio.to_thread(room.need, PIECE_BYTES)


def _bytes_in(folders: Iterable[Path]) -> int:
    total = 0
    for folder in folders:
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    is_folder = entry.is_dir(follow_symlinks=False)
                    total += _bytes_in((Path(entry.path),)) if is_folder else entry.stat(follow_symlinks=False).st_size
    return total
