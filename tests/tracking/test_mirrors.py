"""Mirrors may fail, hang or start late: training does not notice."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from pgrobot.pictures import Picture, Table
from pgrobot.tracking import Background, Guarded, RunInfo, open_mirrors
from pgrobot.types import Metrics, Tracker


class Memory:
    def __init__(self, fails_at: int = -1) -> None:
        self.rows: list[tuple[int, Metrics]] = []
        self.shown: list[tuple[int, str, Picture]] = []
        self.threads: set[int] = set()
        self.closed = 0
        self.fails_at = fails_at

    def write(self, step: int, metrics: Metrics) -> None:
        self.threads.add(threading.get_ident())
        if step == self.fails_at:
            raise ConnectionError("no route to host")
        self.rows.append((step, metrics))

    def show(self, step: int, name: str, picture: Picture) -> None:
        self.threads.add(threading.get_ident())
        if step == self.fails_at:
            raise ConnectionError("no route to host")
        self.shown.append((step, name, picture))

    def close(self) -> None:
        self.closed += 1


ROWS = [(n, {"x": n / 2}) for n in range(5)]


def write_all(tracker: Tracker) -> None:
    for step, metrics in ROWS:
        tracker.write(step, metrics)


TABLE = Table(("joint",), (("hip",),))


def test_a_guarded_tracker_that_works_is_the_tracker() -> None:
    memory = Memory()
    guarded = Guarded("memory", memory)
    write_all(guarded)
    guarded.show(4, "table", TABLE)
    guarded.close()
    assert memory.rows == ROWS
    assert memory.shown == [(4, "table", TABLE)]
    assert memory.closed == 1


def test_a_failing_tracker_is_told_once_and_off(caplog: pytest.LogCaptureFixture) -> None:
    memory = Memory(fails_at=2)
    guarded = Guarded("memory", memory)
    write_all(guarded)
    guarded.close()
    assert memory.rows == ROWS[:2]
    assert memory.closed == 0
    assert len(caplog.messages) == 1
    assert "The tracker memory failed and is off from here on" in caplog.text
    assert "ConnectionError: no route to host" in caplog.text


def test_a_tracker_that_cannot_show_a_picture_is_off(caplog: pytest.LogCaptureFixture) -> None:
    memory = Memory(fails_at=1)
    guarded = Guarded("memory", Background(lambda: memory, patience=10.0))
    guarded.write(0, {})
    guarded.show(1, "table", TABLE)
    guarded.close()
    assert memory.rows == [(0, {})]
    assert len(caplog.messages) == 1
    assert "The tracker memory failed and is off from here on" in caplog.text


def test_ctrl_c_is_not_a_failure_of_the_tracker() -> None:
    class Interrupted(Memory):
        def write(self, step: int, metrics: Metrics) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Guarded("memory", Interrupted()).write(0, {})


def test_background_hands_on_everything_in_order_from_one_other_thread() -> None:
    memory = Memory()
    background = Background(lambda: memory, patience=10.0)
    metrics = {"x": 1.0}
    background.write(1, metrics)
    metrics["x"] = 2.0  # the caller's own, to do with as it likes
    background.write(2, metrics)
    background.show(2, "table", TABLE)
    background.close()
    assert memory.rows == [(1, {"x": 1.0}), (2, {"x": 2.0})]
    assert memory.shown == [(2, "table", TABLE)]
    assert memory.closed == 1
    assert len(memory.threads) == 1
    assert threading.get_ident() not in memory.threads


def test_background_opens_at_the_first_write() -> None:
    opened = threading.Event()

    def open_it() -> Memory:
        opened.set()
        return Memory()

    unused = Background(open_it, patience=10.0)
    unused.close()
    assert not opened.is_set()
    used = Background(open_it, patience=10.0)
    used.write(0, {})
    used.close()
    assert opened.is_set()


def test_nothing_waits_for_a_slow_start() -> None:
    memory, network = Memory(), threading.Event()

    def slow() -> Memory:
        network.wait()
        return memory

    background = Background(slow, patience=10.0)
    write_all(background)
    assert memory.rows == []
    network.set()
    background.close()
    assert memory.rows == ROWS


def test_a_mirror_that_hangs_at_the_end_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    network = threading.Event()

    class Hanging(Memory):
        def close(self) -> None:
            network.wait()

    guarded = Guarded("slow", Background(Hanging, patience=0.05))
    guarded.write(0, {})
    guarded.close()
    assert "TimeoutError: it did not finish within 0.05 s" in caplog.text
    network.set()


@pytest.mark.parametrize("fails_at", [0, 4])
def test_what_fails_in_the_background_is_told(fails_at: int, caplog: pytest.LogCaptureFixture) -> None:
    memory = Memory(fails_at=fails_at)
    guarded = Guarded("memory", Background(lambda: memory, patience=10.0))
    write_all(guarded)
    guarded.close()
    assert len(caplog.messages) == 1
    assert "no route to host" in caplog.text
    assert memory.closed == 1  # what had been written is not lost


class Broken:
    def open(self, run: RunInfo) -> Tracker:
        raise OSError("no space left on device")


class Working:
    def __init__(self) -> None:
        self.memory = Memory()

    def open(self, run: RunInfo) -> Tracker:
        return self.memory


def test_one_broken_mirror_leaves_the_others(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    run = RunInfo(tmp_path, "id", "name", "", (), {}, lambda: "finished", tuple)
    working = Working()
    trackers = open_mirrors({"broken": Broken(), "working": working}, run)
    for tracker in trackers:
        write_all(tracker)
    for tracker in trackers:
        tracker.close()
    assert working.memory.rows == ROWS
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "The tracker broken failed" in caplog.text
