"""Read the workers' Prometheus endpoints: how much waits for each stage, and whether a worker has committed."""

from __future__ import annotations

import urllib.request
from collections import Counter
from contextlib import suppress
from http.client import HTTPException
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loadtest.deployment import UpProcess

SCRAPE_SECONDS = 2.0
LAG_RECORDS = "holdfast_lag_records"
LAG_SECONDS = "holdfast_lag_seconds"
COMMITS = "holdfast_commit_seconds_count"
EVENTS = "holdfast_events_total"


class Scrape(NamedTuple):
    """What the workers say: by stage, the records that wait and the age of the oldest; by process, its commits."""

    lag_records: Mapping[str, int]
    lag_seconds: Mapping[str, float]
    commits: Mapping[int, int]


def scrape(processes: Iterable[UpProcess]) -> Scrape:
    """Ask every process that serves metrics; one that does not answer (it may just have been killed) is left out."""
    records: Counter[str] = Counter()
    seconds: dict[str, float] = {}
    commits = {}
    for process in processes:
        with suppress(OSError, HTTPException):
            samples = _samples(process.metrics) if process.metrics else ()
            for name, labels, value in samples:
                stage = labels.get("stage", "")
                if name == LAG_RECORDS:
                    records[stage] += int(value)
                elif name == LAG_SECONDS:
                    seconds[stage] = max(value, seconds.get(stage, 0.0))
                elif name == COMMITS:
                    commits[process.pid] = int(value)
    return Scrape(records, seconds, commits)


def deciding(processes: Mapping[str, UpProcess], event: str) -> tuple[str, int] | None:
    """Name the process that has emitted most events of a name, and how many since it started; None where none has."""
    counts: Counter[str] = Counter()
    for name, process in processes.items():
        with suppress(OSError):
            for sample, labels, value in _samples(process.metrics) if process.metrics else ():
                if sample == EVENTS and labels.get("event") == event:
                    counts[name] += int(value)
    return next(iter(counts.most_common(1)), None)


def _samples(address: str) -> list[tuple[str, dict[str, str], float]]:
    with urllib.request.urlopen(address, timeout=SCRAPE_SECONDS) as response:  # noqa: S310 - a worker's own address
        text = response.read().decode()
    return samples_of(text)


def samples_of(text: str) -> list[tuple[str, dict[str, str], float]]:
    """Parse a page of metrics into (name, labels, value)."""
    return [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
