"""What of a line was translated, and whether its text still is the translation."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("segments", sa.Column("original", sa.Text, nullable=False, server_default=""))
    op.add_column("segments", sa.Column("translation", sa.String(16), nullable=False, server_default=""))
