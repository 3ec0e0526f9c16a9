"""Backups in a repository. docs/backup.md describes the format.

vault.json                      format, and how it is encrypted
objects/ab/ab12...              the bytes of files, named by their SHA-256 (encrypted: by a keyed hash of it), each once
objects/ab/ab12....z            the same, compressed
snapshots/ID.json               one backup: its facts, and the object that lists its files; written last
locks/                          lock objects (S3), or the locked file (a folder)
"""
