"""A chart as SVG: lines over time, with axes, ticks and marks; the colours are the page's."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadtest.profiles.result import Chart, Course

WIDTH, HEIGHT = 760, 270
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 44, 40
ROW = 12
"""The height of a mark's name; names of neighbours are in two rows."""
TICKS = 5
STEPS = (1, 2, 5, 10)
TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400)
MINUTE = 60
SINCE = "since the first order was to be sent"
THOUSAND = 1000
DECADES_MAX = 8
COLOURS = 8
"""After so many courses the colours come again, dashed."""


class Mark(NamedTuple):
    """A moment that every chart shows: the begin of a phase, a fault."""

    at_seconds: float
    name: str
    is_fault: bool = False


class Scale(NamedTuple):
    """Maps values from `low` to `high` to pixels from `begin` to `end`."""

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Give the pixel of a value; what is below a logarithmic scale is at its foot."""
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = (math.log10(max(one, self.low)) for one in (value, low, high))
        return self.begin + (value - low) / (high - low) * (self.end - self.begin)


def nice_ticks(high: float) -> list[float]:
    """Give about TICKS round numbers from 0 on, the last of them at or above `high`."""
    rough = max(high, 1e-9) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in STEPS if power * factor >= rough * 0.999)
    return [step * place for place in range(math.ceil(high / step * 0.999) + 1)] if high > 0 else [0.0, 1.0]


def decades(low: float, high: float) -> list[float]:
    """Give the powers of ten from at or below `low` to at or above `high`, no more than DECADES_MAX."""
    last = math.ceil(math.log10(high) - 1e-9)
    first = max(last - DECADES_MAX, min(last - 1, math.floor(math.log10(low) + 1e-9)))
    return [10.0**power for power in range(first, last + 1)]


def time_ticks(low: float, high: float) -> list[float]:
    """Give round times for an axis."""
    step = next((step for step in TIME_STEPS if (high - low) / step <= 2 * TICKS), TIME_STEPS[-1])
    return [float(step * place) for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def number(value: float) -> str:
    """Write a number for an axis: 1,200 or 0.05."""
    return f"{value:,.0f}" if value >= THOUSAND or value == int(value) else f"{value:.3g}"


def clock(seconds: float) -> str:
    """Write a time for an axis: 45 s, 3 min, 1:30."""
    if seconds < MINUTE:
        return f"{seconds:g} s"
    minutes, rest = divmod(int(seconds), MINUTE)
    return f"{minutes}:{rest:02d}" if rest else f"{minutes} min"


def svg(chart: Chart, marks: Sequence[Mark], until_seconds: float) -> str:
    """Draw a chart, up to this time. One without values says so."""
    values = [
        value
        for course in chart.courses
        for moment, value in zip(chart.at_seconds, course.values, strict=True)
        if value is not None and moment <= until_seconds
    ]
    if not values:
        return '<p class="none">nothing was measured</p>'
    times = Scale(0.0, until_seconds, LEFT, WIDTH - RIGHT)
    ticks = _value_ticks(values, logarithmic=chart.logarithmic)
    heights = Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP, chart.logarithmic)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(chart.title)}">',
        *_axes(ticks, heights, times, chart.unit),
        *_marks(marks, times),
        *(_line(place, course, chart.at_seconds, (times, heights)) for place, course in enumerate(chart.courses)),
        "</svg>",
    ]
    return "\n".join(parts)


def _value_ticks(values: Sequence[float], *, logarithmic: bool) -> list[float]:
    above = [value for value in values if value > 0]
    return decades(min(above), max(above)) if logarithmic and above else nice_ticks(max(values))


def _axes(ticks: Sequence[float], heights: Scale, times: Scale, unit: str) -> Iterator[str]:
    for tick in ticks:
        y = heights(tick)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(tick)}</text>'
    foot = HEIGHT - BOTTOM
    for tick in time_ticks(times.low, times.high):
        x = times(tick)
        yield f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{foot}" y2="{foot + 4}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{foot + 17}" text-anchor="middle">{clock(tick)}</text>'
    yield f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{foot}" y2="{foot}"/>'
    yield f'<text class="unit" x="4" y="12">{escape(unit)}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text class="unit" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{SINCE}</text>'


def _marks(marks: Sequence[Mark], times: Scale) -> Iterator[str]:
    for place, mark in enumerate(marks):
        if times.low <= mark.at_seconds <= times.high:
            x, name = times(mark.at_seconds), "fault" if mark.is_fault else "phase"
            top = TOP - ROW * (1 + place % 2)
            yield f'<line class="{name}" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{HEIGHT - BOTTOM}"/>'
            yield f'<text class="{name}" x="{x + 3:.1f}" y="{top + 2}">{escape(mark.name)}</text>'


def _line(place: int, course: Course, at: Sequence[float], scales: tuple[Scale, Scale]) -> str:
    times, heights = scales
    pieces: list[list[str]] = [[]]
    for moment, value in zip(at, course.values, strict=True):
        if value is None or moment > times.high:
            pieces.append([])
        else:
            pieces[-1].append(f"{times(moment):.1f},{heights(value):.1f}")
    path = " ".join(f"M{' L'.join(piece)}" for piece in pieces if len(piece) > 1)
    alone = "".join(
        '<circle cx="{}" cy="{}" r="2"/>'.format(*piece[0].split(",")) for piece in pieces if len(piece) == 1
    )
    return f'<g class="{colour(place)}"><title>{escape(course.name)}</title><path d="{path}"/>{alone}</g>'


def colour(place: int) -> str:
    """Give the classes of the so-manieth course of a chart."""
    return f"c{place % COLOURS}" + (" dashed" if place >= COLOURS else "")
