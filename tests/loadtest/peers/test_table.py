"""The table gives medians with what lies around them, and ratios round by round."""

from __future__ import annotations

import msgspec
import pytest

from loadtest.peers.model import Verdict
from loadtest.peers.table import Named, Span, lines, make_rows, markdown, span, staged_targets, targets
from loadtest.peers.trial import Run

OWN, STREAMS, SLOW = (
    Named("holdfast", "Ours", "exactly once"),
    Named("streams", "Streams", "e"),
    Named("slow", "Slow", "?"),
)
CLEAN = Verdict(doubled=0, lost=0, wrong=0, oversold=0)
DOUBLED = Verdict(doubled=2, lost=0, wrong=0, oversold=0)


def run(name: str, rate: float, cpu: float, verdict: Verdict | None = CLEAN, kills: int = 0) -> Run:
    """Make a run of 1,000 answers."""
    return Run(
        contender=name,
        answers=1_500,
        measured=1_000,
        seconds=1_000 / rate,
        cpu_seconds=cpu / 1_000,
        broker_cpu_seconds=0.01,
        whole=verdict is not None,
        comparable=True,
        verdict=verdict,
        kills=kills,
    )


def test_a_span_is_a_median_with_the_lowest_and_the_highest() -> None:
    assert span([3.0, 1.0, 2.0]) == Span(2.0, 1.0, 3.0)


def test_ratios_are_of_the_same_round() -> None:
    runs = [run("holdfast", 200, 20), run("streams", 100, 40), run("holdfast", 50, 10), run("streams", 50, 40)]
    own, streams = make_rows([OWN, STREAMS], runs, {}, {})
    assert own.rate_ratio is not None
    assert own.cpu_ratio is not None
    assert own.rate_ratio == pytest.approx((1.5, 1.0, 2.0))
    assert own.cpu_ratio == pytest.approx((0.375, 0.25, 0.5))
    assert streams.rate_ratio == (1.0, 1.0, 1.0)


def test_without_streams_the_first_that_ran_is_the_reference() -> None:
    runs = [run("holdfast", 200, 20), run("slow", 20, 400)]
    _, _, slow = make_rows([STREAMS, OWN, SLOW], runs, {}, {"streams": "no Maven here"})
    assert slow.rate_ratio is not None
    assert slow.rate_ratio.middle == pytest.approx(0.1)


def test_who_cannot_take_part_is_named_with_why() -> None:
    rows = make_rows([STREAMS], [], {}, {"streams": "no Maven here"})
    assert "no figures: no Maven here" in lines(rows)[0]


def test_the_verdict_after_kills_stands_beside_the_figures() -> None:
    rows = make_rows([SLOW], [run("slow", 20, 400)], {"slow": run("slow", 20, 400, DOUBLED, kills=3)}, {})
    assert "2 doubled (3 kills)" in markdown(rows)
    assert rows[0].plain == "clean"


def test_a_run_that_was_cut_off_is_not_called_clean() -> None:
    rows = make_rows([SLOW], [run("slow", 20, 400, None)], {}, {})
    assert rows[0].plain == "not judged: too slow"


def test_a_run_that_may_not_be_compared_gives_no_figures() -> None:
    slow = msgspec.structs.replace(run("slow", 20, 400, None), comparable=False)
    row = make_rows([OWN, SLOW], [run("holdfast", 200, 20), slow], {}, {})[1]
    assert (row.rate, row.rate_ratio, row.cpu_ratio) == (None, None, None)


def test_an_unclean_run_is_told_even_when_another_was_clean() -> None:
    rows = make_rows([SLOW], [run("slow", 20, 400), run("slow", 20, 400, DOUBLED)], {}, {})
    assert rows[0].plain == "2 doubled"


def test_targets_are_met_or_missed_by_the_median() -> None:
    runs = [run("holdfast", 90, 20), run("streams", 100, 40)]
    rate, cpu = targets(make_rows([OWN, STREAMS], runs, {}, {}))
    assert rate.endswith("MISSED")
    assert cpu.endswith("met")


def test_the_six_stages_are_compared_by_how_many_times_as_fast_they_are() -> None:
    faust = Named("faust", "the same rules on Faust", "at least once")
    times, cpu = staged_targets(make_rows([OWN, faust], [run("holdfast", 300, 20), run("faust", 20, 400)], {}, {}))
    assert times == "15.0 times the rate of the same rules on Faust (at least 10): met"
    assert cpu == "the same rules on Faust take 20.0 times the CPU an order"


def test_without_streams_there_is_no_target_to_meet() -> None:
    assert targets(make_rows([OWN], [run("holdfast", 90, 20)], {}, {})) == []


def test_markdown_has_a_line_a_peer_and_as_many_cells_as_its_head() -> None:
    told = markdown(make_rows([OWN, STREAMS], [run("holdfast", 90, 20), run("streams", 100, 40)], {}, {})).splitlines()
    assert len(told) == 4
    assert len({line.count("|") for line in told}) == 1
