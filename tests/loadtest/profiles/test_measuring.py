"""What is concluded from a run."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from loadtest.lateness import report
from loadtest.oracle.history import History, RawMessage
from loadtest.profiles.baseline import compare
from loadtest.profiles.judging import Judged, check_memory
from loadtest.profiles.main import VOID, status
from loadtest.profiles.measuring import Course, measure, why_void
from loadtest.profiles.page import page
from loadtest.profiles.sampling import Sample, Usage, used_by
from loadtest.profiles.shape import Phase, Profile, Targets
from pipeline.errors import SettingsError
from tests.loadtest.profiles.results import HELD, RESULT, SETUP, spell
from tests.loadtest.profiles.test_timing import seen

PROFILE = Profile(
    says="x",
    phases=(Phase(name="calm", seconds=2, per_second=1), Phase(name="rush", seconds=2, per_second=5)),
    targets=Targets(p99_ms=100, backlog_gone_seconds=1, growth_bytes_per_order=1000),
)
MESSAGES = [RawMessage(f"orders.raw-0-{n}", "order", f"o{n}", 1000 + 500 * n, (), {}) for n in range(8)]
FACTS = [seen(event, f"o{n}", 1000 + 500 * n + 50) for n in range(8) for event in ("HoldPlaced", "ShipmentTracked")]
JUDGED = Judged(History(raw=MESSAGES, facts=FACTS), [HELD], {"signed": 8})


def sample(at_ms: int, sent: int = 0, **processes: Usage) -> Sample:
    return Sample(at_ms=at_ms, sent=sent, late_seconds=0.0, waiting={"dedup": 3}, processes=processes)


def course(samples: list[Sample]) -> Course:
    return Course(report([0.001] * 8, 4.0, 4.0, 0), [], samples, settled=True, drained=True)


def test_a_run_is_void_only_where_its_generator_was_later_than_its_limit() -> None:
    sent = report([0.001] * 90 + [0.08] * 10, 1.0, 1.0, 0)
    assert why_void(sent, 80) == ""
    assert why_void(sent, 50) == "the generator itself was late: p99 80 ms, and late_p99_ms_max is 50"


def test_void_counts_for_more_than_what_was_measured() -> None:
    assert status(RESULT, []) == 0
    assert status(replace(RESULT, void="late"), []) == VOID
    assert status(replace(RESULT, void="late", drained=False), []) == VOID
    assert status(replace(RESULT, drained=False), []) == 1


def test_a_figure_that_is_worse_than_the_baseline_is_told_by_the_exit_status() -> None:
    now = replace(RESULT, last=spell("last stage", 9.0))
    assert status(now, compare(now, RESULT, None)) == 1
    assert status(RESULT, compare(RESULT, now, None)) == 0


def test_a_process_that_is_started_again_goes_on_with_its_time() -> None:
    samples = [
        sample(0, a=Usage(1, 5.0, 0)),
        sample(1, a=Usage(1, 6.0, 0), b=Usage(7, 0.25, 0)),
        sample(2, b=Usage(7, 0.5, 0)),
        sample(3, a=Usage(2, 0.5, 0), b=Usage(7, 0.75, 0)),
    ]
    assert used_by(samples) == {"a": [0.0, 1.0, 1.0, 1.5], "b": [0.0, 0.25, 0.5, 0.75]}


def test_a_result_tells_latency_backlog_cost_and_growth() -> None:
    samples = [sample(1000 + 1000 * n, 2 * n, **{"worker-0": Usage(1, 0.1 * n, 1_000_000 + 500 * n)}) for n in range(6)]
    result = measure(SETUP, PROFILE, course(samples), JUDGED)
    assert [(spell.name, spell.orders, spell.p99_seconds) for spell in result.phases] == [
        ("calm", 4, 0.05),
        ("rush", 4, 0.05),
    ]
    assert [(backlog.after, backlog.orders) for backlog in result.backlogs] == [("phase rush", 0), ("the load", 0)]
    (worker,) = result.processes
    assert worker.cpu_seconds == pytest.approx(0.5)
    assert worker.cpu_microseconds_per_order == pytest.approx(0.5e6 / 8)
    assert worker.growth_bytes_per_order == pytest.approx(250)
    assert [(target.name, target.met) for target in result.targets] == [
        ("p99_ms", True),
        ("backlog_gone_seconds", True),
        ("growth_bytes_per_order", True),
    ]


def test_targets_are_judged_of_the_whole_profile_only_and_missed_ones_are_wrong() -> None:
    strict = replace(PROFILE, targets=Targets(p99_ms=49))
    whole = measure(SETUP, strict, course([]), JUDGED)
    part = measure(replace(SETUP, whole=False), strict, course([]), JUDGED)
    assert [target.met for target in (*whole.targets, *part.targets)] == [False, None]
    assert "p99_ms: 50, the target is 49" in whole.wrong
    assert not any("p99" in line for line in part.wrong)


def test_what_warms_up_counts_for_no_latency() -> None:
    calm, rush = PROFILE.phases
    warmed = replace(PROFILE, phases=(replace(calm, warms_up=True), rush))
    slow = [seen("ShipmentTracked", f"o{n}", 9000) for n in range(4)]
    history = History(raw=MESSAGES, facts=[*FACTS[8:], *slow])
    result = measure(SETUP, warmed, course([]), Judged(history, [HELD], {"signed": 8}))
    assert [(one.orders, one.max_seconds) for one in (result.held, result.last)] == [(4, 0.05), (4, 0.05)]
    assert [one.max_seconds for one in result.phases] == [8.0, 0.05]
    assert measure(SETUP, PROFILE, course([]), Judged(history, [HELD], {})).last.max_seconds == 8.0


def test_charts_have_a_value_or_none_for_each_of_their_times() -> None:
    samples = [sample(1000, a=Usage(1, 5.0, 0)), sample(2000, b=Usage(7, 0.5, 0))]
    result = measure(SETUP, PROFILE, course(samples), JUDGED)
    for chart in result.charts:
        assert {len(one.values) for one in chart.courses} == {len(chart.at_seconds)}


def test_a_load_that_is_too_large_for_the_check_is_told_before_it_begins() -> None:
    check_memory(1000)
    with pytest.raises(SettingsError, match=r"^the independent check of 1,000,000,000 orders wants about 40000 GB"):
        check_memory(1_000_000_000)


def test_a_run_that_was_not_judged_says_so() -> None:
    result = replace(RESULT, setup=replace(SETUP, judged=False), findings=[])
    text = page(result, [])
    assert "the independent check was not asked" in text
    assert "every check holds" not in text
