"""Tables: a mapping per partition, held in memory, written to the stage's changelog in the transaction that changed it.

A changelog record's key is `table:key`, its value the entry as MessagePack, or nothing where the entry is gone. Entries
that are settled move to pages, thousands in a record `!page:table:number` (`pipeline.engine.pages`). Every transaction
that touches a partition also writes the partition's checkpoint under a key of its own: after a restore its next input
offset must equal the group's committed offset.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from pipeline.domain.memory import AHEAD_MS_MAX
from pipeline.engine.live import LiveTable, PagedTable
from pipeline.engine.pages import decode_page, encode_page
from pipeline.engine.stage import DecidingStage
from pipeline.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.engine.stage import Stage
    from pipeline.topics import Table

OWN = ord("!")
"""What the key of a record begins with that is no table's entry."""
CHECKPOINT_KEY = b"!checkpoint"
PAGE_KEY = b"!page"
PAGE_ENTRIES = 1024
SKEW_MS = 5 * 60 * 1000
"""How far a command's time may be ahead of the broker's when it was appended."""
STEP_MS = 60 * 60 * 1000
"""How far one record moves a partition's time: a single clock that is wrong ages nobody's entries."""
_encode = msgspec.msgpack.Encoder().encode


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """How far a partition's tables have come: the next input offset, the event time, what each table has forgotten."""

    next_offset: int
    watermark_ms: int = 0
    forgotten_ms: dict[str, int] = {}
    latest_ms: int = 0


_decode_checkpoint = msgspec.msgpack.Decoder(Checkpoint).decode


class PartitionTables:
    """All tables of a stage in one partition, and how far its input is applied."""

    __slots__ = (
        "_by_name",
        "_restored",
        "dead_letters_in_a_row",
        "is_whole",
        "last_timestamp_ms",
        "latest_ms",
        "next_offset",
        "paged",
        "state",
        "tables",
        "watermark_ms",
    )

    def __init__(self, stage: Stage, page_entries: int = PAGE_ENTRIES) -> None:
        specs = stage.tables if isinstance(stage, DecidingStage) else ()
        self.tables = tuple(_live(table, page_entries) for table in specs)
        self.paged = tuple(live for live in self.tables if isinstance(live, PagedTable))
        self._by_name = {live.table.name: live for live in self.tables}
        self._restored: dict[bytes, bytes] = {}
        self.state = stage.state(*self.tables) if isinstance(stage, DecidingStage) else None
        self.next_offset = 0
        self.is_whole = True
        """Whether the last record restored was a checkpoint: each transaction ends with one."""
        self.watermark_ms = 0
        """The newest event time, never going back."""
        self.latest_ms = 0
        """The latest time that any command named, as far as the broker's clock allows: one alone may set it."""
        self.dead_letters_in_a_row = 0
        self.last_timestamp_ms = 0

    # --- time ---

    def advance(self, at_ms: int, appended_ms: int) -> None:
        """Take note of a command's event time: time moves on with it, but not by more than one record may move it."""
        latest, watermark = self.latest_ms, self.watermark_ms
        if at_ms > latest:
            self.latest_ms = max(latest, min(at_ms, appended_ms + AHEAD_MS_MAX))
        if at_ms <= watermark:
            return
        newest = min(at_ms, appended_ms + SKEW_MS)
        if watermark and newest > watermark + STEP_MS:
            newest = watermark + STEP_MS
        if newest > watermark:
            self.watermark_ms = newest

    def turn_pages(self) -> None:
        """Move settled entries to pages where enough of them have come together, and drop pages that are too old.

        Called after each record: so what is remembered at a record follows from the records before it alone.
        """
        for table in self.paged:
            # Most often a look at the lengths is enough, and it comes after each record.
            if len(table.settled) + len(table.written) >= table.page_entries and table.is_full:
                table.turn_page(self.watermark_ms, max(self.watermark_ms, self.latest_ms))

    # --- the changelog ---

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take a changelog record; entries are applied by `finish`, when it is known which of them are the last."""
        self.is_whole = False
        if key and key[0] == OWN:
            self._restore_own(key, value)
        else:
            restored = self._restored
            if key in restored:
                del restored[key]  # what is written again goes to the end
            if value is not None:
                restored[key] = value

    def finish(self) -> None:
        """Apply what was restored. Any error is fatal: a table that missed a record must not decide."""
        key, restore = b"", {name.encode(): table.restore for name, table in self._by_name.items()}
        try:
            for key, value in self._restored.items():
                name, _, entry = key.partition(b":")
                restore[name](entry.decode(), value)
        except (KeyError, UnicodeDecodeError, msgspec.MsgspecError) as error:
            raise _unusable(key, error) from error
        self._restored = {}
        for paged in self.paged:
            paged.index_pages()

    def _restore_own(self, key: bytes, value: bytes | None) -> None:
        try:
            if key == CHECKPOINT_KEY:
                self._restore_checkpoint(_decode_checkpoint(value or b""))
                self.is_whole = True
                return
            kind, name, number = key.split(b":")
            table = self._by_name[name.decode()]
            if kind == PAGE_KEY and isinstance(table, PagedTable):
                table.restore_page(int(number), None if value is None else decode_page(value))
                return
        except (KeyError, ValueError, msgspec.MsgspecError) as error:
            raise _unusable(key, error) from error
        raise _unusable(key, KeyError("no such kind of record, or a table without pages"))

    def _restore_checkpoint(self, restored: Checkpoint) -> None:
        self.next_offset, self.watermark_ms = restored.next_offset, restored.watermark_ms
        self.latest_ms = restored.latest_ms
        for name, forgotten_ms in restored.forgotten_ms.items():
            self._by_name[name].forgotten_ms = forgotten_ms

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Give the changelog records since the last call, the checkpoint last."""
        yield from chain.from_iterable([table.changes() for table in self.tables])
        for table in self.paged:
            for number, page in table.page_changes.items():
                yield (
                    b"%b:%b:%d" % (PAGE_KEY, table.table.name.encode(), number),
                    None if page is None else encode_page(page),
                )
            table.page_changes.clear()
        yield CHECKPOINT_KEY, self._checkpoint()

    def _checkpoint(self) -> bytes:
        forgotten = {table.table.name: table.forgotten_ms for table in self.paged if table.forgotten_ms}
        return _encode(
            Checkpoint(
                next_offset=self.next_offset,
                watermark_ms=self.watermark_ms,
                forgotten_ms=forgotten,
                latest_ms=self.latest_ms,
            )
        )


def checkpoint(next_offset: int) -> bytes:
    """Encode the checkpoint of tables that are empty."""
    return _encode(Checkpoint(next_offset=next_offset))


def measure(partitions: Iterable[PartitionTables]) -> None:
    """Let tables that have metrics of their own set them, from their entries in a worker's partitions."""
    found: dict[Table, list[LiveTable]] = {}
    for held in partitions:
        for live in held.tables:
            if live.table.measure is not None:
                found.setdefault(live.table, []).append(live)
    for table, entries in found.items():
        if table.measure is not None:
            table.measure(entries)


def _live(table: Table, page_entries: int) -> LiveTable:
    return LiveTable(table) if table.settled is None else PagedTable(table, page_entries)


def _unusable(key: bytes, error: Exception) -> EngineError:
    return EngineError(f"the changelog record with key {key!r} cannot be applied: {error!r}")
