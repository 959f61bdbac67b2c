"""What commands have in common: checks of what they were given, each failure one line with its option, and results."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

RATE_MAX = 1_000_000.0
INTERRUPTED = 130
"""The exit status of a command that was ended by Ctrl-C, as shells give it."""


def at_least(least: int, **numbers: int | None) -> None:
    """Check numbers by the names of their options. Raises SettingsError; None, an option not given, is right."""
    for name, number in numbers.items():
        if number is not None and number < least:
            message = f"--{name.replace('_', '-')}: must be at least {least} (it is {number})"
            raise SettingsError(message)


def writable(**files: Path | None) -> None:
    """Check that files can be written where they are wanted. Raises SettingsError; None is right."""
    for name, file in files.items():
        if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
            what = "is a folder" if file.is_dir() else "is in no folder that there is"
            message = f"--{name.replace('_', '-')}: {file} {what}"
            raise SettingsError(message)


def write_json(path: Path, value: object) -> None:
    """Write a result as data that a person can read, too."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value)) + b"\n")


def share(text: str) -> float:
    """Read a share, of 1."""
    found = float(text)
    if not 0 <= found <= 1:
        message = f"{text} is not between 0 and 1"
        raise argparse.ArgumentTypeError(message)
    return found


def rate(text: str) -> float:
    """Read a rate, a second."""
    found = float(text)
    if not 0 < found <= RATE_MAX:
        message = f"{text} is not between 0 and {RATE_MAX:g}"
        raise argparse.ArgumentTypeError(message)
    return found
