"""What a worker says of itself, read from its metrics: whether it works, and what changed between two readings."""

from __future__ import annotations

import urllib.request
from contextlib import suppress
from http.client import HTTPException
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from loadtest.scraping import samples_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

READ_SECONDS = 1.0
COMMITS = "holdfast_commit_seconds_count"
REBALANCES = "holdfast_rebalances_total"
PARTITIONS = "holdfast_partitions"
RECORDS = "holdfast_records_total"
ENTRIES = "holdfast_table_entries"


class Announced(msgspec.Struct, frozen=True):
    """What a worker writes into the run directory when it starts."""

    pid: int
    metrics: str


class Reading(NamedTuple):
    """A worker at one moment. Counters begin anew with every process; `entries` by table."""

    pid: int
    commits: int
    rebalances: int
    partitions: int
    records: int
    entries: Mapping[str, int]


def announced(path: Path) -> Announced | None:
    """Read where a worker serves its metrics, if it has said so."""
    with suppress(FileNotFoundError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=Announced)
    return None


def read_worker(place: Announced) -> Reading | None:
    """Read a worker's metrics; None where it does not answer, or ends in the middle of its answer."""
    try:
        with urllib.request.urlopen(place.metrics, timeout=READ_SECONDS) as response:  # noqa: S310 - a worker's own
            return reading_of(place.pid, response.read().decode())
    except (OSError, HTTPException):
        return None


def reading_of(pid: int, text: str) -> Reading:
    """Parse a page of metrics."""
    sums = dict.fromkeys((COMMITS, REBALANCES, PARTITIONS, RECORDS), 0)
    entries: dict[str, int] = {}
    for name, labels, value in samples_of(text):
        if name in sums:
            sums[name] += int(value)
        elif name == ENTRIES:
            entries[labels["table"]] = int(value)
    return Reading(pid, sums[COMMITS], sums[REBALANCES], sums[PARTITIONS], sums[RECORDS], entries)
