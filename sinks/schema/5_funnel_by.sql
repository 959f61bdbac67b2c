-- The funnel by channel, shop, pool, warehouse and carrier. An order with two warehouses counts under each of them; one
-- that has none yet counts under ''.
CREATE OR REPLACE VIEW funnel_by AS
SELECT
    dimension,
    value,
    step.1 AS position,
    step.2 AS node,
    step.3 AS label,
    step.4 AS orders,
    if(position = 1, 1., if(step.5 = 0, 0., step.4 / step.5)) AS share_of_previous
FROM
(
    SELECT
        dimension,
        value,
        [count(ordered_at), count(paid_at), count(routed_at), count(outbound_at), count(signed_at)] AS reached,
        arrayJoin(arrayZip(
            [1, 2, 3, 4, 5],
            ['ordered', 'paid', 'routed', 'outbound', 'signed'],
            ['下单', '支付', '分单', '出库', '签收'],
            reached,
            arrayPushFront(arrayPopBack(reached), toUInt64(0))
        )) AS step
    FROM
    (
        SELECT
            ordered_at,
            paid_at,
            routed_at,
            outbound_at,
            signed_at,
            arrayJoin([
                ('channel', [toString(channel)]),
                ('shop', [toString(shop_id)]),
                ('pool', [toString(pool)]),
                ('warehouse', if(empty(warehouses), [''], warehouses)),
                ('carrier', if(empty(carriers), [''], carriers))
            ]) AS dimension_values,
            dimension_values.1 AS dimension,
            arrayJoin(dimension_values.2) AS value
        FROM orders
    )
    GROUP BY dimension, value
)
ORDER BY dimension, value, position
