"""What a run that does not hold leaves behind, for whoever looks for the cause: the logs and the broker's data."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from loadtest.chaos.ground import Ground

SHOWN_ELSEWHERE = ("clickhouse", "redis")
"""What these hold is a copy of the log."""
REASON_CHARACTERS_MAX = 300


def keep_evidence(parent: Path, name: str, run_dir: Path, ground: Ground) -> str:
    """Copy the logs and the broker's segments of a run, in place of what an earlier run of that name left.

    The servers may still be up: nothing writes to them any more. In the folder is the broker's data in `broker` where
    it was on a disk of its own, and the rest in `run`. Gives a line on where it is, or on why it is not all there: what
    cannot be copied does not cost the run its outcome.
    """
    folder = parent / name
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _copy(run_dir, folder / "run", SHOWN_ELSEWHERE)
        if ground.disk is not None:
            _copy(ground.disk.directory / "data", folder / "broker", ())
    except OSError as error:
        return f"logs and data of this run are not all in {folder}: {str(error)[:REASON_CHARACTERS_MAX]}"
    return f"logs and data of this run are kept in {folder}"


def _copy(source: Path, target: Path, without: tuple[str, ...]) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*without, "*.sock"), ignore_dangling_symlinks=True)
