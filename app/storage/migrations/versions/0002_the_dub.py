"""Locks of lines, a brought stem, and the options of the mix and the files."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# As they were when this migration was written; `app.domain.job.NEUTRAL` may move on.
_NEW_OPTIONS = {
    "target_language": None,
    "duck_db": None,
    "duck_attack_s": 0.12,
    "duck_hold_s": 0.8,
    "duck_release_s": 0.45,
    "keep_db": 0.0,
    "loudness_lufs": -16.0,
    "audio_format": "m4a",
    "container": "auto",
    "audio_codec": "aac",
    "burn_size": "medium",
    "burn_position": "bottom",
    "burn_box": False,
    "hardware_encoder": False,
}


def upgrade() -> None:
    op.add_column("segments", sa.Column("start_locked", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("segments", sa.Column("locked_rate", sa.Float))
    op.add_column("jobs", sa.Column("stem_key", sa.Text))
    op.add_column("jobs", sa.Column("rendered_stem_key", sa.Text))
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
