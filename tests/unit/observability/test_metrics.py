"""Counting: exact from many threads, and never more series than is bearable."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from app.observability import metrics


@pytest.fixture(autouse=True)
def own_families(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(metrics, "_families", {})
    yield


def test_many_threads_lose_no_count() -> None:
    counter = metrics.Counter("c_total", "Counted.", "who")
    histogram = metrics.Histogram("h_seconds", "Seen.", bounds=(1.0, 2.0))

    def work() -> None:
        for _ in range(5000):
            counter.add("me", amount=2)
            histogram.observe(value=1.5)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.values() == {("me",): 80_000.0}
    assert histogram.heaps()[()] == metrics.BucketCounts([0, 40_000, 0], 60_000.0)


def test_a_value_on_a_bound_belongs_below_it() -> None:
    histogram = metrics.Histogram("h_seconds", "Seen.", bounds=(1.0, 2.0))
    for value in (0.0, 1.0, 1.1, 2.0, 2.1):
        histogram.observe(value=value)
    assert histogram.heaps()[()].counts == [2, 2, 1]


def test_too_many_series_become_one() -> None:
    counter = metrics.Counter("c_total", "Counted.", "id")
    for number in range(metrics.MOST_SERIES + 100):
        counter.add(str(number))
    assert len(counter.values()) == metrics.MOST_SERIES + 1
    assert counter.values()[(metrics.OTHER,)] == 100
    counter.add("0")
    assert counter.values()[("0",)] == 2


def test_a_gauge_comes_and_goes() -> None:
    gauge = metrics.Gauge("g", "Now.")
    gauge.change(by=2)
    gauge.change(by=-1)
    assert gauge.values() == {(): 1.0}
    gauge.set(to=7)
    assert gauge.values() == {(): 7.0}


def test_a_wrong_use_is_told_at_once() -> None:
    counter = metrics.Counter("c_total", "Counted.", "a", "b")
    with pytest.raises(ValueError, match="labels"):
        counter.add("only one")
    with pytest.raises(ValueError, match="twice"):
        metrics.Counter("c_total", "Again.")
