-- What came of each stock feed, by its id: the answer, and where it was refused what of it and why.
CREATE OR REPLACE VIEW stock_feeds AS
SELECT
    toString(pool) AS pool,
    if(event = 'FlashOpened', JSONExtractString(facts, 'flash_id'), JSONExtractString(facts, 'feed_id')) AS feed_id,
    argMin(toString(event), offset) AS answer,
    argMin(toString(warehouse), offset) AS warehouse,
    argMin(JSONExtractString(facts, 'sku'), offset) AS sku,
    argMin(JSONExtractInt(facts, 'change_units'), offset) AS change_units,
    argMin(toString(reason), offset) AS reason,
    min(at) AS told_at
FROM order_events
WHERE stage = 'reservation' AND event IN (
    'WarehouseRegistered', 'StockReceived', 'StockAdjusted', 'StockFeedRefused', 'NetworkFeedPassed', 'StockTransferred',
    'FlashOpened', 'InboundAnnounced', 'InboundClosed', 'BundleDefined', 'SafetySet'
)
GROUP BY pool, feed_id
HAVING feed_id != ''
