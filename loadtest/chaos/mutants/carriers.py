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

    from pipeline.domain.commands import CallCarrier

CREATES_MAX = 3


def unknown_is_refused() -> None:
    """Take a create that was not answered for one that was refused.

    The carrier has the order all the same, and a waybill lives that nobody knows (I5). Shown by lost answers.
    """

    def wrap(post: Callable[..., Any]) -> Callable[..., Any]:
        async def _post(self: Any, command: CallCarrier) -> Reading:  # noqa: ANN401  a private class
            reading: Reading = await post(self, command)
            if command.kind is CallKind.CREATE and reading.answer is Answer.UNKNOWN and not reading.exists:
                return Reading(Answer.REFUSED, reason=reading.reason)
            return reading

        return _post

    swap(caller._Caller, "_post", wrap)  # noqa: SLF001  from outside


def create_again_without_query() -> None:
    """Call again at once after an unknown outcome, without asking first what became of the call.

    The customer order number is the same, so the carrier answers that it has the order (8016).
    """

    def wrap(post: Callable[..., Any]) -> Callable[..., Any]:
        async def _post(self: Any, command: CallCarrier) -> Reading:  # noqa: ANN401  a private class
            reading: Reading = await post(self, command)
            for _ in range(CREATES_MAX - 1):
                if command.kind is not CallKind.CREATE or reading.answer is not Answer.UNKNOWN or reading.exists:
                    break
                reading = await post(self, command)
            return reading

        return _post

    swap(caller._Caller, "_post", wrap)  # noqa: SLF001


def new_key_for_a_retry() -> None:
    """Give a create that is repeated a new customer order number.

    To the carrier it is another order: a second waybill for the same goods, or one that no query and no void finds
    (I5). Shown by calls that fail at the carrier, and by lost answers.
    """
    creates: Counter[str] = Counter()

    def wrap(post: Callable[..., Any]) -> Callable[..., Any]:
        async def _post(self: Any, command: CallCarrier) -> Reading:  # noqa: ANN401  a private class
            if command.kind is CallKind.CREATE:
                creates[command.key] += 1
                if creates[command.key] > 1:
                    command = msgspec.structs.replace(command, key=f"{command.key}-{creates[command.key]}")
            reading: Reading = await post(self, command)
            return reading

        return _post

    swap(caller._Caller, "_post", wrap)  # noqa: SLF001
