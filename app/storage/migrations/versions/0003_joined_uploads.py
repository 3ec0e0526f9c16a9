"""Uploads whose length comes later, and uploads that are joined from others."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("uploads", sa.Column("deferred", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("uploads", sa.Column("concat", sa.Text, nullable=False, server_default=""))
    op.add_column("uploads", sa.Column("parts", sa.JSON, nullable=False, server_default="[]"))
