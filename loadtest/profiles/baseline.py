"""A result beside an earlier one: the ratio of each figure, and which of them are worse than is tolerated."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadtest.profiles.result import Result, Setup

TOLERANCES: Mapping[str, float] = {"latency": 0.5, "backlog": 0.5, "cpu": 0.25, "memory": 0.25}
"""By kind of figure, how much larger it may be than the baseline's, of 1. Times of a shared machine vary more than
what the work costs."""
SMALL: Mapping[str, float] = {"latency": 0.02, "backlog": 1.0, "cpu": 20.0, "memory": 20.0}
"""By kind, in the figure's unit: what is larger by no more than this is the same."""
BYTES_PER_MB = 1_000_000
DATABASES = ("kafka", "redis", "clickhouse")
WORLD = ("generator", "measuring", "sandbox")


class Figure(NamedTuple):
    """A figure of a result, the smaller the better; None: what it measures never came."""

    kind: str
    unit: str
    value: float | None


class Compared(NamedTuple):
    """A figure now and in the baseline. `ratio`: now to then; none where one of them is missing or 0."""

    name: str
    unit: str
    now: float | None
    then: float | None
    ratio: float | None
    is_worse: bool


def figures(result: Result) -> dict[str, Figure]:
    """Give the figures of a result that are compared, by name."""
    found: dict[str, Figure] = {}
    for spell in (result.held, result.last):
        for share in ("p50", "p95", "p99", "max"):
            found[f"{share} to the {spell.name}"] = Figure("latency", "s", getattr(spell, f"{share}_seconds"))
    for backlog in result.backlogs:
        found[f"backlog after {backlog.after} gone"] = Figure("backlog", "s", backlog.gone_seconds)
    for use in result.processes:
        if use.process not in WORLD:
            found[f"CPU of {use.process}"] = Figure("cpu", "µs an order", use.cpu_microseconds_per_order)
            found[f"memory of {use.process} at most"] = Figure("memory", "MB", use.rss_bytes_max / BYTES_PER_MB)
    return found


def compare(now: Result, then: Result, tolerance: float | None) -> list[Compared]:
    """Compare all figures of two runs of the same load; `tolerance`, where it is given, instead of TOLERANCES."""
    before = figures(then)
    return [
        _compared(name, figure, before.get(name), TOLERANCES[figure.kind] if tolerance is None else tolerance)
        for name, figure in figures(now).items()
    ]


def check_same_load(now: Setup, then: Result) -> None:
    """Raise SettingsError where a baseline is void, or of another load than what is to run."""
    if then.void:
        message = f"--baseline: it is void: {then.void}"
        raise SettingsError(message)
    for field in ("profile", "scale", "seconds", "workers", "replay"):
        here, there = getattr(now, field), getattr(then.setup, field)
        if here != there:
            message = f"--baseline: it is of another load: setup.{field} is {there!r}, and {here!r} now"
            raise SettingsError(message)


def _compared(name: str, now: Figure, then: Figure | None, tolerance: float) -> Compared:
    before = then.value if then else None
    if now.value is None or before is None:
        lost = now.value is None and before is not None
        return Compared(name, now.unit, now.value, before, None, is_worse=lost)
    ratio = now.value / before if before else None
    is_worse = now.value > before * (1 + tolerance) and now.value - before > SMALL[now.kind]
    return Compared(name, now.unit, now.value, before, ratio, is_worse)
