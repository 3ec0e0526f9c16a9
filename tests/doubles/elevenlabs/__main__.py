"""Serves the double of ElevenLabs until it is ended; its address is the first line."""

from __future__ import annotations

import argparse
import asyncio
import signal

from tests.doubles.elevenlabs.server import Double
from tests.doubles.elevenlabs.speech import AT_ONCE


async def serve(arguments: argparse.Namespace) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with Double(port=arguments.port, tier=arguments.tier, limit=arguments.limit, tones=arguments.tones) as double:
        print(double.url, flush=True)
        await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for ElevenLabs.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tier", default="creator", choices=AT_ONCE)
    parser.add_argument("--limit", type=int, default=100_000, help="credits")
    parser.add_argument("--tones", action="store_true", help="tones instead of speech")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
