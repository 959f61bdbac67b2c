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
TOO_OLD = "TOO_OLD"
"""Older than what dedup remembers: absence proves nothing."""
UNKNOWN_SKU = "UNKNOWN_SKU"

# Holds.
SHORTAGE = "SHORTAGE"
WOULD_TAKE_HELD_UNITS = "WOULD_TAKE_HELD_UNITS"
NOT_ROUTABLE = "NOT_ROUTABLE"

# Stock feeds.
UNKNOWN_WAREHOUSE = "UNKNOWN_WAREHOUSE"
TOO_MANY_WAREHOUSES = "TOO_MANY_WAREHOUSES"
NOT_POSITIVE = "NOT_POSITIVE"

# Waybills: why a carrier's answer or a request changed nothing, or why nobody tries any more.
REPEATED = "REPEATED"
NEVER_ASKED = "NEVER_ASKED"
SETTLED = "SETTLED"
TOO_MANY_TRIES = "TOO_MANY_TRIES"

# Tracking: why a report moved nothing.
OLDER = "OLDER"
NO_LEGAL_MOVE = "NO_LEGAL_MOVE"
UNKNOWN_CODE = "UNKNOWN_CODE"
MOVED_ALTHOUGH_STOPPED = "MOVED_ALTHOUGH_STOPPED"
"""A parcel whose waybill was voided, and whose units were released, shipped all the same: stock needs a correction."""
STOPPED_ALTHOUGH_MOVED = "STOPPED_ALTHOUGH_MOVED"
