"""The store over clickhouse-connect: a server's HTTP interface, or (`chdb:///path`) an engine in this process."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import clickhouse_connect
import lz4.frame  # type: ignore[import-untyped]
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from sinks.blocks import COLUMN_TYPES
from sinks.store import (
    ANSWER_SECONDS_MAX,
    CONNECT_SECONDS_MAX,
    HIGHEST,
    INSERT_SECONDS_MAX,
    SETTLE_POLL_SECONDS,
    SETTLE_SECONDS_MAX,
    STORY,
    STORY_ORDER,
    TABLE,
    TRANSIENT_CODES,
    Stored,
    StoreDownError,
    StoreRefusedError,
    StoryLine,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clickhouse_connect.driver.client import Client

    from sinks.blocks import Block
HTTP_OPTIONS: Mapping[str, Any] = {
    "connect_timeout": int(CONNECT_SECONDS_MAX),
    "send_receive_timeout": ANSWER_SECONDS_MAX,
    "autogenerate_session_id": False,
}
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class HttpStore:
    """A store that connects when it is first asked, and again after it was down. For one thread at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Client | None = None
        parts = urlsplit(url)
        self._is_near = parts.scheme == "chdb" or parts.hostname in LOOPBACK
        """Compression saves no time: nothing goes over a network."""

    def _options(self) -> Mapping[str, Any]:
        return {} if self._url.startswith("chdb:") else {**HTTP_OPTIONS, "compress": not self._is_near}

    @contextmanager
    def _connected(self) -> Iterator[Client]:
        try:
            if self._client is None:
                self._client = clickhouse_connect.get_client(dsn=self._url, **self._options())
            yield self._client
        except OperationalError as error:
            raise StoreDownError(str(error)) from error
        except ClickHouseError as error:
            code = getattr(error, "code", None)
            # Without a code it is no answer of ClickHouse's but a proxy's.
            if code in TRANSIENT_CODES or (code is None and type(error) is DatabaseError):
                raise StoreDownError(str(error)) from error
            raise StoreRefusedError(str(error)) from error

    def apply_schema(self, statements: Sequence[str]) -> None:
        """Create what is missing."""
        with self._connected() as client:
            for statement in statements:
                client.command(statement)

    def highest(self, topic: str) -> dict[int, Stored]:
        """Give the last stored record of each partition of a topic."""
        sql = f"SELECT partition, {HIGHEST} FROM {TABLE} WHERE topic = {{topic:String}} GROUP BY topic, partition"  # noqa: S608
        return {partition: Stored(offset, at) for partition, offset, at in self.query(sql, {"topic": topic})}

    def settle(self, begins_with: str) -> None:
        """End the statements whose id begins so, and return when there are none.

        The embedded server gives its own query ids, so a statement is known by its comment.
        """
        running = "FROM system.processes WHERE startsWith(Settings['log_comment'], {id:String})"
        deadline = time.monotonic() + SETTLE_SECONDS_MAX
        while self.query(f"SELECT count() {running}", {"id": begins_with})[0][0]:
            with suppress(StoreRefusedError), self._connected() as client:
                # Refused where the user may not: then they are only waited for.
                client.command(
                    "KILL QUERY WHERE startsWith(Settings['log_comment'], {id:String}) ASYNC", {"id": begins_with}
                )
            if time.monotonic() > deadline:
                message = f"statements {begins_with}… still run after {SETTLE_SECONDS_MAX:g} s"
                raise StoreDownError(message)
            time.sleep(SETTLE_POLL_SECONDS)

    def insert(self, block: Block, statement_id: str) -> None:
        """Store a block, whole or not at all."""
        rows = block.native()
        with self._connected() as client:
            client.raw_insert(
                TABLE,
                tuple(COLUMN_TYPES),
                rows if self._is_near else lz4.frame.compress(rows),
                compression=None if self._is_near else "lz4",
                fmt="Native",
                settings={
                    "query_id": statement_id,
                    "log_comment": statement_id,
                    "insert_deduplication_token": statement_id,
                    "max_execution_time": INSERT_SECONDS_MAX,
                    "async_insert": 0,
                    # No two rows of a block have the same key: merging it in itself would find nothing.
                    "optimize_on_insert": 0,
                },
            )

    def story(self, order_id: str) -> list[StoryLine]:
        """Give an order's events, in order, each once."""
        return [
            StoryLine(*line)
            for line in self.query(f"{STORY} WHERE order_id = {{order:String}} {STORY_ORDER}", {"order": order_id})
        ]

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Give the rows of a question; parameters stand in it as `{name:Type}`."""
        with self._connected() as client:
            return [tuple(row) for row in client.query(sql, parameters=dict(parameters or {})).result_rows]

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None
