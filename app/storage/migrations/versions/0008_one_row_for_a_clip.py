"""A clip has one row among the references, not two; options of jobs are kept compressed."""

from alembic import op

from app.storage import compaction

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        compaction.swap(op.get_bind())
        compaction.pack_options(op.get_bind())
    else:
        op.execute(
            "INSERT INTO blob_references (job_id, key) SELECT job_id, substr(key, 1, length(key) - 5) || '.wav' "
            "FROM blob_references WHERE key LIKE 'clips/%.json' ON CONFLICT DO NOTHING"
        )
        op.execute("DELETE FROM blob_references WHERE key LIKE 'clips/%.json'")
