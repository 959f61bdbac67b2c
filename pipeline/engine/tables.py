"""Tables: a mapping per partition, held in memory, written to the stage's changelog in the transaction that changed it.

A changelog record's key is `table:key`, its value the entry as MessagePack, or nothing where the entry is gone. Every
transaction that touches a partition also writes the partition's checkpoint, the next input offset, under a key of its
own: after a restore it must equal the group's committed offset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.engine.stage import DecidingStage
from pipeline.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.engine.stage import Stage
    from pipeline.topics import Table

CHECKPOINT_KEY = b"!checkpoint"
_encode = msgspec.msgpack.Encoder().encode


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """How far a partition's tables have come: the offset of the next input record."""

    next_offset: int


_decode_checkpoint = msgspec.msgpack.Decoder(Checkpoint).decode


class LiveTable(dict[str, Any]):
    """A table's entries in one partition. It remembers which keys changed since the last commit."""

    __slots__ = ("_decode", "changed", "prefix", "table")

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.changed: dict[str, None] = {}
        self.table = table
        self.prefix = f"{table.name}:"
        self._decode: Callable[[bytes], Any] = msgspec.msgpack.Decoder(table.value).decode

    def __setitem__(self, key: str, value: object) -> None:
        """Put a whole new value."""
        dict.__setitem__(self, key, value)
        self.changed[key] = None

    def __delitem__(self, key: str) -> None:
        """Drop an entry, here and in the changelog."""
        dict.__delitem__(self, key)
        self.changed[key] = None

    def pop(self, key: str, default: object = None) -> Any:  # noqa: ANN401  the table's value type
        """Drop an entry if it is there, and give it."""
        if key not in self:
            return default
        value = self[key]
        del self[key]
        return value

    def restore(self, key: str, value: bytes | None) -> None:
        """Apply a changelog record."""
        if value is None:
            dict.pop(self, key, None)
        else:
            dict.__setitem__(self, key, self._decode(value))


class PartitionTables:
    """All tables of a stage in one partition, and how far its input is applied."""

    __slots__ = ("_by_name", "dead_letters_in_a_row", "last_timestamp_ms", "next_offset", "state", "tables")

    def __init__(self, stage: Stage) -> None:
        specs = stage.tables if isinstance(stage, DecidingStage) else ()
        self.tables = tuple(LiveTable(table) for table in specs)
        self._by_name = {live.table.name: live for live in self.tables}
        self.state = stage.state(*self.tables) if isinstance(stage, DecidingStage) else None
        self.next_offset = 0
        self.dead_letters_in_a_row = 0
        self.last_timestamp_ms = 0

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Apply a changelog record. Any error is fatal: a table that missed a record must not decide."""
        try:
            if key == CHECKPOINT_KEY:
                if value is None:
                    message = "the checkpoint was deleted"
                    raise EngineError(message)
                self.next_offset = _decode_checkpoint(value).next_offset
                return
            name, _, entry = key.decode().partition(":")
            self._by_name[name].restore(entry, value)
        except (KeyError, UnicodeDecodeError, msgspec.MsgspecError) as error:
            message = f"the changelog record with key {key!r} cannot be applied: {error!r}"
            raise EngineError(message) from error

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Give the changelog records since the last call, the checkpoint last."""
        for table in self.tables:
            prefix = table.prefix
            for key in table.changed:
                value = table.get(key)
                yield (prefix + key).encode(), None if value is None else _encode(value)
            table.changed.clear()
        yield CHECKPOINT_KEY, checkpoint(self.next_offset)


def checkpoint(next_offset: int) -> bytes:
    """Encode a checkpoint."""
    return _encode(Checkpoint(next_offset=next_offset))
