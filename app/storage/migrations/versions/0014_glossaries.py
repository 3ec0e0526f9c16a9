"""Glossaries that are kept for later jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "glossaries",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("terms", sa.JSON, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
