"""A process of a rig has one end after which nobody starts it again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil

from loadtest.chaos.child import Child

if TYPE_CHECKING:
    from pathlib import Path

SERVE = ("http.server", "0", "--bind", "127.0.0.1")
"""It runs until it is ended."""


def test_the_end_of_a_process_is_the_end_of_what_was_let_go_too(tmp_path: Path) -> None:
    child = Child("one", SERVE, os.environ, tmp_path)
    first = child.start()
    child.let_go()
    second = child.start()
    assert psutil.pid_exists(first)
    assert first != second
    child.end()
    assert child.wait(10)
    assert not psutil.pid_exists(first)
    assert child.start() == second
    assert not child.running
