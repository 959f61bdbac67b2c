"""Faults at failpoints and beside the workers: what they draw, and how they prove themselves."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING

import pytest

from loadtest.chaos import failpoint_faults, side_faults
from loadtest.chaos.failpoint_faults import HITS_MAX, fired
from loadtest.chaos.failpoints import NAMES, RECORD_FILE
from loadtest.chaos.worker_faults import WORKERS

if TYPE_CHECKING:
    from pathlib import Path

    from loadtest.chaos.fault import Kind

KINDS = (*failpoint_faults.KINDS, *side_faults.KINDS)


def drawing(seed: int) -> Random:
    return Random(seed)  # noqa: S311  a choice to repeat


def test_every_failpoint_is_a_kind_of_fault() -> None:
    assert {kind.name for kind in failpoint_faults.KINDS} == {
        *(f"failpoint:{name}" for name in NAMES),
        "zombie-in-commit",
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_same_seed_draws_the_same_parameters(kind: Kind) -> None:
    assert kind.draw(drawing(3)) == kind.draw(drawing(3))


@pytest.mark.parametrize("kind", failpoint_faults.KINDS, ids=lambda kind: kind.name)
def test_a_failpoint_draws_a_worker_of_the_rig_and_a_hit_that_comes_soon(kind: Kind) -> None:
    for seed in range(50):
        drawn = kind.draw(drawing(seed))
        assert drawn["worker"] in range(WORKERS)
        assert drawn["hit"] in range(1, max(HITS_MAX.values()) + 1)


def test_a_trap_has_sprung_only_where_this_process_wrote_so(tmp_path: Path) -> None:
    assert not fired(tmp_path, "commit.before", 7)
    others = [("commit.before", 6), ("commit.after", 7)]
    lines = [json.dumps({"failpoint": name, "pid": pid, "slot": "1", "hit": 2, "at_ms": 1}) for name, pid in others]
    (tmp_path / RECORD_FILE).write_text("\n".join([*lines, ""]))
    assert not fired(tmp_path, "commit.before", 7)
    mine = json.dumps({"failpoint": "commit.before", "pid": 7, "slot": "1", "hit": 2, "at_ms": 1})
    (tmp_path / RECORD_FILE).write_text("\n".join([*lines, mine, '{"failpoint": "comm']))
    assert fired(tmp_path, "commit.before", 7)
