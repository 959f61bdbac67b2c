-- What came of refunds by policy, half of the comparison (A or B) and tier: how many, how much, how fast. Seconds by event
-- time, from the request to the payment.
CREATE OR REPLACE VIEW refunds_compared AS
SELECT
    policy,
    variant,
    tier,
    count() AS refunds,
    sum(amount_minor) AS amount_minor_total,
    countIf(state = 'review') AS in_review,
    countIf(state = 'approved') AS approved,
    countIf(state = 'rejected') AS rejected,
    countIf(state = 'refunded') AS refunded,
    countIf(was_late) AS late,
    quantileOrNullIf(0.5)(dateDiff('second', requested_at, assumeNotNull(paid_at)), paid_at IS NOT NULL) AS p50_seconds
FROM refunds
WHERE refund_id != ''
GROUP BY policy, variant, tier
ORDER BY policy, variant, tier
