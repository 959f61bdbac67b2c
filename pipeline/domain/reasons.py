"""The reasons that people read: why a record is a dead letter, why an order is in review, why a hold was refused."""

from __future__ import annotations

# Dead letters: the record itself.
EMPTY = "EMPTY"
MALFORMED = "MALFORMED"
INVALID = "INVALID"
OVERSIZED = "OVERSIZED"
BAD_SIGNATURE = "BAD_SIGNATURE"
UNKNOWN_PLATFORM = "UNKNOWN_PLATFORM"

# Review: the order.
MISSING_CUSTOMER = "MISSING_CUSTOMER"
SUSPECTED_DUPLICATE = "SUSPECTED_DUPLICATE"
"""疑似重复: the same receiver and SKU within an hour."""
NOTHING_TO_SHIP = "NOTHING_TO_SHIP"
UNKNOWN_SKU = "UNKNOWN_SKU"

# Holds.
SHORTAGE = "SHORTAGE"
WOULD_TAKE_HELD_UNITS = "WOULD_TAKE_HELD_UNITS"
NOT_ROUTABLE = "NOT_ROUTABLE"
