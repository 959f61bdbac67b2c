-- The time between nodes, by the broker's clock, and who waits: orders that reached a node, not the next, and have not
-- ended; `oldest_waiting_seconds` is how long the first of them has.
CREATE OR REPLACE VIEW funnel_times AS
SELECT
    step.1 AS position,
    step.2 AS from_node,
    step.3 AS to_node,
    countIf(step.4 IS NOT NULL AND step.5 IS NOT NULL) AS orders,
    quantileOrNull(0.5)(dateDiff('millisecond', step.4, step.5) / 1000) AS p50_seconds,
    quantileOrNull(0.95)(dateDiff('millisecond', step.4, step.5) / 1000) AS p95_seconds,
    countIf(step.4 IS NOT NULL AND step.5 IS NULL AND NOT has_ended) AS waiting,
    if(
        waiting = 0,
        0.,
        dateDiff('millisecond', minIf(assumeNotNull(step.4), step.4 IS NOT NULL AND step.5 IS NULL AND NOT has_ended), now64(3, 'UTC')) / 1000
    ) AS oldest_waiting_seconds
FROM
(
    SELECT
        order_state IN ('cancelled', 'refund_due', 'refused', 'route_failed') OR (parts > 0 AND parts_cancelled >= parts) AS has_ended,
        arrayJoin([
            (1, 'ordered', 'paid', ordered_at, paid_at),
            (2, 'paid', 'routed', paid_at, routed_at),
            (3, 'routed', 'outbound', routed_at, outbound_at),
            (4, 'outbound', 'signed', outbound_at, signed_at),
            (5, 'ordered', 'signed', ordered_at, signed_at)
        ]) AS step
    FROM orders
)
GROUP BY position, from_node, to_node
ORDER BY position
