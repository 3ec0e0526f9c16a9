"""The command line's arguments. Every command imports its code only when it runs. `app/system/exit_status.py` explains
the exit statuses."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import __version__
from app.cli import dub_arguments, operator
from app.system.console import say, say_json_text
from app.system.exit_status import ENVIRONMENT, HELP, INTERRUPTED, OK, USAGE, UsageError

if TYPE_CHECKING:
    from app.config.settings import Settings


class _Parser(argparse.ArgumentParser):
    """Prints help and errors through `console`: they may repeat an argument, such as a file's name."""

    def _print_message(self, message: str, file: Any = None) -> None:
        say(*message.removesuffix("\n").split("\n"), to=file or sys.stderr)


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    raw = argparse.RawDescriptionHelpFormatter
    root: argparse.ArgumentParser = _Parser(
        prog="autodubber",
        description="Re-voice and dub videos on a machine of your own.",
        epilog=HELP,
        formatter_class=raw,
    )
    root.add_argument("--version", action="version", version=f"autodubber {__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve the page and the API")
    serve.add_argument("--host", help="address to listen on (default: AUTODUBBER_HOST or 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on (default: AUTODUBBER_PORT or 8000)")
    _add_data(serve)
    serve.set_defaults(run=_serve)

    dub = commands.add_parser("dub", help="dub one file or link without a server", epilog=HELP, formatter_class=raw)
    dub.add_argument(
        "input",
        type=dub_arguments.input_of,
        metavar="INPUT",
        help="video or sound file, or the address of a page with a video",
    )
    dub_arguments.add(dub)
    _add_data(dub)
    dub.set_defaults(run=_dub)

    _add_mux(commands)

    operator.add(commands, _add_data, load_settings)

    doctor = commands.add_parser("doctor", help="check this machine and print the fix for what is missing")
    doctor.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    _add_data(doctor)
    doctor.set_defaults(run=_doctor)

    openapi = commands.add_parser("openapi", help="print the API's OpenAPI schema")
    openapi.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write it to this file (default: standard output)"
    )
    openapi.set_defaults(run=_openapi)

    health = commands.add_parser("health", help="ask a running server whether it is ready (for health checks)")
    health.add_argument(
        "--url", help="the server's address (default: this machine, from AUTODUBBER_HOST and AUTODUBBER_PORT)"
    )
    health.set_defaults(run=_health)

    version = commands.add_parser("version", help="print the version")
    version.set_defaults(run=_version)
    return root


def _add_mux(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    mux = commands.add_parser(
        "mux",
        help="put several dubs of one video into one file",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    named = "LANG=FILE[:TITLE]"
    mux.add_argument("video", type=Path, metavar="VIDEO", help="the original video")
    mux.add_argument(
        "--track",
        action="append",
        required=True,
        metavar=named,
        help="a dub: a sound file, or a video whose first audio track is used",
    )
    mux.add_argument(
        "--subtitles",
        action="append",
        default=[],
        metavar=named,
        help="subtitle track that viewers can switch on: SRT, WebVTT or ASS",
    )
    mux.add_argument("--keep-original-track", action="store_true", help="add the original sound as the last track")
    mux.add_argument(
        "--original-language", metavar="CODE", help="language of the original sound (default: as the file says)"
    )
    mux.add_argument(
        "--audio-track",
        default="auto",
        metavar="N",
        help="number of the original's audio track, counted from 0 (default: auto)",
    )
    mux.add_argument("--default", metavar="LANG", help="the dub that players start with (default: the first)")
    mux.add_argument("--any-length", action="store_true", help="accept tracks that are not as long as the video")
    mux.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="the file to write: .mp4, .mkv or .webm"
    )
    mux.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    mux.set_defaults(run=_mux)


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder for everything that is kept (default: AUTODUBBER_DATA or ./data)",
    )


def load_settings(arguments: argparse.Namespace) -> Settings:
    """The settings, overridden by arguments. Arguments are put into the environment, where a worker process reads
    them."""
    from app.config import environment
    from app.config.variables import PREFIX

    for option in ("host", "port", "data"):
        value = getattr(arguments, option, None)
        if value is not None:
            os.environ[PREFIX + option.upper()] = str(value)
    try:
        return environment.load()
    except environment.SettingsError as error:
        raise UsageError(str(error)) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except UsageError as error:
        say(f"autodubber: {error}", to=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        say("autodubber: interrupted", to=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the output has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _serve(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments)
    from app.server.granian import is_free, run
    from app.storage import secret_key
    from app.system import data_lock, file_modes
    from app.system.disk_full import is_disk_full

    file_modes.private(settings.data)
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if not is_disk_full(error):  # a server waits for free space and creates it then
            say(
                (
                    f"autodubber: the data folder {settings.data} cannot be created: {error.strerror}; choose another: "
                    f"--data DIR"
                ),
                to=sys.stderr,
            )
            return ENVIRONMENT
    if settings.data.exists() and not os.access(settings.data, os.W_OK):
        say(
            (
                f"autodubber: the data folder {settings.data} is not writable by user {os.getuid()}; chown it, or "
                f"choose "
                f"another: --data DIR"
            ),
            to=sys.stderr,
        )
        return ENVIRONMENT
    other = data_lock.owner(settings.data)
    if other is not None:
        who = f"another server (process {other})" if other else "another server"
        say(f"autodubber: {who} works on {settings.data}; stop it, or choose another folder: --data DIR", to=sys.stderr)
        return ENVIRONMENT
    if not is_free(settings.host, settings.port):
        say(
            (
                f"autodubber: cannot listen on {settings.host} port {settings.port}: it is taken or not allowed; "
                f"choose "
                f"another: --port N"
            ),
            to=sys.stderr,
        )
        return ENVIRONMENT
    try:
        secret_key.check(settings.data / "secret.key", settings.data / "app.sqlite3")
    except secret_key.SecretKeyUnusable as error:
        say(f"autodubber: {error}", to=sys.stderr)
        return ENVIRONMENT
    return run(settings)


def _dub(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments)
    from app.cli import dub
    from app.system import file_modes

    file_modes.private(settings.data)
    return dub.run(arguments, settings)


def _mux(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments)
    from app.cli import mux

    return mux.run(arguments, settings)


def _doctor(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments)
    from app.cli import doctor

    return doctor.run(settings, as_json=arguments.json)


def _openapi(arguments: argparse.Namespace) -> int:
    from app.api.schema import document_json
    from app.config.settings import Settings
    from app.server.app import create_app

    text = document_json(create_app(Settings())).decode()
    if arguments.output is None:
        say_json_text(text)
    else:
        arguments.output.write_text(text, encoding="utf-8")
    return OK


def _health(arguments: argparse.Namespace) -> int:
    from app.cli.health import run

    if arguments.url is not None:
        return run(arguments.url)
    from app.config.address import url_from_env

    return run(url_from_env())


def _version(_: argparse.Namespace) -> int:
    say(f"autodubber {__version__}")
    return OK
