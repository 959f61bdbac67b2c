"""The works that can be given to contenders: what is laid out for each run, what counts as an answer, who judges it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from loadtest.peers.model import Answer, Expected, Verdict, judge, read_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtest.peers.contenders import Place


WARM_SHARE_MAX = 0.5


class Window(NamedTuple):
    """What figures are taken of: from when to when (seconds since 1970), and how many orders were done in between."""

    begin: float
    end: float
    orders: int


class Work(Protocol):
    """What a contender is given to do. Answers are what `read` gives of the records that it writes."""

    @property
    def is_steady(self) -> bool:
        """Say whether a part of it shows the rate of the whole."""

    @property
    def answers(self) -> int:
        """Say how many answers there are to come."""

    def laid_out(self, place: Place) -> AbstractContextManager[None]:
        """Have everything there that one run needs, for a block of code; topics were made before."""

    def read(self, value: bytes) -> Any:  # noqa: ANN401  each work's own
        """Read an output record; None for one that is no answer."""

    def window(self, answers: Sequence[Any], times: Sequence[float], warm: int) -> Window | None:
        """Say what figures are taken of, where answers came at these times; None where there is nothing."""

    def is_whole(self, answers: Sequence[Any]) -> bool:
        """Say whether nothing is to come any more."""

    def judge(self, answers: Sequence[Any]) -> Verdict:
        """Say what is wrong with what came."""


class Reserving(NamedTuple):
    """The reservation job. Its input was filled once, and stays."""

    expected: Expected

    @property
    def is_steady(self) -> bool:
        """Say that each answer takes as long as any other."""
        return True

    @property
    def answers(self) -> int:
        """Say how many answers there are to come."""
        return self.expected.answers

    def laid_out(self, _place: Place) -> AbstractContextManager[None]:
        """Do nothing: the input is there."""
        return nullcontext()

    def read(self, value: bytes) -> Answer | None:
        """Read an answer to an order."""
        return read_answer(value)

    def window(self, answers: Sequence[Answer], times: Sequence[float], warm: int) -> Window | None:
        """Take the answers after the first so many, at most the first half."""
        if not answers:
            return None
        first = min(warm, int(len(answers) * WARM_SHARE_MAX))
        return Window(times[first], times[-1], len(answers) - first)

    def is_whole(self, answers: Sequence[Answer]) -> bool:
        """Say whether there are as many answers as were asked for."""
        return len(answers) >= self.answers

    def judge(self, answers: Sequence[Answer]) -> Verdict:
        """Put them to the model."""
        return judge(self.expected, answers)
