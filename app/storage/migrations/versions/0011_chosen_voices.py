"""Which voice the server has chosen for a job, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("voice_chosen", sa.JSON))
