-- One row an event: where its record is in the log, its JSON, and as columns what of that is asked for. The key names
-- the record that an event came in, so a row that is written twice merges into one; until it has merged, readers count
-- distinct ids and orders, and none of the views counts it twice.
--
-- A block of the sink holds whole ranges of offsets in one month: it becomes one part, which is there whole or not at
-- all. The projection is written within the part, so the highest offset is exact after any crash, and the sink's
-- question for it reads one line a part and not the rows. An insert is answered when it is on disk: after a power cut the
-- end of the log may be missing here, never its middle. Parts below 128 MiB are compact: with a file for each column an
-- insert costs half as much again.
CREATE TABLE IF NOT EXISTS order_events
(
    `topic` LowCardinality(String),
    `partition` UInt32,
    `offset` UInt64 CODEC(Delta, ZSTD(1)),
    `index` UInt16 COMMENT 'the event''s place in its record',
    `id` String CODEC(ZSTD(1)) COMMENT 'the cause and the event''s place in the answer to it',
    `order_id` String CODEC(ZSTD(1)) COMMENT 'empty: an event about stock',
    `stage` LowCardinality(String),
    `event` LowCardinality(String) COMMENT 'Unreadable: the record was no event; facts has its bytes',
    `from_state` LowCardinality(String),
    `to_state` LowCardinality(String),
    `cause` String CODEC(ZSTD(1)) COMMENT 'the record that the stage answered: topic-partition-offset',
    `at` DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when it happened, as its source says',
    `appended_at` DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the broker appended it',
    `rule_version` LowCardinality(String),
    `channel` LowCardinality(String),
    `shop_id` LowCardinality(String),
    `platform_order_id` String CODEC(ZSTD(1)),
    `pool` LowCardinality(String),
    `fulfilment_id` String CODEC(ZSTD(1)),
    `warehouse` LowCardinality(String),
    `carrier` LowCardinality(String),
    `waybill_no` String CODEC(ZSTD(1)),
    `reason` LowCardinality(String),
    `kind` LowCardinality(String),
    `parts` UInt16 COMMENT 'how many fulfilment orders the order has',
    `lines` UInt32,
    `units` Int64 COMMENT 'below 0: a correction took them away',
    `paid_minor` Int64 COMMENT 'in minor units of the currency',
    `currency` LowCardinality(String),
    `outbound` Bool COMMENT 'the first sign that a parcel left its warehouse',
    `facts` String CODEC(ZSTD(1)) COMMENT 'the whole event, as JSON',
    PROJECTION highest_offsets
    (
        SELECT topic, partition, max(offset), argMax(appended_at, offset) GROUP BY topic, partition
    )
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(appended_at)
ORDER BY (order_id, topic, partition, offset, index)
SETTINGS
    deduplicate_merge_projection_mode = 'rebuild',
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_bytes_for_wide_part = 134217728
