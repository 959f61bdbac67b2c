"""The one interface to ClickHouse, and what its answers mean; two clients speak it.

    http://, https://, chdb:///path   clickhouse-connect: a server, the embedded one, or an engine in this process
    clickhouse://, clickhouses://     clickhouse-driver: the native protocol, column by column

An insert that fails may still have been made, or be made later. So after any failure the caller lets it settle (the
statement is ended and waited for), asks for the highest stored offset, and only then goes on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from pipeline.errors import HoldfastError, SettingsError, TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sinks.blocks import Block

SCHEMA = Path(__file__).parent / "schema"
TABLE = "order_events"
CONNECT_SECONDS_MAX = 5.0
INSERT_SECONDS_MAX = 30
"""ClickHouse ends an insert that takes longer."""
ANSWER_SECONDS_MAX = 45
"""How long a client waits for an answer: longer than any insert may take."""
SETTLE_SECONDS_MAX = 60.0
SETTLE_POLL_SECONDS = 0.1
TRANSIENT_CODES = frozenset(
    {
        159,  # TIMEOUT_EXCEEDED
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        225,  # NO_ZOOKEEPER
        236,  # ABORTED
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        285,  # TOO_FEW_LIVE_REPLICAS
        286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        319,  # UNKNOWN_STATUS_OF_INSERT
        394,  # QUERY_WAS_CANCELLED
        439,  # CANNOT_SCHEDULE_TASK
        999,  # KEEPER_EXCEPTION
    }
)
"""ClickHouse's error codes for what may pass. All others are about the statement, which will not get better."""
HIGHEST = "max(offset), toInt64(toUnixTimestamp64Milli(argMax(appended_at, offset)))"
STORY = f"SELECT partition, offset, facts FROM {TABLE}"  # noqa: S608 - the table's name is a constant
STORY_ORDER = "ORDER BY topic, partition, offset, index LIMIT 1 BY id"


class StoreDownError(TransientError):
    """ClickHouse did not answer, or cannot do it now. Whether an insert was made is not known."""


class StoreRefusedError(HoldfastError):
    """ClickHouse refused a statement for good."""


class Stored(NamedTuple):
    """The last record of a partition that is stored: its offset, and when the broker appended it (ms; 0: not known)."""

    offset: int
    appended_ms: int


class StoryLine(NamedTuple):
    """One event of an order: where it is in the log, and its JSON."""

    partition: int
    offset: int
    facts: str


class Store(Protocol):
    """What the sink needs of ClickHouse. Every call may raise StoreDownError or StoreRefusedError."""

    def apply_schema(self, statements: Sequence[str]) -> None:
        """Create what is missing."""

    def highest(self, topic: str) -> dict[int, Stored]:
        """Give the last stored record of each partition of a topic that has any."""

    def settle(self, begins_with: str) -> None:
        """End the statements whose id begins so, and return when there are none."""

    def insert(self, block: Block, statement_id: str) -> None:
        """Store a block, whole or not at all.

        Sent again under the same id it changes nothing, where ClickHouse can tell (since 22.2).
        """

    def story(self, order_id: str) -> list[StoryLine]:
        """Give an order's events, in order, each once."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Give the rows of a question. Parameters stand in the text as the client's dialect wants them."""

    def close(self) -> None:
        """Close the connection."""


def open_store(url: str) -> Store:
    """Give the store that a URL names; it connects when it is first asked. Raises SettingsError."""
    scheme = urlsplit(url).scheme
    if scheme in {"http", "https", "chdb"}:
        from sinks.store_http import HttpStore  # noqa: PLC0415 - each client is loaded where it is used

        return HttpStore(url)
    if scheme in {"clickhouse", "clickhouses"}:
        from sinks.store_native import NativeStore  # noqa: PLC0415

        return NativeStore(url)
    message = (
        f"CLICKHOUSE_URL: begins with http://, https://, chdb:///, clickhouse:// or clickhouses:// (it is {url!r})"
    )
    raise SettingsError(message)


def schema_statements() -> tuple[str, ...]:
    """Give the schema's statements in order. Each can be repeated."""
    return tuple(path.read_text() for path in sorted(SCHEMA.glob("*.sql")))
