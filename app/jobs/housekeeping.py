"""What is done every hour so that nothing grows for ever: expired uploads, the engine's records of ended work."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from app.jobs.engine import Engine
from app.storage.uploads import UploadStore

EVERY_S: Final = 3600.0
log = structlog.get_logger(__name__)


async def run(uploads: UploadStore, engine: Engine) -> None:
    """Until cancelled. A failure is logged and tried again an hour later."""
    while True:
        await asyncio.sleep(EVERY_S)
        for what, work in (("expired uploads", uploads.sweep), ("ended workflows", engine.collect)):
            try:
                count = await asyncio.to_thread(work)
            except Exception:  # the boundary of one chore: the others and the next hour go on
                log.exception("housekeeping failed", what=what)
            else:
                if count:
                    log.info("housekeeping", what=what, deleted=count)
