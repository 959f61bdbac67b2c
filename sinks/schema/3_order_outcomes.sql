-- One row an order: its one outcome. The first line that fits is the one.
CREATE OR REPLACE VIEW order_outcomes AS
SELECT
    order_id,
    channel,
    shop_id,
    platform_order_id,
    pool,
    multiIf(
        signed_at IS NOT NULL, 'signed',
        outbound_at IS NOT NULL, 'outbound',
        order_state = 'refund_due', 'refund_due',
        order_state = 'cancelled' OR (parts > 0 AND parts_cancelled >= parts), 'cancelled',
        parts_outbound > 0, 'part_outbound',
        parts_manual > 0, 'manual',
        order_state = '', 'received',
        toString(order_state)
    ) AS outcome,
    parts,
    parts_cancelled,
    parts_outbound,
    parts_signed,
    moved_at
FROM orders
