-- What the receivers near each warehouse ordered in the last 14 days of the data: units by SKU, and on how many of those
-- days. Near is the candidate with the least distance, whichever one shipped it: events have no addresses.
CREATE OR REPLACE VIEW demand_near AS
SELECT pool, near AS warehouse, tupleElement(unit, 1) AS sku, sum(tupleElement(unit, 2)) AS units, uniqExact(day) AS days
FROM
(
    SELECT
        pool,
        day,
        tupleElement(arraySort(one -> tupleElement(one, 2), scores)[1], 1) AS near,
        arrayJoin(arrayFlatten(arrayMap(one -> tupleElement(one, 1), parts))) AS unit
    FROM
    (
        SELECT
            id,
            toString(pool) AS pool,
            toDate(at) AS day,
            JSONExtract(facts, 'scores', 'Array(Tuple(warehouse String, distance_km Float64))') AS scores,
            JSONExtract(facts, 'parts', 'Array(Tuple(units Array(Tuple(String, Int64))))') AS parts
        FROM order_events
        WHERE event = 'OrderRouted'
            AND at > (SELECT max(at) FROM order_events WHERE event = 'OrderRouted') - INTERVAL 14 DAY
        LIMIT 1 BY id
    )
)
GROUP BY pool, warehouse, sku
ORDER BY pool, sku, warehouse
