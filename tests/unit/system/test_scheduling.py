"""Short turns: for the thread that asked, and for nobody else."""

from __future__ import annotations

import os
import threading

import pytest

from app.system import scheduling


def asked() -> tuple[bool, int | None, int | None, int]:
    """What a fresh thread gets, what one that it starts has then, and its niceness."""
    found: list[int | None] = []
    given = scheduling.shorten()
    child = threading.Thread(target=lambda: found.append(scheduling.turn_ns()))
    child.start()
    child.join()
    return given, scheduling.turn_ns(), found[0], os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_a_thread_gets_short_turns_and_hands_them_to_nobody() -> None:
    results: list[tuple[bool, int | None, int | None, int]] = []
    thread = threading.Thread(target=lambda: results.append(asked()))
    thread.start()
    thread.join()
    given, own_ns, childs_ns, nice = results[0]
    if not given or own_ns == 0:
        pytest.skip("this kernel has no turns to ask for")
    assert own_ns == 100_000
    assert childs_ns != own_ns
    assert nice == os.getpriority(os.PRIO_PROCESS, 0)


def test_another_policy_is_left_alone() -> None:
    policies: list[tuple[bool, int]] = []

    def batch() -> None:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        policies.append((scheduling.shorten(), os.sched_getscheduler(0)))

    thread = threading.Thread(target=batch)
    thread.start()
    thread.join()
    assert policies == [(False, os.SCHED_BATCH)]


def test_a_machine_without_them_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling.platform, "machine", lambda: "s390x")
    assert scheduling.turn_ns() is None and not scheduling.shorten()
