"""What of a line is left out, what was made of short subtitles, and the options for both."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# As they were when this migration was written; `app.domain.job.NEUTRAL` may move on.
_NEW_OPTIONS = {"speak_sounds": False, "join_short_cues": "auto"}


def upgrade() -> None:
    op.add_column("segments", sa.Column("left_out", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("jobs", sa.Column("joined", sa.JSON))
    jobs = sa.table(
        "jobs",
        sa.column("id", sa.String),
        sa.column("options", sa.JSON(none_as_null=True)),
        sa.column("rendered_options", sa.JSON(none_as_null=True)),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(jobs.c.id, jobs.c.options, jobs.c.rendered_options)).all():
        values = {
            name: {**_NEW_OPTIONS, **old}
            for name, old in (("options", row.options), ("rendered_options", row.rendered_options))
            if old is not None
        }
        connection.execute(sa.update(jobs).where(jobs.c.id == row.id).values(**values))
