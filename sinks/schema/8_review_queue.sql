-- The review queue: one row for each reason that holds an order now, the most urgent first: in dedup, or, frozen to protect
-- the stock, in reservation. Alarms at 12 minutes (warn) and 24 hours (late), by the broker's clock.
CREATE OR REPLACE VIEW review_queue AS
SELECT *, dateDiff('second', raised_at, now64(3, 'UTC')) AS age_seconds, multiIf(age_seconds >= 86400, 'late', age_seconds >= 720, 'warn', '') AS alarm
FROM
(
SELECT
    held.order_id AS order_id,
    held.reason AS reason,
    held.pool AS pool,
    if(held.claimed_state = '', 'raised', held.claimed_state) AS state,
    held.rule_version AS rule_version,
    JSONExtractString(held.raised_facts, 'evidence') AS evidence,
    JSONExtract(held.raised_facts, 'rules', 'Array(String)') AS rules,
    JSONExtractInt(held.raised_facts, 'priority') AS priority,
    JSONExtractInt(held.raised_facts, 'vip_level') AS vip_level,
    held.paid_minor AS paid_minor,
    if(held.claimed_event = 'ReviewClaimed', JSONExtractString(held.claimed_facts, 'reviewer'), '') AS reviewer,
    held.raised_appended_at AS raised_at
FROM
(
    SELECT
        order_id,
        toString(reason) AS reason,
        maxIf(offset + 1, event = 'OrderHeldForReview') AS raised_offset,
        maxIf(offset + 1, event IN ('ReviewReleased', 'ReviewRejected')) AS closed_offset,
        argMaxIf(toString(pool), offset, event = 'OrderHeldForReview') AS pool,
        argMaxIf(toString(rule_version), offset, event = 'OrderHeldForReview') AS rule_version,
        argMaxIf(paid_minor, offset, event = 'OrderHeldForReview') AS paid_minor,
        argMaxIf(facts, offset, event = 'OrderHeldForReview') AS raised_facts,
        argMaxIf(appended_at, offset, event = 'OrderHeldForReview') AS raised_appended_at,
        argMaxIf(facts, offset, event IN ('ReviewClaimed', 'ReviewLeaseExpired')) AS claimed_facts,
        argMaxIf(toString(event), offset, event IN ('ReviewClaimed', 'ReviewLeaseExpired')) AS claimed_event,
        argMaxIf(toString(to_state), offset, event IN ('ReviewClaimed', 'ReviewLeaseExpired', 'ReviewOverdue')) AS claimed_state
    FROM order_events
    WHERE stage = 'dedup' AND (event = 'OrderHeldForReview' OR startsWith(toString(event), 'Review'))
    GROUP BY order_id, reason
) AS held
LEFT JOIN
(
    SELECT order_id, max(offset + 1) AS ended_offset
    FROM order_events
    WHERE stage = 'dedup' AND event IN ('OrderReleased', 'OrderCancelled')
    GROUP BY order_id
) AS ended ON ended.order_id = held.order_id
WHERE held.raised_offset > held.closed_offset AND held.raised_offset > ended.ended_offset
UNION ALL
SELECT
    order_id,
    'STOCK_PROTECTION' AS reason,
    argMaxIf(toString(pool), offset, to_state = 'frozen') AS pool,
    'frozen' AS state,
    argMaxIf(toString(rule_version), offset, to_state = 'frozen') AS rule_version,
    'its SKUs are below their safety level' AS evidence,
    [substringIndex(rule_version, '@', 1)] AS rules,
    toInt64(0) AS priority,
    toInt64(0) AS vip_level,
    toInt64(0) AS paid_minor,
    '' AS reviewer,
    maxIf(appended_at, to_state = 'frozen') AS raised_at
FROM order_events
WHERE stage = 'reservation' AND event IN (
    'HoldPlaced', 'HoldRegained', 'HoldConfirmed', 'HoldReleased', 'HoldFilled', 'HoldTrimmed', 'RefundDue'
)
GROUP BY order_id
HAVING argMax(toString(to_state), offset) = 'frozen'
)
ORDER BY priority DESC, vip_level DESC, paid_minor DESC, raised_at
