-- The funnel: five nodes, the orders that reached each, and their share of those that reached the node before.
CREATE OR REPLACE VIEW funnel AS
SELECT
    step.1 AS position,
    step.2 AS node,
    step.3 AS label,
    step.4 AS orders,
    if(position = 1, 1., if(step.5 = 0, 0., step.4 / step.5)) AS share_of_previous
FROM
(
    SELECT
        [count(ordered_at), count(paid_at), count(routed_at), count(outbound_at), count(signed_at)] AS reached,
        arrayJoin(arrayZip(
            [1, 2, 3, 4, 5],
            ['ordered', 'paid', 'routed', 'outbound', 'signed'],
            ['下单', '支付', '分单', '出库', '签收'],
            reached,
            arrayPushFront(arrayPopBack(reached), toUInt64(0))
        )) AS step
    FROM orders
)
ORDER BY position
