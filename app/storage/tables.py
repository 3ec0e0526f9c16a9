"""The application's tables. Their history stands in `migrations/`; a test compares the two."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

from app.storage.compact import BlobKey, PackedJson

metadata: Final = MetaData()

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("filename", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("length_bytes", BigInteger, nullable=False),
    Column("offset_bytes", BigInteger, nullable=False),  # what is safely on disk
    Column("metadata", JSON, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("key", Text, nullable=False),  # of the blob, once complete
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("deferred", Boolean, nullable=False, server_default=false()),  # length_bytes is the most that it may get
    Column("concat", Text, nullable=False, server_default=""),  # tus' Upload-Concat
    Column("parts", JSON, nullable=False, server_default="[]"),  # of a final upload: ids and sizes
    Index("uploads_expires_at", "expires_at"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("title", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("stage", String(16)),
    Column("stage_progress", Float, nullable=False),
    Column("progress", Float, nullable=False),
    Column("eta_s", Float),
    Column("options", PackedJson, nullable=False),
    Column("language", String(16)),
    Column("media", JSON),
    Column("source_key", Text, nullable=False),
    Column("subtitles_key", Text),  # a brought subtitle file
    Column("stem_key", Text),  # a brought background without voices
    Column("size_bytes", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("rendered_revision", Integer),
    Column("rendered_options", PackedJson),
    Column("rendered_stem_key", Text),
    Column("choices_revision", Integer, nullable=False, server_default="1"),  # of title, options and stem_key
    Column("choices_changed", JSON, nullable=False, server_default="{}"),  # the revision of each one's last change
    Column("subtitles", JSON),  # how the brought file was read
    Column("joined", JSON),  # what was made of short subtitles
    Column("language_certainty", Float),
    Column("voice_chosen", JSON),  # by the server, for the voice that is told by none
    Column("speakers", JSON, nullable=False, server_default="[]"),  # of `segments.speaker`
    Column("error", JSON),
    Column("workflow_id", String(96)),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("parent_id", String(32)),  # this is a further language of that job, in the state `rows.LANGUAGE`
    Index("jobs_parent_id", "parent_id"),
    Index("jobs_created_at", "created_at"),
    Index("jobs_listed", "state", "created_at", "id"),
    Index("jobs_source_key", "source_key"),
)

segments = Table(
    "segments",
    metadata,
    Column("job_id", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("id", String(32), primary_key=True),
    Column("start_s", Float, nullable=False),
    Column("end_s", Float, nullable=False),
    Column("text", Text, nullable=False),
    Column("source_text", Text, nullable=False),
    Column("speaker", Text, nullable=False),
    Column("skip", Boolean, nullable=False),
    Column("words", JSON, nullable=False),
    Column("start_locked", Boolean, nullable=False, server_default=false()),
    Column("locked_rate", Float),
    Column("left_out", JSON, nullable=False, server_default="[]"),
    Column("original", Text, nullable=False, server_default=""),  # what was translated
    Column("translation", String(16), nullable=False, server_default=""),
    Column("voice", Text),
    Column("speed", Float),
    Column("level_db", Float),
)

undos = Table(  # a job's last change of many lines at once, to be taken back as one
    "undos",
    metadata,
    Column("job_id", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("id", String(32), nullable=False),
    Column("lines", PackedJson, nullable=False),  # before and after, of what was changed
    Column("made_at", Float, nullable=False),
)

glossaries = Table(  # that the operator keeps, to be chosen for jobs
    "glossaries",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("terms", PackedJson, nullable=False),
    Column("updated_at", Float, nullable=False),
)

spending = Table(  # requests to paid services: reserved before they travel, booked when their answer is here
    "spending",
    metadata,
    Column("job_id", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("id", String(32), primary_key=True),
    Column("engine", String(40), nullable=False),
    Column("model", Text, nullable=False),
    Column("unit", String(40), nullable=False),
    Column("amount", Float, nullable=False),
    Column("usd", Float),  # None: the price is not known
    Column("answer", Text, nullable=False),  # the name under which the answer is stored, "": nowhere
    Column("booked", Boolean, nullable=False),
    Column("at", Float, nullable=False),
)

stages = Table(  # finished stages: the output and the hash of the inputs that made it
    "stages",
    metadata,
    Column("job_id", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("stage", String(16), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("output", PackedJson, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("finished_at", Float, nullable=False),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("job_id", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("key", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("media_type", Text, nullable=False),
    Column("extension", String(8), nullable=False),
)

blob_references = Table(  # which job needs which blob; a blob without a row here may be deleted
    "blob_references",
    metadata,
    Column("job_id", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("key", BlobKey, primary_key=True),  # a clip's two files have one row (`clip_files`)
    Index("blob_references_key", "key"),
    sqlite_with_rowid=False,
)

settings = Table(  # small named values; secrets are encrypted before they come here
    "settings",
    metadata,
    Column("name", String(96), primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("updated_at", Float, nullable=False),
)
