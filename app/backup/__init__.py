"""The vault: a place with backups. docs/backup.md describes its format.

vault.json                      format, and how it is encrypted
objects/ab/ab12...              the bytes of files, named by their SHA-256 (encrypted: by a keyed hash of it), each once
objects/ab/ab12....z            the same, compressed
snapshots/ID.json               one backup: what it is, and which object lists its files; written last
locks/                          who works here (S3), or the file that is locked (a folder)
"""
