-- One row an order: when it reached each node of the funnel (null: not yet), by the broker's time, and where it stands.
--
-- An order is outbound, or signed, when all its parts are that will not be cancelled, at the time of the last of them.
-- All events of an order are in one Kafka partition, so the offset tells which of two came later.
CREATE OR REPLACE VIEW orders AS
SELECT
    order_id,
    max(part_channel) AS channel,
    max(part_shop_id) AS shop_id,
    max(part_platform_order_id) AS platform_order_id,
    max(part_pool) AS pool,
    arraySort(groupUniqArrayArray(part_warehouses)) AS warehouses,
    arraySort(groupUniqArrayArray(part_carriers)) AS carriers,
    max(part_count) AS parts,
    countIf(part_is_cancelled) AS parts_cancelled,
    countIf(part_outbound_at IS NOT NULL AND NOT part_is_cancelled) AS parts_outbound,
    countIf(part_signed_at IS NOT NULL AND NOT part_is_cancelled) AS parts_signed,
    countIf(part_state = 'manual') AS parts_manual,
    argMax(part_order_state, part_order_state_offset) AS order_state,
    min(part_first_at) AS seen_at,
    max(part_last_at) AS moved_at,
    min(part_ordered_at) AS ordered_at,
    min(part_paid_at) AS paid_at,
    min(part_routed_at) AS routed_at,
    if(parts_outbound > 0 AND parts_outbound + parts_cancelled >= parts, max(part_outbound_at), NULL) AS outbound_at,
    if(parts_signed > 0 AND parts_signed + parts_cancelled >= parts, max(part_signed_at), NULL) AS signed_at
FROM
(
    -- One row a part of an order, and one (without a fulfilment order) for what is said of the order as a whole.
    WITH (
        'OrderParked', 'OrderCreated', 'OrderPaid', 'OrderHeldForReview', 'OrderReleased', 'OrderCancelled', 'RefundDue',
        'HoldPlaced', 'HoldRefused', 'OrderRouted', 'RouteFailed'
    ) AS order_state_events
    SELECT
        order_id,
        fulfilment_id,
        max(toString(channel)) AS part_channel,
        max(toString(shop_id)) AS part_shop_id,
        max(platform_order_id) AS part_platform_order_id,
        max(toString(pool)) AS part_pool,
        groupUniqArrayIf(toString(warehouse), warehouse != '') AS part_warehouses,
        groupUniqArrayIf(toString(carrier), carrier != '') AS part_carriers,
        max(parts) AS part_count,
        max(event = 'FulfilmentCancelled') AS part_is_cancelled,
        argMaxIf(toString(to_state), offset, fulfilment_id != '' AND to_state != '' AND stage IN ('waybill', 'tracking')) AS part_state,
        argMaxIf(toString(to_state), offset, event IN order_state_events) AS part_order_state,
        maxIf(offset + 1, event IN order_state_events) AS part_order_state_offset,
        min(appended_at) AS part_first_at,
        max(appended_at) AS part_last_at,
        minOrNullIf(appended_at, event = 'OrderCreated') AS part_ordered_at,
        minOrNullIf(appended_at, event = 'OrderPaid') AS part_paid_at,
        minOrNullIf(appended_at, event = 'OrderRouted') AS part_routed_at,
        minOrNullIf(appended_at, event = 'ShipmentMoved' AND outbound) AS part_outbound_at,
        minOrNullIf(appended_at, event = 'ShipmentMoved' AND to_state = 'signed') AS part_signed_at
    FROM order_events
    WHERE order_id != ''
    GROUP BY order_id, fulfilment_id
)
GROUP BY order_id
