-- One row a refund, the oldest first: how much, by which tier of which policy, who decided, when and why. What goes back
-- since an order was cancelled has no refund id.
CREATE OR REPLACE VIEW refunds AS
SELECT
    order_id,
    refund_id,
    max(if(event IN ('RefundRequested', 'RefundDue'), JSONExtractInt(facts, if(event = 'RefundDue', 'paid_minor', 'amount_minor')), 0)) AS amount_minor,
    if(refund_id = '', 'cancelled', max(JSONExtractString(facts, 'tier'))) AS tier,
    maxIf(toString(rule_version), event = 'RefundRequested') AS policy,
    max(JSONExtractString(facts, 'variant')) AS variant,
    argMax(if(event = 'RefundDue', 'approved', toString(to_state)), offset) AS state,
    min(at) AS requested_at,
    fromUnixTimestamp64Milli(toInt64(max(JSONExtractInt(facts, 'due_at'))), 'UTC') AS due_at,
    max(event = 'RefundOverdue') AS was_late,
    minOrNullIf(at, event = 'RefundPaid') AS paid_at,
    groupArrayIf(JSONExtractString(facts, 'approver'), event = 'RefundDecided') AS approvers,
    arrayMap(
        one -> one.2,
        arraySort(groupArrayIf(
            (
                offset,
                concat(
                    toString(at), ' ', JSONExtractString(facts, if(event = 'RefundPaid', 'author', 'approver')), ': ', toString(to_state),
                    if(JSONExtractString(facts, 'note') = '', '', concat(', ', JSONExtractString(facts, 'note')))
                )
            ),
            event IN ('RefundDecided', 'RefundPaid')
        ))
    ) AS decisions
FROM
(
    SELECT id, order_id, JSONExtractString(facts, 'refund_id') AS refund_id, toString(event) AS event, rule_version, to_state, at, facts, offset
    FROM order_events
    WHERE event IN ('RefundRequested', 'RefundDecided', 'RefundPaid', 'RefundOverdue', 'RefundDue')
    LIMIT 1 BY id
)
GROUP BY order_id, refund_id
HAVING amount_minor > 0
ORDER BY requested_at, order_id, refund_id
