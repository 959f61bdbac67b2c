"""`python -m loadtest.recovery.restoring`: restore all tables in this process, alone, and say what it took.

One line of JSON on standard output: a `Restored`. The memory is the resident set's growth over the first restore.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec
import psutil

from agents import stages
from pipeline import metrics
from pipeline.engine.live import PagedTable
from pipeline.engine.restore import Restorer
from pipeline.engine.stage import DecidingStage
from pipeline.engine.worker import GARBAGE_THRESHOLDS
from pipeline.settings import read_settings

if TYPE_CHECKING:
    from pipeline.engine.live import LiveTable
    from pipeline.engine.restore import Partition
    from pipeline.engine.tables import PartitionTables

SLOT_BYTES = 104
"""Of a dict, for each entry: hash, key and value, and the room that it keeps free, on average."""


class TableSize(msgspec.Struct, kw_only=True):
    """A table over all partitions. Bytes of live entries are estimated from the sizes of their objects."""

    table: str
    live_entries: int = 0
    live_bytes: int = 0
    paged_entries: int = 0
    paged_bytes: int = 0


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A restore of all tables: its rounds, in seconds each, and the CPU seconds of all threads in each."""

    seconds: list[float]
    cpu_seconds: list[float]
    records: int
    entries: int
    memory_bytes: int
    tables: list[TableSize]


def main(arguments: list[str]) -> int:
    """Restore so many rounds."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.recovery.restoring", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    rounds = parser.parse_args(arguments).rounds
    settings = read_settings(os.environ, needs=("kafka",))
    deciding = [stage for stage in stages(settings) if isinstance(stage, DecidingStage) and stage.tables]
    restorer = Restorer(settings, deciding)
    places = [(stage.reads.name, number) for stage in deciding for number in range(settings.partitions)]
    offsets = restorer.committed(places)
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)  # as a worker has it
    before = psutil.Process().memory_info().rss
    found, took, records = _restore(restorer, offsets)
    memory = psutil.Process().memory_info().rss - before
    sizes = _sizes(found)
    rounds_took = [took]
    for _ in range(rounds - 1):
        found = {}
        found, took, _ = _restore(restorer, offsets)
        rounds_took.append(took)
    seconds, cpu_seconds = map(list, zip(*rounds_took, strict=True))
    entries = sum(size.live_entries + size.paged_entries for size in sizes)
    result = Restored(
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        records=records,
        entries=entries,
        memory_bytes=memory,
        tables=sizes,
    )
    sys.stdout.buffer.write(msgspec.json.encode(result) + b"\n")
    return 0


def _restore(
    restorer: Restorer, offsets: dict[Partition, int]
) -> tuple[dict[Partition, PartitionTables], tuple[float, float], int]:
    before = _records()
    started, used = time.monotonic(), time.process_time()
    found = restorer.restore(offsets, lambda: True)
    return found, (time.monotonic() - started, time.process_time() - used), _records() - before


def _records() -> int:
    """Count the changelog records that this process has restored, by its own metric."""
    (family,) = metrics.RESTORED_RECORDS.collect()
    return int(next(sample.value for sample in family.samples if sample.name.endswith("_total")))


def _sizes(found: dict[Partition, PartitionTables]) -> list[TableSize]:
    sizes: dict[str, TableSize] = {}
    for tables in found.values():
        for live in tables.tables:
            size = sizes.setdefault(live.table.name, TableSize(table=live.table.name))
            _add(size, live)
    return list(sizes.values())


def _add(size: TableSize, live: LiveTable) -> None:
    size.live_entries += len(live)
    size.live_bytes += sum(_bytes(key) + _bytes(value) + SLOT_BYTES for key, value in dict.items(live))
    if isinstance(live, PagedTable):
        size.paged_entries += sum(len(page) for page in live.pages.values())
        size.paged_bytes += sum(page.size for page in live.pages.values()) + live.filter_bytes


def _bytes(value: Any) -> int:  # noqa: ANN401  whatever an entry consists of
    """Give an object's size with all in it."""
    if isinstance(value, msgspec.Struct):
        return sys.getsizeof(value) + sum(_bytes(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, tuple):
        return sys.getsizeof(value) + sum(map(_bytes, value))
    return sys.getsizeof(value)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
