"""What is wrong with an upload, and a full disk."""

from __future__ import annotations

from typing import Final

from app.domain.errors import Problem

UPLOAD_NOT_FOUND: Final = Problem(
    "upload_not_found", 404, "This upload does not exist or has expired.", "Start the upload again."
)
UPLOAD_TOO_LARGE: Final = Problem(
    "upload_too_large",
    413,
    "The file is larger than this server accepts.",
    "Choose a smaller file, or raise AUTODUBBER_MAX_UPLOAD_BYTES.",
)
UPLOAD_OFFSET: Final = Problem(
    "upload_offset_mismatch",
    409,
    "The upload is at another offset.",
    "Ask with HEAD for the offset and go on from there.",
)
UPLOAD_LOCKED: Final = Problem(
    "upload_locked", 423, "Another request is writing to this upload.", "Wait a moment and try again."
)
TOO_MANY_UPLOADS: Final = Problem(
    "too_many_uploads",
    429,
    "Too many uploads are unfinished.",
    (
        "Finish or delete some, or try again later: an upload that receives nothing expires. "
        "AUTODUBBER_MAX_OPEN_UPLOADS is the limit."
    ),
)
METADATA_TOO_LARGE: Final = Problem(
    "metadata_too_large",
    431,
    "The upload's metadata is too large.",
    "Send a file name and a type; 16 kB in all, 4 kB a value and 32 values are accepted.",
)
UPLOAD_INCOMPLETE: Final = Problem(
    "upload_incomplete", 409, "The upload is not complete yet.", "Finish the upload first."
)
UPLOAD_CHECKSUM: Final = Problem(
    "upload_checksum_mismatch", 460, "The chunk's checksum does not match.", "Send the chunk again."
)
UPLOAD_CHECKSUM_ALGORITHM: Final = Problem(
    "upload_checksum_algorithm", 400, "This checksum algorithm is not supported.", "Use sha1, sha256 or md5."
)
UPLOAD_CONTENT_TYPE: Final = Problem(
    "upload_content_type",
    415,
    "An upload's chunk must be application/offset+octet-stream.",
    "Set the Content-Type header.",
)
UPLOAD_FINAL: Final = Problem(
    "upload_final", 403, "An upload that is joined from parts accepts no bytes itself.", "Send the bytes to its parts."
)
TUS_VERSION: Final = Problem("tus_version", 412, "This server speaks tus 1.0.0.", "Send Tus-Resumable: 1.0.0.")
DISK_FULL: Final = Problem(
    "disk_full",
    507,
    "The server's disk is full.",
    "Delete old jobs or enlarge the volume; the upload or job goes on afterwards.",
)
