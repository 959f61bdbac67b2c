"""Ask ClickHouse over HTTP what it has."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import orjson

from loadtest.oracle.history import StoredPartition
from pipeline.errors import TransientError

STORED_SQL = """
SELECT partition, count(), uniqExact(id), max(offset), sum(halfMD5(id))
FROM order_events GROUP BY partition ORDER BY partition
"""
FUNNEL_SQL = "SELECT node, orders FROM funnel ORDER BY position"
MINUTES_SQL = """
SELECT toUnixTimestamp(toStartOfMinute(appended_at)), toString(event), count()
FROM order_events GROUP BY 1, 2
"""
PARTS_SQL = """
SELECT concat(table, ' ', partition), count() FROM system.parts
WHERE active AND database = currentDatabase() GROUP BY table, partition
"""
QUERY_SECONDS = 60.0


def read_stored(clickhouse: str) -> list[StoredPartition]:
    """Ask what it has of each partition of order.events."""
    return [StoredPartition(*map(int, row)) for row in query(clickhouse, STORED_SQL)]


def read_funnel(clickhouse: str) -> dict[str, int]:
    """Ask how many orders reached each node of the funnel."""
    return {node: int(orders) for node, orders in query(clickhouse, FUNNEL_SQL)}


def read_minutes(clickhouse: str) -> dict[tuple[int, str], int]:
    """Ask how many events of each name came in each minute."""
    return {(int(minute), event): int(events) for minute, event, events in query(clickhouse, MINUTES_SQL)}


def read_parts(clickhouse: str) -> dict[str, int]:
    """Ask for the active parts of each partition of its tables."""
    return {partition: int(parts) for partition, parts in query(clickhouse, PARTS_SQL)}


def query(clickhouse: str, sql: str) -> list[list[Any]]:
    """Ask ClickHouse over HTTP; gives the rows. Raises TransientError when it does not answer."""
    request = urllib.request.Request(clickhouse, f"{sql} FORMAT JSONCompact".encode())  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request, timeout=QUERY_SECONDS) as response:  # noqa: S310
            rows: list[list[Any]] = orjson.loads(response.read())["data"]
    except urllib.error.HTTPError as error:
        message = f"ClickHouse at {clickhouse}: {error.read().decode(errors='replace')[:500]}"
        raise TransientError(message) from error
    except OSError as error:
        message = f"ClickHouse at {clickhouse}: {error}"
        raise TransientError(message) from error
    return rows
