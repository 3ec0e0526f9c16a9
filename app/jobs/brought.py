"""Files that a person brings besides the video: subtitles, and a background without voices. Looked at before they are kept; blocks."""

from __future__ import annotations

import asyncio
from typing import Final

from app.domain.errors import FILE_EMPTY, SUBTITLES_INVALID, UPLOAD_INCOMPLETE, DubError
from app.domain.upload import Upload
from app.dubbing import pipeline
from app.dubbing.kit import Kit
from app.dubbing.subtitles import parse
from app.storage.uploads import UploadStore

MAX_SUBTITLE_BYTES: Final = 10 << 20


def whole(uploads: UploadStore, upload_id: str) -> Upload:
    """A finished upload with something in it. Raises upload_not_found, upload_incomplete, file_empty."""
    upload = uploads.get(upload_id)
    if upload.partial:
        raise DubError(UPLOAD_INCOMPLETE, "It is a part of another upload.")
    if not upload.complete:
        raise DubError(UPLOAD_INCOMPLETE)
    if upload.length_bytes == 0:
        raise DubError(FILE_EMPTY)
    return upload


def subtitles(uploads: UploadStore, kit: Kit, upload_id: str) -> str:
    """The key of a subtitle file that can be read. Raises subtitles_invalid, subtitles_empty, and as `whole`."""
    upload = whole(uploads, upload_id)
    if upload.length_bytes > MAX_SUBTITLE_BYTES:
        raise DubError(SUBTITLES_INVALID, "It is larger than 10 MB.")
    parse(kit.blobs.read(upload.key))
    return upload.key


def stem(uploads: UploadStore, kit: Kit, upload_id: str) -> str:
    """The key of a sound file that can replace the background. Raises stem_invalid, media_too_long, and as `whole`.

    The file is opened by a child process that this thread starts and waits for.
    """
    upload = whole(uploads, upload_id)
    asyncio.run(pipeline.check_stem(kit, kit.blobs.path(upload.key)))
    return upload.key
