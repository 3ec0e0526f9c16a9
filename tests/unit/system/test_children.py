"""Children: they die with us, obey their limits, and give back what they said."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.system import children
from app.system.children import Limits

ROOT = Path(__file__).resolve().parents[3]
PYTHON = sys.executable


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def gone(pid: int) -> None:
    async with asyncio.timeout(5):
        while alive(pid):
            await asyncio.sleep(0.01)


async def output_of(argv: list[str], **options: object) -> tuple[int, str, str]:
    async with children.child(argv, **options) as process:  # type: ignore[arg-type]
        assert process.stdout is not None and process.stderr is not None
        out, err = await asyncio.gather(process.stdout.read(), process.stderr.read())
        return await process.wait(), out.decode(), err.decode()


async def test_a_child_becomes_the_program_and_answers() -> None:
    code, out, err = await output_of(
        [PYTHON, "-c", "import sys; print('hello'); print('careful', file=sys.stderr); sys.exit(7)"]
    )
    assert (code, out, err) == (7, "hello\n", "careful\n")


async def test_an_argument_is_never_read_by_a_shell() -> None:
    _, out, _ = await output_of([PYTHON, "-c", "import sys; print(sys.argv[1:])", "$(id)", "; ls", "-x y"])
    assert out.strip() == "['$(id)', '; ls', '-x y']"


async def test_leaving_the_block_kills_the_child_and_its_own_children() -> None:
    script = "import subprocess, sys; p = subprocess.Popen(['/bin/sleep', '60']); print(p.pid, flush=True); p.wait()"
    async with children.child([PYTHON, "-c", script]) as process:
        assert process.stdout is not None
        grandchild = int(await process.stdout.readline())
        assert alive(process.pid) and alive(grandchild)
    await gone(process.pid)
    await gone(grandchild)


async def test_cancelling_kills_the_child() -> None:
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        async with children.child(["/bin/sleep", "60"]) as process:
            started.set_result(process.pid)
            await process.wait()

    task = asyncio.create_task(work())
    pid = await started
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
async def test_a_child_dies_when_its_parent_is_killed() -> None:
    script = """
import asyncio, sys
from app.system import children
async def main():
    async with children.child(["/bin/sleep", "60"]) as process:
        print(process.pid, flush=True)
        await process.wait()
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(PYTHON, "-c", script, stdout=subprocess.PIPE, cwd=ROOT)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    # launch.py has become the program: the signal is set
    while Path(f"/proc/{pid}/comm").read_text().strip() != "sleep":
        await asyncio.sleep(0.01)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    await gone(pid)


async def test_memory_beyond_the_limit_is_refused() -> None:
    code, _, err = await output_of(
        [PYTHON, "-c", "x = bytearray(512 << 20); print(len(x))"], limits=Limits(memory_bytes=256 << 20)
    )
    assert code == 1 and "MemoryError" in err


async def test_processor_time_beyond_the_limit_ends_the_child() -> None:
    code, _, _ = await output_of([PYTHON, "-c", "while True: pass"], limits=Limits(cpu_s=1))
    assert code in (-signal.SIGXCPU, -signal.SIGKILL)


async def test_a_file_beyond_the_limit_is_not_written(tmp_path: Path) -> None:
    target = tmp_path / "big"
    code, _, _ = await output_of(
        [PYTHON, "-c", f"open({str(target)!r}, 'wb').write(bytes(1 << 20))"], limits=Limits(output_bytes=4096)
    )
    assert code != 0 and target.stat().st_size <= 4096


async def test_the_environment_is_ours_with_additions() -> None:
    _, out, _ = await output_of(
        [PYTHON, "-c", "import os; print(os.environ['PATH'] == os.environ['SAME'], os.environ['MORE'])"],
        env={"SAME": os.environ["PATH"], "MORE": "1"},
    )
    assert out == "True 1\n"


async def test_tail_keeps_only_the_end_of_a_chatty_child() -> None:
    async with children.child([PYTHON, "-c", "import sys; sys.stderr.write('x' * 1000000 + 'end')"]) as process:
        assert process.stderr is not None
        text = await children.tail(process.stderr, keep_bytes=100)
    assert len(text) == 100 and text.endswith("xend")


async def test_run_python_hands_over_the_request_and_every_event(tmp_path: Path) -> None:
    (tmp_path / "echo_child.py").write_text(
        "import json, sys\n"
        "request = json.loads(sys.stdin.readline())\n"
        "print('a library says hello')\n"
        "print(json.dumps({'progress': 0.5}))\n"
        "print('{broken')\n"
        "print(json.dumps({'result': request}))\n"
        "print('last words', file=sys.stderr)\n"
        "sys.exit(3)\n"
    )
    events: list[dict[str, object]] = []
    ended = await children.run_python(
        "echo_child", {"n": 1, "text": "größer"}, on_event=events.append, env={"PYTHONPATH": str(tmp_path)}
    )
    assert events == [{"progress": 0.5}, {"result": {"n": 1, "text": "größer"}}]
    assert ended.code == 3 and ended.stderr.strip() == "last words"


async def test_run_python_takes_a_line_longer_than_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "long_child.py").write_text("import json\nprint(json.dumps({'text': 'x' * 5_000_000}))\n")
    events: list[dict[str, str]] = []
    await children.run_python("long_child", {}, on_event=events.append, env={"PYTHONPATH": str(tmp_path)})
    assert len(events[0]["text"]) == 5_000_000


async def test_a_child_that_does_not_read_its_request_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "deaf_child.py").write_text("import os\nos.close(0)\nprint('{\"heard\": 0}')\n")
    events: list[dict[str, int]] = []
    ended = await children.run_python(
        "deaf_child", {"pad": "x" * 1_000_000}, on_event=events.append, env={"PYTHONPATH": str(tmp_path)}
    )
    assert ended.code == 0 and events == [{"heard": 0}]
