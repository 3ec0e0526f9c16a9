"""References to blobs and outputs of stages take a third of the room; an index for the list of jobs by state; one that
nothing needs goes."""

from alembic import op

from app.storage import compaction

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        compaction.swap(op.get_bind())
    op.drop_index("segments_order", "segments")
    op.drop_index("jobs_state", "jobs")
    op.create_index("jobs_listed", "jobs", ["state", "created_at", "id"])
