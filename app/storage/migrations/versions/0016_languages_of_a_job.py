"""Further languages of a job, each a row that names the job."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("parent_id", sa.String(32)))
    op.create_index("jobs_parent_id", "jobs", ["parent_id"])
