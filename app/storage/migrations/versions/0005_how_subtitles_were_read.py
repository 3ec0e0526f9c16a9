"""How a brought subtitle file was read, and the encoding that a person chose for it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# As they were when this migration was written; `app.domain.job.NEUTRAL` may move on.
_NEW_OPTIONS = {"subtitle_encoding": None}


def upgrade() -> None:
    op.add_column("jobs", sa.Column("subtitles", sa.JSON))
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
