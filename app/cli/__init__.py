"""What an operator types: backup, backups, verify, restore, export, import, clean, migrate. One module each, `run(arguments, settings) -> int`."""
