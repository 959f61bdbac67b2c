"""Samples of every process of a rig, every two seconds: its memory, and the entries of a worker's tables."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import msgspec
import psutil

from pipeline.services import processes as servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.chaos.rig import Rig

SAMPLES_FILE = "samples.jsonl"
SAMPLE_SECONDS = 2.0


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A process at one moment (ms UTC)."""

    at_ms: int
    process: str
    pid: int
    rss_bytes: int
    entries: dict[str, int]


@contextmanager
def sampled(rig: Rig) -> Iterator[None]:
    """Write samples for as long as a block of code runs."""
    stopping = threading.Event()
    with (rig.place.run_dir / SAMPLES_FILE).open("ab") as file:
        thread = threading.Thread(target=_sample, args=(rig, file, stopping), name="sampler", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()


def _sample(rig: Rig, file: IO[bytes], stopping: threading.Event) -> None:
    while not stopping.wait(SAMPLE_SECONDS):
        for name, pid in _pids(rig).items():
            try:
                rss = int(psutil.Process(pid).memory_info().rss)
            except psutil.NoSuchProcess:
                continue
            child = rig.children.get(name)
            reading = rig.read(child) if child in rig.workers and child is not None else None
            entries = dict(reading.entries) if reading else {}
            at_ms = time.time_ns() // 1_000_000
            sample = Sample(at_ms=at_ms, process=name, pid=pid, rss_bytes=rss, entries=entries)
            file.write(msgspec.json.encode(sample) + b"\n")
        file.flush()


def _pids(rig: Rig) -> dict[str, int]:
    found = {name: process.pid for name, process in rig.processes().items()}
    found |= {name: server.pid for name, server in servers(rig.place.run_dir).items()}
    return found
