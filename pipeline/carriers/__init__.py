"""The carriers: what is asked of one and how its answer is read. One module a carrier; `caller` does the talking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from pipeline.domain.commands import Answer

if TYPE_CHECKING:
    from pipeline.domain.commands import CallCarrier

ANSWER_BYTES_MAX = 256 * 1024
"""A longer answer is not read: it is no answer that a carrier gives."""
REASON_CHARACTERS_MAX = 200


class Reading(msgspec.Struct, frozen=True):
    """What an answer says. `exists`: the carrier has the order already, so its number is there to be asked for."""

    answer: Answer
    waybill_no: str = ""
    reason: str = ""
    exists: bool = False


class Carrier(Protocol):
    """A carrier's format: pure, without a connection. A module that has these two needs nothing else to be called."""

    @property
    def url(self) -> str:
        """Where requests are posted to."""
        ...

    def request(self, command: CallCarrier, at_ms: int, request_id: str) -> bytes:
        """Give the form that asks for what the command wants. Raises PoisonError for a command that cannot be asked."""
        ...

    def read(self, command: CallCarrier, body: bytes) -> Reading:
        """Read the answer to the command. Never raises: what cannot be read is UNKNOWN."""
        ...
