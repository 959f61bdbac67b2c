"""Calls carriers over HTTP: at the edge, outside every transaction, under keys that make a repeat harmless."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pipeline.carriers import ANSWER_BYTES_MAX, REASON_CHARACTERS_MAX, Carrier, Reading, http_answer, metrics
from pipeline.carriers.http_answer import HttpAnswer
from pipeline.carriers.posting import Limits, Poster
from pipeline.carriers.sf import SF, Sender
from pipeline.domain.commands import Answer, CallCarrier, CallKind, RecordAnswer
from pipeline.errors import PoisonError, SettingsError, TransientError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from pipeline.settings import Settings

CALL_TIMEOUT_SECONDS = 3.0
"""After that long nobody knows what became of a call, and the next one is a query."""
KEEP_ALIVE_SECONDS = 15.0
"""Less than the 60 s for which servers commonly keep an idle connection: a call must not meet one that is closing."""


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Callable[[CallCarrier], asyncio.Future[Sequence[RecordAnswer]]]]:
    """Open the connections to the carriers and give the function that calls them.

    Raises SettingsError for an address or a senders' file that cannot be used. The function that it gives raises for
    nothing that the world does.
    """
    carriers = open_carriers(settings)
    limits = Limits(CALL_TIMEOUT_SECONDS, KEEP_ALIVE_SECONDS, ANSWER_BYTES_MAX)
    posters = {name: Poster(carrier.url, limits) for name, carrier in carriers.items()}
    try:
        yield _Caller(posters, carriers).call
    finally:
        for poster in posters.values():
            poster.close()


def open_carriers(settings: Settings) -> Mapping[str, Carrier]:
    """Give the carriers that this deployment has an account with, by the name that commands use."""
    sf = SF(
        url=settings.carrier_url,
        partner_id=settings.carrier_partner,
        check_word=settings.carrier_check_word,
        monthly_card=settings.carrier_monthly_card,
        senders=_read_senders(settings.carrier_senders_file),
    )
    return {"sf": sf}


class _Caller:
    def __init__(self, posters: Mapping[str, Poster], carriers: Mapping[str, Carrier]) -> None:
        self.posters = posters
        self.carriers = carriers
        self.request_ids = _request_ids()
        self.counters = {
            (name, kind, answer): metrics.CALLS.labels(name, kind, answer)
            for name in carriers
            for kind in CallKind
            for answer in Answer
        }
        self.timers = {(name, kind): metrics.CALL_SECONDS.labels(name, kind) for name in carriers for kind in CallKind}
        self._loop = asyncio.get_running_loop()

    def call(self, command: CallCarrier) -> asyncio.Future[Sequence[RecordAnswer]]:
        """Call, and answer with what is known then. The request is sent before this returns, where that is possible."""
        answered: asyncio.Future[Sequence[RecordAnswer]] = self._loop.create_future()
        call = _Call(self, command, answered)
        if command.carrier in self.carriers:
            call.ask(command)
        else:
            call.answer(Reading(Answer.REFUSED, reason=f"carrier: nobody here knows {command.carrier!r}"))
        return answered


class _Call:
    """A call under way: one request, and a query after it where the carrier says that it has the order already."""

    __slots__ = ("_answered", "_caller", "_command", "_first", "_started", "asked")

    def __init__(self, caller: _Caller, command: CallCarrier, answered: asyncio.Future[Sequence[RecordAnswer]]) -> None:
        self._caller = caller
        self._command = command
        self._answered = answered
        self._first: Reading | None = None

    def ask(self, asked: CallCarrier) -> None:
        """Make one request."""
        self.asked = asked
        self._started = time.perf_counter()
        try:
            form = self._caller.carriers[asked.carrier].request(asked, _now_ms(), next(self._caller.request_ids))
        except PoisonError as error:
            self.take(Reading(Answer.REFUSED, reason=str(error)))
        else:
            self._caller.posters[asked.carrier].post(form, self.ended)

    def ended(self, outcome: HttpAnswer | Exception) -> None:
        """Take what a request ended with."""
        try:
            self.take(self.read(outcome))
        except Exception as error:  # noqa: BLE001  a bug: it ends the process of who awaits the answer
            if not self._answered.done():
                self._answered.set_exception(error)

    def read(self, outcome: HttpAnswer | Exception) -> Reading:
        """Say what is known after a request."""
        match outcome:
            case HttpAnswer(status=http_answer.HTTP_OK, body=body):
                return self._caller.carriers[self.asked.carrier].read(self.asked, body)
            case HttpAnswer(status=status):
                return Reading(Answer.UNKNOWN, reason=f"HTTP status {status}")
            case TimeoutError():
                return Reading(Answer.UNKNOWN, reason=f"no answer within {CALL_TIMEOUT_SECONDS:g} s")
            case TransientError():
                return Reading(Answer.UNKNOWN, reason=str(outcome))
            case OSError():
                return Reading(Answer.UNKNOWN, reason=f"{type(outcome).__name__}: {outcome}")
        raise outcome

    def take(self, reading: Reading) -> None:
        """Count a request, and answer or ask once more."""
        carrier, kind, first = self.asked.carrier, self.asked.kind, self._first
        self._caller.timers[carrier, kind].observe(time.perf_counter() - self._started)
        self._caller.counters[carrier, kind, reading.answer].inc()
        if first is not None and reading.answer is Answer.ABSENT:
            # It has the order, and does not find it: only another query, later, can tell.
            self.answer(Reading(Answer.UNKNOWN, reason=f"{first.reason}, but: {reading.reason}"))
        elif first is None and reading.exists:
            self._first = reading
            self.ask(msgspec.structs.replace(self._command, kind=CallKind.QUERY))
        else:
            self.answer(reading)

    def answer(self, reading: Reading) -> None:
        """Give the answer, unless nobody waits for it any more."""
        command = self._command
        if not self._answered.done():
            answer = RecordAnswer(
                at=_now_ms(),
                fulfilment_id=command.fulfilment_id,
                key=command.key,
                kind=command.kind,
                answer=reading.answer,
                waybill_no=reading.waybill_no,
                reason=reading.reason[:REASON_CHARACTERS_MAX],
            )
            self._answered.set_result((answer,))


def _request_ids() -> Iterator[str]:
    """Give a UUID for each call, its last part counted: SF answers a repeated `requestID` with A1007."""
    prefix = str(uuid.uuid4())[:-12]
    return (f"{prefix}{count:012x}" for count in itertools.count())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _read_senders(file: str) -> dict[str, Sender]:
    if not file:
        return {}
    try:
        return msgspec.json.decode(Path(file).read_bytes(), type=dict[str, Sender])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"HOLDFAST_CARRIER_SENDERS_FILE: {file}: {error}"
        raise SettingsError(message) from error
