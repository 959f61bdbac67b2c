"""Where the events go beside the log: rows in ClickHouse for analysts, one place an order in Redis for look-ups.

Both can be thrown away and made again from order.events; neither is ever asked before a decision.
"""
