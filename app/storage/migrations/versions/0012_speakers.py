"""The speakers of a job. What a line said of them was a name; now it is an id."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_COLOURS = 10
_MOST = 200


def upgrade() -> None:
    op.add_column("jobs", sa.Column("speakers", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("segments", sa.Column("voice", sa.Text))
    op.add_column("segments", sa.Column("speed", sa.Float))
    op.add_column("segments", sa.Column("level_db", sa.Float))
    jobs = sa.table("jobs", sa.column("id", sa.String), sa.column("speakers", sa.JSON))
    lines = sa.table(
        "segments", sa.column("job_id", sa.String), sa.column("speaker", sa.Text), sa.column("start_s", sa.Float)
    )
    connection = op.get_bind()
    found = connection.execute(
        sa.select(lines.c.job_id, lines.c.speaker)
        .where(lines.c.speaker != "")
        .group_by(lines.c.job_id, lines.c.speaker)
        .order_by(lines.c.job_id, sa.func.min(lines.c.start_s), lines.c.speaker)
    ).all()
    by_job: dict[str, list[str]] = {}
    for row in found:
        by_job.setdefault(row.job_id, []).append(row.speaker)
    for job_id, names in by_job.items():
        speakers = []
        for number, name in enumerate(names):
            speaker_id = uuid.uuid4().hex if number < _MOST else ""
            if speaker_id:
                told = {"id": speaker_id, "name": name, "colour": number % _COLOURS, "voice": None, "voice_model": ""}
                speakers.append({**told, "speed": None, "level_db": 0.0})
            mine = (lines.c.job_id == job_id) & (lines.c.speaker == name)
            connection.execute(sa.update(lines).where(mine).values(speaker=speaker_id))
        connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(speakers=speakers))
