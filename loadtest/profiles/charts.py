"""The charts of a run: from the log's own times, and from the samples that were taken meanwhile."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from loadtest.profiles.result import Chart, Course
from loadtest.profiles.sampling import used_by
from loadtest.showing import STAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loadtest.oracle.history import History
    from loadtest.profiles.sampling import Sample
    from loadtest.profiles.timing import Timing

POINTS = 120
"""On a chart of the load's own time, about."""
BYTES_PER_MB = 1_000_000
OUTCOMES: Mapping[str, str] = {
    "HoldPlaced": "held",
    "HoldRefused": "refused",
    "OrderHeldForReview": "held for review",
    "OrderCancelled": "cancelled",
}


def charts(history: History, timing: Timing, samples: Sequence[Sample], seconds: float) -> list[Chart]:
    """Draw everything, for a load of so many seconds."""
    step = max(1.0, seconds / POINTS)
    ends = [fact.appended_ms for fact in history.named(*OUTCOMES)]
    until = max(seconds, (max(ends, default=0) - timing.begin_ms) / 1000)
    begins = [place * step for place in range(int(until / step) + 1)]
    taken = [sample for sample in samples if sample.at_ms >= timing.begin_ms]
    return [
        _rates(history, timing, begins, step),
        _latencies(timing, [begin for begin in begins if begin < seconds], step),
        _under_way(timing, begins),
        *_sampled(taken, timing.begin_ms),
        _outcomes(history, timing.begin_ms, begins, step),
    ]


def _rates(history: History, timing: Timing, begins: Sequence[float], step: float) -> Chart:
    sent = [message.intended_ms for message in history.raw if message.intended_ms]
    received = [fact.appended_ms for fact in history.named("OrderReceived")]
    decided = [timing.decided_by(begin + step) - timing.decided_by(begin) for begin in begins]
    courses = [
        Course(name="records to be sent", values=_per_second(sent, timing.begin_ms, begins, step)),
        Course(name="records understood", values=_per_second(received, timing.begin_ms, begins, step)),
        Course(name="orders decided", values=[count / step for count in decided]),
    ]
    return Chart(title="Rate", unit="per second", at_seconds=list(begins), courses=courses)


def _per_second(times_ms: Iterable[int], begin_ms: int, begins: Sequence[float], step: float) -> list[float | None]:
    counted = Counter(int((time_ms - begin_ms) / 1000 / step) for time_ms in times_ms)
    return [counted[place] / step for place in range(len(begins))]


def _latencies(timing: Timing, begins: Sequence[float], step: float) -> Chart:
    spells = [timing.spell("", begin, begin + step) for begin in begins]
    courses = [
        Course(name=name, values=[getattr(spell, f"{field}_seconds") if spell.orders else None for spell in spells])
        for name, field in (("max", "max"), ("p99", "p99"), ("p95", "p95"), ("p50", "p50"))
    ]
    title = "Latency, from the intended send to the last stage, by intended time"
    return Chart(title=title, unit="seconds", logarithmic=True, at_seconds=list(begins), courses=courses)


def _under_way(timing: Timing, begins: Sequence[float]) -> Chart:
    course = Course(name="orders", values=[float(timing.under_way(begin)) for begin in begins])
    title = "Orders under way: to be sent by then, and not decided"
    return Chart(title=title, unit="orders", at_seconds=list(begins), courses=[course])


def _sampled(samples: Sequence[Sample], begin_ms: int) -> list[Chart]:
    at = [(sample.at_ms - begin_ms) / 1000 for sample in samples]
    names = sorted({name for sample in samples for name in sample.processes})
    seen = {stage for sample in samples for stage in sample.waiting}
    stages = [stage for stage in STAGES if stage in seen] + sorted(seen - set(STAGES))
    waiting = [
        Course(name=stage, values=[_number(sample.waiting.get(stage)) for sample in samples]) for stage in stages
    ]
    cpu = [Course(name=name, values=_shares(used, at)) for name, used in sorted(used_by(samples).items())]
    memory = [Course(name=name, values=[_megabytes(sample, name) for sample in samples]) for name in names]
    late = [Course(name="generator", values=[_milliseconds(sample.late_seconds) for sample in samples])]
    return [
        Chart(title="Records that wait, by stage", unit="records", at_seconds=at, courses=waiting),
        Chart(title="CPU, by process", unit="cores", at_seconds=at, courses=cpu),
        Chart(title="Memory (resident), by process", unit="MB", at_seconds=at, courses=memory),
        Chart(title="How late the generator was at most", unit="ms", at_seconds=at, courses=late),
    ]


def _number(value: int | None) -> float | None:
    return None if value is None else float(value)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _shares(used: Sequence[float], at: Sequence[float]) -> list[float | None]:
    """Give the CPU seconds a second since the sample before."""
    rates: list[float | None] = [None]
    rates += [(used[place] - used[place - 1]) / max(1e-3, at[place] - at[place - 1]) for place in range(1, len(used))]
    return rates[: len(used)]


def _megabytes(sample: Sample, name: str) -> float | None:
    usage = sample.processes.get(name)
    return usage.rss_bytes / BYTES_PER_MB if usage else None


def _outcomes(history: History, begin_ms: int, begins: Sequence[float], step: float) -> Chart:
    courses = [
        Course(
            name=name,
            values=_per_second((fact.appended_ms for fact in history.named(event)), begin_ms, begins, step),
        )
        for event, name in OUTCOMES.items()
    ]
    return Chart(title="What became of holds", unit="orders per second", at_seconds=list(begins), courses=courses)
