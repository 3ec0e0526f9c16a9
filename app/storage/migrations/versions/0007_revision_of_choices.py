"""The revision of what a person chose of a job (title, options, background), and each field's last change."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("choices_revision", sa.Integer, nullable=False, server_default="1"))
    op.add_column("jobs", sa.Column("choices_changed", sa.JSON, nullable=False, server_default="{}"))
