"""The metrics of a worker, for Prometheus: base units, `_total` on counters, few label values.

Labels are stages, event names, call kinds: never an order, a SKU or a person.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, start_http_server

LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

RECORDS = Counter("holdfast_records_total", "Records that a stage has processed and committed.", ["stage"])
EVENTS = Counter("holdfast_events_total", "Events that a stage has emitted and committed.", ["stage", "event"])
DEAD_LETTERS = Counter("holdfast_dead_letters_total", "Records that became dead letters.", ["stage", "reason"])
HOLDS = Counter("holdfast_holds_total", "Answers to holds: placed, refused, repeated, consumed, released.", ["outcome"])
LATENCY = Histogram(
    "holdfast_record_latency_seconds",
    "From the broker's append of a batch's oldest record to the end of the batch.",
    ["stage"],
    buckets=LATENCY_SECONDS,
)
BATCH_SECONDS = Histogram(
    "holdfast_batch_seconds", "Time that a stage takes to decide one batch.", ["stage"], buckets=LATENCY_SECONDS
)
LAG_RECORDS = Gauge("holdfast_lag_records", "Records that wait for a stage, in this worker's partitions.", ["stage"])
LAG_SECONDS = Gauge("holdfast_lag_seconds", "Age of the oldest record that waits for a stage, or 0.", ["stage"])
COMMIT_SECONDS = Histogram("holdfast_commit_seconds", "Time that a commit takes.", buckets=LATENCY_SECONDS)
COMMIT_RECORDS = Histogram(
    "holdfast_commit_records", "Input records in one transaction.", buckets=(1, 10, 100, 1000, 10_000, 100_000)
)
RESTORE_SECONDS = Histogram(
    "holdfast_restore_seconds", "Time that the tables of new partitions take to be restored.", buckets=LATENCY_SECONDS
)
RESTORED_RECORDS = Counter("holdfast_restored_records_total", "Changelog records read to restore tables.")
TABLE_ENTRIES = Gauge("holdfast_table_entries", "Entries of a table, over the partitions of this worker.", ["table"])
RULES_VERSION = Gauge(
    "holdfast_rules_version", "Version of the review rules in effect, the lowest of this worker's partitions; 0: none."
)
PARTITIONS = Gauge("holdfast_partitions", "Partitions that this worker owns.", ["stage"])
REBALANCES = Counter("holdfast_rebalances_total", "Times that this worker got a new assignment.")
ERRORS = Counter("holdfast_errors_total", "Failures that ended the worker, by kind.", ["kind"])


def serve(port: int) -> int:
    """Serve the metrics over HTTP on all interfaces; port 0 takes a free one. Gives the port."""
    server, _ = start_http_server(port)
    return int(server.server_port)
