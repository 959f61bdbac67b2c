"""Calls carriers over HTTP: at the edge, outside every transaction, under keys that make a repeat harmless."""

from __future__ import annotations

import itertools
import time
import uuid
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pipeline.carriers import ANSWER_BYTES_MAX, REASON_CHARACTERS_MAX, Carrier, Reading, metrics
from pipeline.carriers.http_answer import HTTP_OK
from pipeline.carriers.posting import Poster
from pipeline.carriers.sf import SF, Sender
from pipeline.domain.commands import Answer, CallCarrier, CallKind, RecordAnswer
from pipeline.errors import PoisonError, SettingsError, TransientError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from pipeline.settings import Settings

CALL_TIMEOUT_SECONDS = 3.0
"""After that long nobody knows what became of a call, and the next one is a query."""
KEEP_ALIVE_SECONDS = 15.0
"""Less than the 60 s for which servers commonly keep an idle connection: a call must not meet one that is closing."""


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Callable[[CallCarrier], Awaitable[Sequence[RecordAnswer]]]]:
    """Open the connections to the carriers and give the function that calls them.

    Raises SettingsError for an address or a senders' file that cannot be used. The function that it gives raises for
    nothing that the world does.
    """
    carriers = open_carriers(settings)
    posters = {name: Poster(carrier.url, KEEP_ALIVE_SECONDS, ANSWER_BYTES_MAX) for name, carrier in carriers.items()}
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
        self._posters = posters
        self._carriers = carriers
        self._request_ids = _request_ids()
        self._counters = {
            (name, kind, answer): metrics.CALLS.labels(name, kind, answer)
            for name in carriers
            for kind in CallKind
            for answer in Answer
        }
        self._timers = {(name, kind): metrics.CALL_SECONDS.labels(name, kind) for name in carriers for kind in CallKind}

    async def call(self, command: CallCarrier) -> Sequence[RecordAnswer]:
        """Call, and answer with what is known then."""
        reading = await self._reading(command)
        return (
            RecordAnswer(
                at=_now_ms(),
                fulfilment_id=command.fulfilment_id,
                key=command.key,
                kind=command.kind,
                answer=reading.answer,
                waybill_no=reading.waybill_no,
                reason=reading.reason[:REASON_CHARACTERS_MAX],
            ),
        )

    async def _reading(self, command: CallCarrier) -> Reading:
        if command.carrier not in self._carriers:
            return Reading(Answer.REFUSED, reason=f"carrier: nobody here knows {command.carrier!r}")
        reading = await self._ask(command)
        if not reading.exists:
            return reading
        found = await self._ask(msgspec.structs.replace(command, kind=CallKind.QUERY))
        if found.answer is Answer.ABSENT:
            # It has the order, and does not find it: only another query, later, can tell.
            return Reading(Answer.UNKNOWN, reason=f"{reading.reason}, but: {found.reason}")
        return found

    async def _ask(self, command: CallCarrier) -> Reading:
        """Make one call, and count it."""
        started = time.perf_counter()
        reading = await self._post(command)
        self._timers[command.carrier, command.kind].observe(time.perf_counter() - started)
        self._counters[command.carrier, command.kind, reading.answer].inc()
        return reading

    async def _post(self, command: CallCarrier) -> Reading:
        carrier = self._carriers[command.carrier]
        try:
            form = carrier.request(command, _now_ms(), next(self._request_ids))
        except PoisonError as error:
            return Reading(Answer.REFUSED, reason=str(error))
        try:
            status, body, _ = await self._posters[command.carrier].post(form, CALL_TIMEOUT_SECONDS)
        except TimeoutError:
            return Reading(Answer.UNKNOWN, reason=f"no answer within {CALL_TIMEOUT_SECONDS:g} s")
        except TransientError as error:
            return Reading(Answer.UNKNOWN, reason=str(error))
        except OSError as error:
            return Reading(Answer.UNKNOWN, reason=f"{type(error).__name__}: {error}")
        if status != HTTP_OK:
            return Reading(Answer.UNKNOWN, reason=f"HTTP status {status}")
        return carrier.read(command, body)


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
