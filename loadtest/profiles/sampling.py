"""Samples of a run while it goes on: what was sent, what waits for each stage, what each process takes."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import psutil

from loadtest.scraping import scrape
from pipeline.services import processes as servers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadtest.sending import Sender
    from loadtest.watching import Watched

SAMPLES_MAX = 1200
"""Of one run: a long load is sampled less often than SAMPLE_SECONDS."""
SAMPLE_SECONDS = 1.0
GENERATOR, MEASURER = "generator", "measuring"


class Usage(msgspec.Struct, frozen=True):
    """What a process has taken since it started, and has now."""

    pid: int
    cpu_seconds: float
    rss_bytes: int


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A run at one moment (ms UTC). `late_seconds`: how late the generator was at most since it last said so.

    None: it does not send.
    """

    at_ms: int
    sent: int
    late_seconds: float | None
    waiting: dict[str, int]
    """The records that wait, by stage."""
    processes: dict[str, Usage]


class Sampler:
    """Takes samples in a thread of its own, into `samples`."""

    def __init__(self, watched: Watched, seconds: float) -> None:
        self.samples: list[Sample] = []
        self.sender: Sender | None = None
        self._watched = watched
        self._interval = max(SAMPLE_SECONDS, seconds / SAMPLES_MAX)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Take samples for as long as a block of code runs."""
        stopping = threading.Event()
        thread = threading.Thread(target=self._run, args=(stopping,), name="sampler", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.wait(self._interval):
            self.samples.append(self._sample())

    def _sample(self) -> Sample:
        sender = self.sender
        scraped = scrape(self._watched.processes().values())
        return Sample(
            at_ms=time.time_ns() // 1_000_000,
            sent=sender.last.sent if sender else 0,
            late_seconds=sender.last.late_seconds if sender and sender.running else None,
            waiting=dict(scraped.lag_records),
            processes={name: usage for name, pid in self._pids().items() if (usage := _usage(pid))},
        )

    def _pids(self) -> dict[str, int]:
        found = {name: process.pid for name, process in self._watched.processes().items()}
        found |= {name: server.pid for name, server in servers(self._watched.place.run_dir).items()}
        if self.sender and self.sender.running:
            found[GENERATOR] = self.sender.pid
        return found | {MEASURER: os.getpid()}


def _usage(pid: int) -> Usage | None:
    """Ask a process; None where it has ended."""
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return Usage(pid, times.user + times.system, process.memory_info().rss)
    except psutil.NoSuchProcess:
        return None


def used_by(samples: Sequence[Sample]) -> dict[str, list[float]]:
    """Give each process's CPU seconds from the first sample on, at each sample; one that is started again goes on."""
    used: dict[str, list[float]] = {}
    for place, sample in enumerate(samples):
        for name, usage in sample.processes.items():
            course = used.setdefault(name, [0.0] * place)
            course.append((course[-1] if course else 0.0) + _since(samples[place - 1] if place else None, name, usage))
        for course in used.values():
            if len(course) == place:
                course.append(course[-1])
    return used


def _since(before: Sample | None, name: str, now: Usage) -> float:
    """Give what a process has used since the sample before; of one that is new, all."""
    if before is None:
        return 0.0
    last = before.processes.get(name)
    return now.cpu_seconds - last.cpu_seconds if last and last.pid == now.pid else now.cpu_seconds
