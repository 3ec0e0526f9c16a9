"""What jobs spend at paid services."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "spending",
        sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("engine", sa.String(40), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("unit", sa.String(40), nullable=False),
        sa.Column("amount", sa.Float, nullable=False),
        sa.Column("usd", sa.Float),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("booked", sa.Boolean, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
