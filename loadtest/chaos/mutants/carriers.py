"""Mutants of the carrier calls: what is made of an answer that never came, and under which key a call is repeated."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from loadtest.chaos.patching import swap
from pipeline.carriers import Reading, caller
from pipeline.domain.commands import Answer, CallKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.carriers.http_answer import HttpAnswer
    from pipeline.domain.commands import CallCarrier

CREATES_MAX = 3


def unknown_is_refused() -> None:
    """Take a create that was not answered for one that was refused.

    The carrier has the order all the same, and a waybill lives that nobody knows (I5). Shown by lost answers.
    """

    def wrap(read: Callable[..., Reading]) -> Callable[..., Reading]:
        def _read(self: Any, outcome: HttpAnswer | Exception) -> Reading:  # noqa: ANN401  a private class
            reading = read(self, outcome)
            if self.asked.kind is CallKind.CREATE and reading.answer is Answer.UNKNOWN and not reading.exists:
                return Reading(Answer.REFUSED, reason=reading.reason)
            return reading

        return _read

    swap(caller._Call, "read", wrap)  # noqa: SLF001  from outside


def create_again_without_query() -> None:
    """Call again at once after an unknown outcome, without asking first what became of the call.

    The customer order number is the same, so the carrier answers that it has the order (8016).
    """
    creates: Counter[str] = Counter()

    def wrap(take: Callable[..., None]) -> Callable[..., None]:
        def _take(self: Any, reading: Reading) -> None:  # noqa: ANN401  a private class
            command: CallCarrier = self.asked
            if command.kind is CallKind.CREATE and reading.answer is Answer.UNKNOWN and not reading.exists:
                creates[command.key] += 1
                if creates[command.key] < CREATES_MAX:
                    self.ask(command)
                    return
            creates.pop(command.key, None)
            take(self, reading)

        return _take

    swap(caller._Call, "take", wrap)  # noqa: SLF001


def new_key_for_a_retry() -> None:
    """Give a create that is repeated a new customer order number.

    To the carrier it is another order: a second waybill for the same goods, or one that no query and no void finds
    (I5). Shown by calls that fail at the carrier, and by lost answers.
    """
    creates: Counter[str] = Counter()

    def wrap(ask: Callable[..., None]) -> Callable[..., None]:
        def _ask(self: Any, asked: CallCarrier) -> None:  # noqa: ANN401  a private class
            if asked.kind is CallKind.CREATE:
                creates[asked.key] += 1
                if creates[asked.key] > 1:
                    asked = msgspec.structs.replace(asked, key=f"{asked.key}-{creates[asked.key]}")
            ask(self, asked)

        return _ask

    swap(caller._Call, "ask", wrap)  # noqa: SLF001
