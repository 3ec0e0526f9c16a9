"""Files that a person adds to a video: subtitles, and a music and effects track. They are checked before they are
stored. Blocks."""

from __future__ import annotations

import asyncio
import math
from typing import Final

from app.domain.dub_options import DubOptions
from app.domain.errors import DubError
from app.domain.problems.lines import ENCODING_UNKNOWN, SUBTITLES_INVALID, TOO_MANY_LINES
from app.domain.problems.media import FILE_EMPTY
from app.domain.problems.uploads import UPLOAD_INCOMPLETE
from app.domain.segment import MAX_LINES
from app.domain.subtitle_file import SubtitleReading
from app.domain.upload import Upload
from app.dubbing import pipeline
from app.dubbing.context import Context
from app.dubbing.spoken.cues_to_lines import lines_of
from app.dubbing.subtitles.code_pages import NAMES, known
from app.dubbing.subtitles.encoding import decode
from app.dubbing.subtitles.reading_report import read_subtitle_file, subtitle_reading
from app.dubbing.subtitles.srt_vtt import read
from app.storage.blobs import bytes_of
from app.storage.uploads import UploadStore

MAX_SUBTITLE_BYTES: Final = 10 << 20


def whole(uploads: UploadStore, upload_id: str) -> Upload:
    """A finished, non-empty upload. Raises upload_not_found, upload_incomplete, file_empty."""
    upload = uploads.get(upload_id)
    if upload.partial:
        raise DubError(UPLOAD_INCOMPLETE, "It is a part of another upload.")
    if not upload.complete:
        raise DubError(UPLOAD_INCOMPLETE)
    if upload.length_bytes == 0:
        raise DubError(FILE_EMPTY)
    return upload


def subtitles(uploads: UploadStore, context: Context, upload_id: str, options: DubOptions) -> str:
    """Check a subtitle file; returns its key. Raises subtitles_invalid, subtitles_empty, too_many_lines, and as
    `whole`."""
    upload = whole(uploads, upload_id)
    if upload.length_bytes > MAX_SUBTITLE_BYTES:
        raise DubError(SUBTITLES_INVALID, "It is larger than 10 MB.")
    cues = read_subtitle_file(bytes_of(context.blobs, upload.key), options).cues
    if len(cues) > MAX_LINES:  # words alone may become few lines
        lines = lines_of(
            cues,
            math.inf,
            speak_sounds=options.recognition.speak_sounds,
            join_short_cues=options.recognition.join_short_cues,
        ).segments
        if len(lines) > MAX_LINES:
            raise DubError(TOO_MANY_LINES, f"The subtitles have {len(lines)}; a job may have {MAX_LINES}.")
    return upload.key


def look_at_subtitles(
    data: bytes, language: str | None, encoding: str | None
) -> tuple[SubtitleReading, list[tuple[str, str]]]:
    """How a file would be read, and the encodings that can be chosen: name and what people call it, the likeliest for
    this file first.

    Raises encoding_unknown, subtitles_invalid, subtitles_empty.
    """
    if encoding is not None and known(encoding) is None:
        raise DubError(ENCODING_UNKNOWN, f"“{encoding[:40]}” is not one.")
    if len(data) > MAX_SUBTITLE_BYTES:
        raise DubError(SUBTITLES_INVALID, "It is larger than 10 MB.")
    found = read(data, language=language, encoding=encoding)
    likely = found.likely if encoding is None else decode(data, language=language).likely
    return subtitle_reading(found), [(name, NAMES[name]) for name in dict.fromkeys((*likely, *NAMES))]


def stem(uploads: UploadStore, context: Context, upload_id: str) -> str:
    """Check a sound file that replaces the background; returns its key. Raises stem_invalid, media_too_long, and as
    `whole`.

    The file is opened by a child process that this thread starts and waits for.
    """
    upload = whole(uploads, upload_id)
    with context.blobs.local_copy(upload.key) as path:
        asyncio.run(pipeline.check_stem(context, path))
    return upload.key
