-- One order's whole story, in order, each event with its cause: SELECT * FROM story(order = '<internal order id>').
CREATE OR REPLACE VIEW story AS
SELECT
    appended_at,
    stage,
    event,
    from_state,
    to_state,
    fulfilment_id,
    warehouse,
    carrier,
    waybill_no,
    reason,
    rule_version,
    cause,
    id,
    at,
    facts
FROM order_events
WHERE order_id = {order:String}
ORDER BY topic, partition, offset, index
LIMIT 1 BY id
