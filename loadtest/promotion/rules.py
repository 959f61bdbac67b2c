"""The review rules of a load: the shipped examples, put into effect, and one of them switched off and on again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipeline.desk.clock import now_ms
from pipeline.errors import SetupError
from pipeline.rules.log import append
from pipeline.rules.main import read_file
from pipeline.rules.versions import Said, Version, activated, switched
from pipeline.settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.settings import Settings

BOOK = ROOT / "pipeline" / "rules" / "examples.json"
SWITCHED = "risk-remote-region"
AUTHOR, NOTE = "loadtest", "a load"


def activate_rules(settings: Settings) -> int:
    """Put the examples into effect, and give their version. Raises HoldfastError."""
    return _made(settings, partial(activated, book=read_file(BOOK), said=_said()))


def switch_rule(settings: Settings) -> int:
    """Switch one rule off, or on where it is off, and give the new version. Raises HoldfastError."""

    def make(versions: Sequence[Version]) -> Version | None:
        last = versions[-1].book.rules if versions else ()
        is_on = any(rule.id == SWITCHED and rule.enabled for rule in last)
        return switched(versions, SWITCHED, _said(), on=not is_on)

    return _made(settings, make)


def _said() -> Said:
    return Said(now_ms(), AUTHOR, "", NOTE)


def _made(settings: Settings, make: Callable[[Sequence[Version]], Version | None]) -> int:
    made = append(settings, make)
    if made is None:
        message = "the review rules of the load are in effect already: a run wants a broker of its own"
        raise SetupError(message)
    return made.version
