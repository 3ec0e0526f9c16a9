"""The error catalogue: every error a person can meet, with its code, HTTP status, message and what to do.

DubError
 |- the only class; its `Problem` comes from this catalogue. Nothing else is raised on purpose.

`detail` adds a fact ("line 12: ..."). It must never hold a secret or a path outside the data folder.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One entry: `code` is stable and public, `status` is HTTP's, `hint` says what to do."""

    code: str
    status: int
    message: str
    hint: str


class DubError(Exception):
    """A catalogue error. `retryable`: the same call may succeed later (network, rate limits)."""

    def __init__(
        self,
        problem: Problem,
        detail: str = "",
        *,
        retryable: bool = False,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(f"{problem.code}: {problem.message}" + (f" ({detail})" if detail else ""))
        self.problem = problem
        self.detail = detail
        self.retryable = retryable
        self.headers = headers or {}
        self.extra = extra

    @property
    def message(self) -> str:
        """The catalogue's message with the detail."""
        return f"{self.problem.message} {self.detail}".strip()


def _p(code: str, status: int, message: str, hint: str) -> Problem:
    return Problem(code, status, message, hint)


# ---- the request itself
INVALID_REQUEST: Final = _p(
    "invalid_request", 400, "The request is not valid.", "Correct the named field and send it again."
)
NOT_FOUND: Final = _p(
    "not_found", 404, "There is nothing at this address.", "Check the address; /schema lists what exists."
)
METHOD_NOT_ALLOWED: Final = _p("method_not_allowed", 405, "This address does not accept that method.", "See /schema.")
FORBIDDEN_ORIGIN: Final = _p(
    "forbidden_origin",
    403,
    "The request comes from another web site.",
    "Open AutoDubber's own page, or add the site to AUTODUBBER_ALLOWED_ORIGINS.",
)
HOST_UNKNOWN: Final = _p(
    "host_unknown",
    421,
    "The server does not know the name that it was opened under.",
    (
        "If the name is yours, add it to AUTODUBBER_ALLOWED_HOSTS and restart the server. Its IP address works without "
        "this setting."
    ),
)
METRICS_TOKEN: Final = _p(
    "metrics_token",
    401,
    "The metrics need a token.",
    "Send AUTODUBBER_METRICS_TOKEN as a bearer token: Authorization: Bearer TOKEN.",
)
BODY_TOO_LARGE: Final = _p(
    "body_too_large", 413, "The request's body is too large.", "Send a smaller body; media goes through /api/uploads."
)
HEADERS_TOO_LARGE: Final = _p(
    "headers_too_large",
    431,
    "The request's address and headers are too large.",
    "Send less than 32 kB of them; delete the site's cookies.",
)
TOO_MANY_SOCKETS: Final = _p(
    "too_many_sockets",
    503,
    "Too many live connections are open.",
    "Close other tabs, or wait: an open page retries by itself. AUTODUBBER_MAX_SOCKETS is the limit.",
)
UPGRADE_REQUIRED: Final = _p(
    "upgrade_required",
    426,
    "This address accepts WebSocket connections only.",
    "Open it as a WebSocket; each message is one JSON object.",
)
INTERNAL: Final = _p(
    "internal",
    500,
    "Something went wrong inside AutoDubber.",
    "Try again; if it happens again, look for the request id in the server's log and report it.",
)
DATABASE_BUSY: Final = _p(
    "database_busy", 503, "The database is busy with other work.", "Try again in a few seconds; nothing was changed."
)
SHUTTING_DOWN: Final = _p(
    "shutting_down", 503, "The server is stopping.", "Try again in a few seconds; nothing is lost."
)

# ---- uploads
UPLOAD_NOT_FOUND: Final = _p(
    "upload_not_found", 404, "This upload does not exist or has expired.", "Start the upload again."
)
UPLOAD_TOO_LARGE: Final = _p(
    "upload_too_large",
    413,
    "The file is larger than this server accepts.",
    "Choose a smaller file, or raise AUTODUBBER_MAX_UPLOAD_BYTES.",
)
UPLOAD_OFFSET: Final = _p(
    "upload_offset_mismatch",
    409,
    "The upload is at another offset.",
    "Ask with HEAD for the offset and go on from there.",
)
UPLOAD_LOCKED: Final = _p(
    "upload_locked", 423, "Another request is writing to this upload.", "Wait a moment and try again."
)
TOO_MANY_UPLOADS: Final = _p(
    "too_many_uploads",
    429,
    "Too many uploads are unfinished.",
    (
        "Finish or delete some, or try again later: an upload that receives nothing expires. "
        "AUTODUBBER_MAX_OPEN_UPLOADS "
        "is the limit."
    ),
)
METADATA_TOO_LARGE: Final = _p(
    "metadata_too_large",
    431,
    "The upload's metadata is too large.",
    "Send a file name and a type; 16 kB in all, 4 kB a value and 32 values are accepted.",
)
UPLOAD_INCOMPLETE: Final = _p("upload_incomplete", 409, "The upload is not complete yet.", "Finish the upload first.")
UPLOAD_CHECKSUM: Final = _p(
    "upload_checksum_mismatch", 460, "The chunk's checksum does not match.", "Send the chunk again."
)
UPLOAD_CHECKSUM_ALGORITHM: Final = _p(
    "upload_checksum_algorithm", 400, "This checksum algorithm is not supported.", "Use sha1, sha256 or md5."
)
UPLOAD_CONTENT_TYPE: Final = _p(
    "upload_content_type",
    415,
    "An upload's chunk must be application/offset+octet-stream.",
    "Set the Content-Type header.",
)
UPLOAD_FINAL: Final = _p(
    "upload_final", 403, "An upload that is joined from parts accepts no bytes itself.", "Send the bytes to its parts."
)
TUS_VERSION: Final = _p("tus_version", 412, "This server speaks tus 1.0.0.", "Send Tus-Resumable: 1.0.0.")
DISK_FULL: Final = _p(
    "disk_full",
    507,
    "The server's disk is full.",
    "Delete old jobs or enlarge the volume; the upload or job goes on afterwards.",
)

# ---- the media file
FILE_EMPTY: Final = _p("file_empty", 422, "The file is empty.", "Choose a file with content.")
NOT_MEDIA: Final = _p(
    "not_media",
    422,
    "The file is not a video or audio file that can be read.",
    "Use MP4, MOV, MKV, WebM, AVI, MXF, DV, MP3, WAV, FLAC or another usual format.",
)
PLAYLIST: Final = _p(
    "playlist_refused",
    422,
    "The file is a playlist or script, not media.",
    "Playlists can point at other files and are refused; upload the video itself.",
)
NO_AUDIO: Final = _p(
    "no_audio", 422, "The file has no audio track.", "Choose a video with sound, or add subtitles to dub a silent one."
)
AUDIO_TRACK_MISSING: Final = _p(
    "audio_track_missing",
    422,
    "The file has no audio track with that number.",
    "Choose one of the file's tracks, counted from 0.",
)
MEDIA_TOO_LONG: Final = _p(
    "media_too_long",
    422,
    "The video is longer than this server accepts.",
    "Cut it, or raise AUTODUBBER_MAX_DURATION_S.",
)
MEDIA_DAMAGED: Final = _p(
    "media_damaged", 422, "The file is damaged and cannot be decoded.", "Export or download it again."
)
MEDIA_INCOMPLETE: Final = _p(
    "media_incomplete",
    422,
    "The file is incomplete.",
    "Upload or download it again, or export it again: its end is missing.",
)
MEDIA_TOOL_FAILED: Final = _p(
    "media_tool_failed", 500, "The media tool failed.", "Try again; `autodubber doctor` checks the installation."
)
MEDIA_LIMIT: Final = _p(
    "media_limit",
    422,
    "Reading the file took more time or memory than is allowed.",
    "Convert the file with another program first.",
)
STEM_INVALID: Final = _p(
    "stem_invalid",
    422,
    "The background file is not a sound file that can be read.",
    "Use WAV, FLAC, MP3, M4A or another usual format.",
)

CONTAINER_UNSUITABLE: Final = _p(
    "container_unsuitable",
    422,
    "The picture cannot be put into the container that was chosen.",
    "Choose auto, or a container that supports it.",
)
TRACK_LENGTH: Final = _p(
    "track_length",
    422,
    "A track is not as long as the video.",
    "Take the track that was made for this video, or pass --any-length.",
)

# ---- subtitles and text
SUBTITLES_INVALID: Final = _p(
    "subtitles_invalid",
    422,
    "The subtitle file cannot be read.",
    "Use SRT, WebVTT or ASS; the named line is the first that cannot be read.",
)
ENCODING_UNKNOWN: Final = _p(
    "encoding_unknown",
    422,
    "This subtitle encoding is not supported.",
    "Use one such as utf-8, windows-1250 or shift_jis, or leave it out to have it guessed.",
)
SUBTITLES_EMPTY: Final = _p(
    "subtitles_empty", 422, "The subtitle file has no lines.", "Choose a file with at least one cue."
)
TEXT_TOO_LONG: Final = _p("text_too_long", 422, "A line is too long to be spoken at once.", "Split the line.")
TOO_MANY_LINES: Final = _p(
    "too_many_lines",
    422,
    "A job or a request may not have this many lines.",
    "Split the video, or the subtitles, or make the changes in parts.",
)
TEXT_INVALID: Final = _p(
    "text_invalid", 422, "A line's text has characters that cannot be spoken.", "Remove control characters."
)
TIMES_INVALID: Final = _p(
    "times_invalid", 422, "A line's times are not valid.", "The start must be before the end and both within the video."
)
SEGMENT_NOT_FOUND: Final = _p(
    "segment_not_found", 404, "This line does not exist.", "Reload the job; it may have been merged or removed."
)
EDIT_CONFLICT: Final = _p(
    "edit_conflict", 412, "The lines were changed in the meantime.", "Reload the lines and make the change again."
)
PRECONDITION_REQUIRED: Final = _p(
    "precondition_required",
    428,
    "An edit must say which revision it is for.",
    "Send If-Match with the ETag of the lines.",
)
NO_SPEECH: Final = _p(
    "no_speech", 422, "No speech was found.", "Check the audio track and the language, or add subtitles."
)
NOTHING_TO_SPEAK: Final = _p(
    "nothing_to_speak", 422, "There is no line to speak.", "Write or un-skip at least one line."
)
DOES_NOT_FIT: Final = _p(
    "does_not_fit",
    422,
    "Some lines cannot be placed within the video.",
    "Shorten the named lines, move their times or remove their locks.",
)

# ---- jobs
JOB_NOT_FOUND: Final = _p(
    "job_not_found", 404, "This job does not exist.", "It may have been deleted; see the list of jobs."
)
JOB_STATE: Final = _p(
    "job_state", 409, "The job's state does not allow this.", "Wait for the running work, or cancel it first."
)
ARTIFACT_NOT_READY: Final = _p("artifact_not_ready", 404, "This file does not exist yet.", "Render the job first.")
SOURCE_GONE: Final = _p(
    "source_gone",
    409,
    "The original of this job has been deleted.",
    "What was made from it stays. To render again, upload the video as a new job, or import an archive of this one.",
)
ARCHIVE_INVALID: Final = _p(
    "archive_invalid",
    422,
    "The archive cannot be imported.",
    "Use a complete file that `autodubber export` has written; nothing was imported.",
)
ARCHIVE_NEWER: Final = _p(
    "archive_newer", 422, "The archive is from a newer AutoDubber.", "Upgrade this one, then import it."
)
CANCELLED: Final = _p("cancelled", 409, "The job was cancelled.", "Retry goes on from where it stopped.")

# ---- recognition
MODEL_UNKNOWN: Final = _p(
    "model_unknown",
    422,
    "There is no such recognition model.",
    (
        "Choose one of GET /api/engines; a checkpoint of your own goes into the models folder. On the command line its "
        "path is accepted too."
    ),
)
MODEL_DOWNLOAD: Final = _p(
    "model_download",
    502,
    "The recognition model could not be downloaded.",
    "Check the network, or put the file into the models folder; the download goes on where it stopped.",
)
MODEL_DAMAGED: Final = _p(
    "model_damaged",
    500,
    "The recognition model's file is damaged.",
    "Delete it from the models folder; it is downloaded again.",
)
RECOGNITION_FAILED: Final = _p(
    "recognition_failed",
    500,
    "Recognition failed.",
    "Retry; if it fails again, choose a smaller model or look into the log.",
)
OUT_OF_MEMORY: Final = _p(
    "out_of_memory", 507, "The machine ran out of memory.", "Choose a smaller model or give the machine more memory."
)
CANNOT_TRANSLATE: Final = _p(
    "cannot_translate",
    422,
    "This recognition model cannot translate.",
    "Choose tiny, base, small, medium or large-v3, or transcribe without translating.",
)
LANGUAGE_UNKNOWN: Final = _p(
    "language_unknown", 422, "This language is not known.", "Use an ISO 639-1 code such as en, es or fr."
)

# ---- voices
ENGINE_UNKNOWN: Final = _p("engine_unknown", 422, "There is no such engine.", "See GET /api/engines.")
ENGINE_UNAVAILABLE: Final = _p(
    "engine_unavailable", 503, "This engine is not available here.", "`autodubber doctor` says what it needs."
)
VOICE_UNKNOWN: Final = _p("voice_unknown", 422, "There is no such voice.", "Choose one of GET /api/voices.")
VOICE_MODEL_UNKNOWN: Final = _p(
    "voice_model_unknown", 422, "There is no such voice model.", "Choose one of the engine's models."
)
KEY_MISSING: Final = _p(
    "key_missing", 401, "This voice needs an API key.", "Enter the key in the settings or set ELEVENLABS_API_KEY."
)
KEY_INVALID: Final = _p(
    "key_invalid",
    401,
    "The voice service refused the API key.",
    "Check the key; it may be mistyped, expired or without permission.",
)
QUOTA_EXCEEDED: Final = _p(
    "quota_exceeded",
    402,
    "The voice service's credits are spent.",
    "Add credits or wait for the reset, then retry: finished lines are kept.",
)
PLAN_REQUIRED: Final = _p(
    "plan_required",
    402,
    "The voice service requires a higher plan for this.",
    "Choose another voice or upgrade the plan.",
)
SPEECH_BUSY: Final = _p("speech_busy", 503, "The voice service is busy.", "Retry in a while: finished lines are kept.")
SPEECH_FAILED: Final = _p(
    "speech_failed", 502, "The voice service gave no usable sound.", "Retry: finished lines are kept."
)
SPEECH_REFUSED: Final = _p("speech_refused", 422, "The voice service refused a line.", "Change the named line.")
SPEED_RANGE: Final = _p(
    "speed_range", 422, "This voice does not support that speed.", "Choose a speed within its engine's limits."
)

# ---- backups
BACKUP_PLACE: Final = _p(
    "backup_place",
    502,
    "The backup repository cannot be used.",
    "Check the folder or bucket, its permissions and keys, and the network.",
)
BACKUP_NOT_FOUND: Final = _p(
    "backup_not_found", 404, "There is no such backup.", "`autodubber backups` lists the backups of a repository."
)
BACKUP_PASSWORD: Final = _p(
    "backup_password",
    403,
    "The backup password is wrong.",
    "Set AUTODUBBER_BACKUP_PASSWORD or AUTODUBBER_BACKUP_PASSWORD_FILE.",
)
BACKUP_BUSY: Final = _p(
    "backup_busy", 409, "Another process is using this backup repository.", "Wait until it has ended and try again."
)
BACKUP_DAMAGED: Final = _p(
    "backup_damaged",
    500,
    "The backup is damaged.",
    "`autodubber verify` names what is damaged. Use another backup, and test the disk that stores this one.",
)
BACKUP_NEWER: Final = _p(
    "backup_newer", 409, "The backup was made by a newer AutoDubber.", "Restore it with that version or a later one."
)
DATA_DAMAGED: Final = _p(
    "data_damaged",
    500,
    "The data folder's database is damaged.",
    "Stop the server and restore the newest backup; test the disk.",
)
DATA_IN_USE: Final = _p("data_in_use", 409, "A server is using the data folder.", "Stop the server first.")
DATA_USED: Final = _p(
    "data_used",
    409,
    "The data folder is not empty.",
    "Choose an empty one, or pass --replace: existing files are moved aside, not deleted.",
)


def catalogue() -> dict[str, Problem]:
    """Every problem by its code; the documentation and a test read it."""
    return {p.code: p for p in globals().values() if isinstance(p, Problem)}
