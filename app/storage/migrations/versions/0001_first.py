"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def owner() -> "sa.Column[str]":
    return sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("length_bytes", sa.BigInteger, nullable=False),
        sa.Column("offset_bytes", sa.BigInteger, nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    op.create_index("uploads_expires_at", "uploads", ["expires_at"])
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(16)),
        sa.Column("stage_progress", sa.Float, nullable=False),
        sa.Column("progress", sa.Float, nullable=False),
        sa.Column("eta_s", sa.Float),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("language", sa.String(16)),
        sa.Column("media", sa.JSON),
        sa.Column("source_key", sa.Text, nullable=False),
        sa.Column("subtitles_key", sa.Text),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("rendered_revision", sa.Integer),
        sa.Column("rendered_options", sa.JSON),
        sa.Column("error", sa.JSON),
        sa.Column("workflow_id", sa.String(96)),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
    op.create_index("jobs_created_at", "jobs", ["created_at"])
    op.create_index("jobs_state", "jobs", ["state"])
    op.create_index("jobs_source_key", "jobs", ["source_key"])
    op.create_table(
        "segments",
        owner(),
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("start_s", sa.Float, nullable=False),
        sa.Column("end_s", sa.Float, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("source_text", sa.Text, nullable=False),
        sa.Column("speaker", sa.Text, nullable=False),
        sa.Column("skip", sa.Boolean, nullable=False),
        sa.Column("words", sa.JSON, nullable=False),
    )
    op.create_index("segments_order", "segments", ["job_id", "start_s"])
    op.create_table(
        "stages",
        owner(),
        sa.Column("stage", sa.String(16), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("output", sa.JSON, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("finished_at", sa.Float, nullable=False),
    )
    op.create_table(
        "artifacts",
        owner(),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("extension", sa.String(8), nullable=False),
    )
    op.create_table("blob_references", owner(), sa.Column("key", sa.Text, primary_key=True))
    op.create_index("blob_references_key", "blob_references", ["key"])
    op.create_table(
        "settings",
        sa.Column("name", sa.String(96), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
