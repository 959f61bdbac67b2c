"""The store over clickhouse-driver: ClickHouse's native protocol, sent column by column."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from clickhouse_driver import Client
from clickhouse_driver.errors import Error, NetworkError, PartiallyConsumedQueryError, ServerException
from clickhouse_driver.util.helpers import parse_url

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

    from sinks.blocks import Block


class NativeStore:
    """A store that connects when it is first asked, and again after it was down. For one thread at a time."""

    def __init__(self, url: str) -> None:
        host, options = parse_url(url)
        self._client = Client(
            host,
            **{
                "connect_timeout": CONNECT_SECONDS_MAX,
                "send_receive_timeout": ANSWER_SECONDS_MAX,
                "sync_request_timeout": CONNECT_SECONDS_MAX,
                **options,
            },
        )
        self._known_settings: frozenset[str] | None = None

    @contextmanager
    def _connected(self) -> Iterator[Client]:
        try:
            yield self._client
        except ServerException as error:
            raise (StoreDownError if error.code in TRANSIENT_CODES else StoreRefusedError)(str(error)) from error
        except (NetworkError, OSError, EOFError, PartiallyConsumedQueryError) as error:
            self._client.disconnect()
            raise StoreDownError(str(error) or type(error).__name__) from error
        except Error as error:
            self._client.disconnect()
            raise (StoreDownError if error.code in TRANSIENT_CODES else StoreRefusedError)(str(error)) from error

    def apply_schema(self, statements: Sequence[str]) -> None:
        """Create what is missing."""
        with self._connected() as client:
            for statement in statements:
                client.execute(statement)

    def highest(self, topic: str) -> dict[int, Stored]:
        """Give the last stored record of each partition of a topic."""
        sql = f"SELECT partition, {HIGHEST} FROM {TABLE} WHERE topic = %(topic)s GROUP BY topic, partition"  # noqa: S608
        return {partition: Stored(offset, at) for partition, offset, at in self.query(sql, {"topic": topic})}

    def settle(self, begins_with: str) -> None:
        """End the statements whose id begins so, and return when there are none."""
        running = "startsWith(query_id, %(id)s)"
        deadline = time.monotonic() + SETTLE_SECONDS_MAX
        while self.query(f"SELECT count() FROM system.processes WHERE {running}", {"id": begins_with})[0][0]:  # noqa: S608
            with suppress(StoreRefusedError):
                # Refused where the user may not: then they are only waited for.
                self.query(f"KILL QUERY WHERE {running} ASYNC", {"id": begins_with})
            if time.monotonic() > deadline:
                message = f"statements {begins_with}… still run after {SETTLE_SECONDS_MAX:g} s"
                raise StoreDownError(message)
            time.sleep(SETTLE_POLL_SECONDS)

    def insert(self, block: Block, statement_id: str) -> None:
        """Store a block, whole or not at all."""
        # The driver cuts what is larger than 1,048,576 rows into several blocks: no block of the sink is.
        settings = {
            "max_execution_time": INSERT_SECONDS_MAX,
            "insert_deduplication_token": statement_id,
            # No two rows of a block have the same key: merging it in itself would find nothing.
            "optimize_on_insert": 0,
        }
        known = self._settings()
        with self._connected() as client:
            client.execute(
                f"INSERT INTO {TABLE} ({', '.join(f'`{name}`' for name in COLUMN_TYPES)}) VALUES",
                block.columns(),
                columnar=True,
                query_id=statement_id,
                settings={name: value for name, value in settings.items() if name in known},
            )

    def _settings(self) -> frozenset[str]:
        """Give the names of the settings that this server knows: deduplication tokens came with 22.2."""
        if self._known_settings is None:
            self._known_settings = frozenset(name for (name,) in self.query("SELECT name FROM system.settings"))
        return self._known_settings

    def story(self, order_id: str) -> list[StoryLine]:
        """Give an order's events, in order, each once."""
        return [
            StoryLine(*line)
            for line in self.query(f"{STORY} WHERE order_id = %(order)s {STORY_ORDER}", {"order": order_id})
        ]

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Give the rows of a question; parameters stand in it as `%(name)s`."""
        with self._connected() as client:
            return [tuple(row) for row in client.execute(sql, dict(parameters) if parameters else None)]

    def close(self) -> None:
        """Close the connection."""
        self._client.disconnect()
