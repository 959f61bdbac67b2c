"""The metrics of the sinks, for Prometheus, under the names of `pipeline.metrics`' style."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from pipeline.metrics import LATENCY_SECONDS

ROWS = Counter("holdfast_sink_rows_total", "Rows (or, into Redis, events) that a sink has stored.", ["sink"])
UNREADABLE = Counter("holdfast_sink_unreadable_total", "Records of order.events that were no event.", ["sink"])
INSERTS = Counter(
    "holdfast_sink_inserts_total", "Blocks stored; found: the store had it after all.", ["sink", "outcome"]
)
INSERT_SECONDS = Histogram(
    "holdfast_sink_insert_seconds", "Time that one attempt to store a block takes.", ["sink"], buckets=LATENCY_SECONDS
)
BLOCK_ROWS = Histogram(
    "holdfast_sink_block_rows", "Rows in one block.", ["sink"], buckets=(1, 10, 100, 1000, 5000, 10_000, 20_000, 50_000)
)
VISIBLE_SECONDS = Histogram(
    "holdfast_sink_visible_seconds",
    "From the broker's append of a block's first record until readers see it.",
    ["sink"],
    buckets=LATENCY_SECONDS,
)
LAG_RECORDS = Gauge("holdfast_sink_lag_records", "Records that wait for a sink, over its partitions.", ["sink"])
LAG_SECONDS = Gauge(
    "holdfast_sink_lag_seconds", "Age of the oldest record that waits for a sink; 0 if none waits.", ["sink"]
)
ERRORS = Counter(
    "holdfast_sink_errors_total", "Failed attempts: down (tried again) or refused (the sink stops).", ["sink", "kind"]
)
