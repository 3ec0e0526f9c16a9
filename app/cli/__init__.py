"""The command line: one module for each command, with `run(arguments, settings) -> int`."""
