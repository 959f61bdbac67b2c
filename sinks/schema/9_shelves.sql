-- What is free on each warehouse's shelf by the events: what came and was corrected, less the parts that were routed from
-- there, but for those that were freed or sent from elsewhere.
CREATE OR REPLACE VIEW shelves AS
SELECT pool, warehouse, sku, sum(change) AS free_units
FROM
(
    SELECT pool, warehouse, tupleElement(unit, 1) AS sku, tupleElement(unit, 2) AS change
    FROM
    (
        SELECT id, toString(pool) AS pool, toString(warehouse) AS warehouse, arrayJoin(JSONExtract(facts, 'units', 'Array(Tuple(String, Int64))')) AS unit
        FROM (SELECT id, pool, warehouse, facts FROM order_events WHERE event = 'ShelfStocked' LIMIT 1 BY id)
    )
    UNION ALL
    SELECT toString(pool) AS pool, toString(warehouse) AS warehouse, JSONExtractString(facts, 'sku') AS sku, JSONExtractInt(facts, 'change_units') AS change
    FROM (SELECT id, pool, warehouse, facts FROM order_events WHERE event = 'CountSettled' AND JSONExtractBool(facts, 'applied') LIMIT 1 BY id)
    UNION ALL
    SELECT pool, tupleElement(part, 2) AS warehouse, tupleElement(unit, 1) AS sku, -tupleElement(unit, 2) AS change
    FROM
    (
        SELECT pool, part, arrayJoin(tupleElement(part, 3)) AS unit
        FROM
        (
            SELECT
                id,
                toString(pool) AS pool,
                arrayJoin(JSONExtract(
                    facts,
                    if(event = 'OrderRouted', 'parts', 'new_parts'),
                    'Array(Tuple(fulfilment_id String, warehouse String, units Array(Tuple(String, Int64))))'
                )) AS part
            FROM (SELECT id, pool, event, facts FROM order_events WHERE event IN ('OrderRouted', 'PartRerouted') LIMIT 1 BY id)
        )
        WHERE tupleElement(part, 1) NOT IN (
            SELECT fulfilment_id FROM order_events WHERE event = 'PartRerouted' OR (event = 'AllocationSettled' AND to_state = 'freed')
        )
    )
)
GROUP BY pool, warehouse, sku
ORDER BY pool, sku, warehouse
