-- The time limits that were passed, one row each, the newest first: unpaid (30 min), review (12 min, 24 h), routing
-- (15 min), locked (2 h), outbound (4 h), refund (2 h), silent (a parcel, 7 days);
-- and unheld: a parcel that left although its carrier had voided it, whose units others hold. Open: it has not come about since.
CREATE OR REPLACE VIEW alarms AS
SELECT
    raised.at AS raised_at,
    multiIf(
        raised.event = 'OrderUnpaidTooLong', 'unpaid',
        raised.event = 'ReviewOverdue', 'review',
        raised.event = 'RefundOverdue', 'refund',
        raised.event = 'ShipmentSilent', 'silent',
        raised.event = 'StockFeedRefused', 'unheld',
        JSONExtractString(raised.facts, 'limit')
    ) AS alarm,
    if(raised.event = 'OrderUnpaidTooLong' OR JSONExtractString(raised.facts, 'level') = 'warn', 'yellow', 'red') AS level,
    raised.order_id AS order_id,
    raised.fulfilment_id AS fulfilment_id,
    raised.state AS state,
    raised.reason AS reason,
    raised.rule_version AS rule_version,
    raised.raised_offset > multiIf(
        alarm = 'unpaid', later.paid,
        alarm = 'review', later.reviewed,
        alarm = 'refund', later.refunded,
        alarm = 'silent', later.moved,
        alarm = 'unheld', 0,
        alarm = 'routing', later.routed,
        later.outbound
    ) AS is_open
FROM
(
    SELECT
        id,
        at,
        order_id,
        fulfilment_id,
        toString(event) AS event,
        toString(from_state) AS state,
        toString(reason) AS reason,
        toString(rule_version) AS rule_version,
        facts,
        offset + 1 AS raised_offset
    FROM order_events
    WHERE event IN ('OrderUnpaidTooLong', 'ReviewOverdue', 'RefundOverdue', 'HoldOverdue', 'ShipmentSilent')
        OR (event = 'StockFeedRefused' AND reason = 'SHIPPED_UNHELD')
    LIMIT 1 BY id
) AS raised
LEFT JOIN
(
    SELECT
        order_id,
        maxIf(offset + 1, event IN ('OrderPaid', 'OrderCancelled', 'CancelRequested')) AS paid,
        maxIf(offset + 1, event IN ('ReviewReleased', 'ReviewRejected', 'OrderReleased', 'OrderCancelled')) AS reviewed,
        maxIf(offset + 1, event = 'RefundPaid') AS refunded,
        maxIf(offset + 1, event IN ('ShipmentMoved', 'TrackingStopped')) AS moved,
        maxIf(offset + 1, event IN ('OrderRouted', 'HoldReleased', 'OrderCancelled')) AS routed,
        maxIf(offset + 1, event IN ('HoldConsumed', 'HoldReleased', 'OrderCancelled')) AS outbound
    FROM order_events
    WHERE order_id != ''
    GROUP BY order_id
) AS later ON later.order_id = raised.order_id
ORDER BY raised_at DESC, order_id, alarm
