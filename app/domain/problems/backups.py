"""What is wrong with a backup, its repository or the data folder."""

from __future__ import annotations

from typing import Final

from app.domain.errors import Problem

BACKUP_PLACE: Final = Problem(
    "backup_place",
    502,
    "The backup repository cannot be used.",
    "Check the folder or bucket, its permissions and keys, and the network.",
)
BACKUP_NOT_FOUND: Final = Problem(
    "backup_not_found", 404, "There is no such backup.", "`autodubber backups` lists the backups of a repository."
)
BACKUP_PASSWORD: Final = Problem(
    "backup_password",
    403,
    "The backup password is wrong.",
    "Set AUTODUBBER_BACKUP_PASSWORD or AUTODUBBER_BACKUP_PASSWORD_FILE.",
)
BACKUP_BUSY: Final = Problem(
    "backup_busy", 409, "Another process is using this backup repository.", "Wait until it has ended and try again."
)
BACKUP_DAMAGED: Final = Problem(
    "backup_damaged",
    500,
    "The backup is damaged.",
    "`autodubber verify` names what is damaged. Use another backup, and test the disk that stores this one.",
)
BACKUP_NEWER: Final = Problem(
    "backup_newer", 409, "The backup was made by a newer AutoDubber.", "Restore it with that version or a later one."
)
DATA_DAMAGED: Final = Problem(
    "data_damaged",
    500,
    "The data folder's database is damaged.",
    "Stop the server and restore the newest backup; test the disk.",
)
DATA_IN_USE: Final = Problem("data_in_use", 409, "A server is using the data folder.", "Stop the server first.")
DATA_USED: Final = Problem(
    "data_used",
    409,
    "The data folder is not empty.",
    "Choose an empty one, or pass --replace: existing files are moved aside, not deleted.",
)
