"""The report: charts and page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loadtest.oracle.checks import Verdict
from loadtest.profiles.baseline import compare
from loadtest.profiles.page import page
from loadtest.profiles.plot import Scale, clock, decades, nice_ticks, number, time_ticks
from tests.loadtest.profiles.results import HELD, RESULT, spell

BROKEN = replace(HELD, verdict=Verdict.BROKEN, broken=3, first=("order <7>: lost",))


class Reader(HTMLParser):
    """Collects the tags, and whether each that was opened was closed."""

    VOID = frozenset({"meta", "line", "circle", "path"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_the_page_is_whole_and_fetches_nothing() -> None:
    text = page(RESULT, compare(RESULT, RESULT, None))
    tags = read(text).seen
    assert {tag for tag, _ in tags} & {"script", "link", "img", "iframe"} == set()
    assert re.findall(r"https?:|url\(|@import", text) == []


def test_what_a_result_says_is_text_and_no_markup() -> None:
    text = page(replace(RESULT, findings=[BROKEN]), [])
    assert "a &lt;burst&gt; &amp; more" in text
    assert "order &lt;7&gt;: lost" in text


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (RESULT, "All is well"),
        (replace(RESULT, void="the generator itself was late"), "VOID"),
        (replace(RESULT, findings=[BROKEN]), "check one outcome: broken"),
        (replace(RESULT, settled=False), "the run did not come to rest"),
        (replace(RESULT, accepted_records=99), "1 records were sent and are not in the log"),
        (replace(RESULT, targets=[replace(RESULT.targets[0], measured=None, met=False)]), "the target is 30"),
    ],
)
def test_the_page_begins_with_what_came_of_the_run(result: object, said: str) -> None:
    text = page(result, [])  # type: ignore[arg-type]
    assert said in text[: text.index("Answers")]
    assert ("All is well" in text) == (result is RESULT)


def test_a_figure_that_is_worse_than_the_baseline_is_named_first() -> None:
    now = replace(RESULT, last=spell("last stage", 9.0))
    text = page(now, compare(now, RESULT, None))
    assert "p99 to the last stage: worse than the baseline" in text[: text.index("Answers")]


def test_a_line_is_broken_where_nothing_was_measured() -> None:
    text = page(RESULT, [])
    assert text.count("<circle") == 2
    assert "nothing was measured" in text


def test_charts_end_a_little_after_the_last_decision_and_not_with_the_parcels() -> None:
    rate, _ = RESULT.charts
    parcels = replace(rate, title="CPU", at_seconds=[0, 1, 900])
    text = page(replace(RESULT, charts=[rate, parcels]), [])
    assert ">2 s</text>" in text
    assert ">15 min</text>" not in text


def test_charts_show_phases_and_faults() -> None:
    text = page(RESULT, [])
    assert ">carrier-outage</text>" in text
    assert ">burst</text>" in text


@given(st.floats(1e-6, 1e9))
def test_ticks_are_few_round_and_reach_the_largest_value(high: float) -> None:
    ticks = nice_ticks(high)
    assert ticks[0] == 0
    assert ticks[-1] >= high * 0.99
    assert 2 <= len(ticks) <= 7


@given(st.floats(1e-3, 1e6), st.floats(1e-3, 1e6))
def test_decades_hold_all_values_of_a_logarithmic_axis(one: float, other: float) -> None:
    low, high = sorted((one, other))
    ticks = decades(low, high)
    assert ticks[-1] >= high * 0.999
    assert ticks[0] <= low * 1.001 or len(ticks) == 9
    assert len(ticks) >= 2


def test_a_scale_maps_its_ends_to_its_ends() -> None:
    scale = Scale(0.01, 100, 200, 20, logarithmic=True)
    assert [scale(value) for value in (0.0, 0.01, 1, 100)] == pytest.approx([200, 200, 110, 20])


def test_times_are_written_as_people_write_them() -> None:
    assert [clock(seconds) for seconds in (0, 45, 60, 90, 3600)] == ["0 s", "45 s", "1 min", "1:30", "60 min"]
    assert [number(value) for value in (0, 0.05, 2, 1200)] == ["0", "0.05", "2", "1,200"]
    assert time_ticks(-2, 61) == [0, 10, 20, 30, 40, 50, 60]
