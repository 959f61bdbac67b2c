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

# Reviews and changes: why something changed nothing, or why an order ends.
NO_SUCH_HOLD = "NO_SUCH_HOLD"
CLAIMED_BY_OTHER = "CLAIMED_BY_OTHER"
NOT_CLAIMED = "NOT_CLAIMED"
"""A decision needs a claim of the same reviewer that has not expired."""
NEEDS_UNITS = "NEEDS_UNITS"
"""An order that ships nothing cannot go on: it is rejected, or shows itself with units."""
REVIEW_REJECTED = "REVIEW_REJECTED"
UNPAID_TOO_LONG = "UNPAID_TOO_LONG"
UNITS_ARE_HELD = "UNITS_ARE_HELD"
"""More units than are held for an unpaid order cannot be asked for."""
NOT_OF_THE_ORDER = "NOT_OF_THE_ORDER"
TOO_MANY_ASKED = "TOO_MANY_ASKED"

# Refunds: why an order ends with one, or why one changed nothing.
REFUNDED = "REFUNDED"
UNKNOWN_ORDER = "UNKNOWN_ORDER"
UNKNOWN_REFUND = "UNKNOWN_REFUND"
NOT_PAID = "NOT_PAID"
MORE_THAN_PAID = "MORE_THAN_PAID"
APPROVED_BY_SAME = "APPROVED_BY_SAME"
"""The second approver must be another person."""

# Holds.
SHORTAGE = "SHORTAGE"
WOULD_TAKE_HELD_UNITS = "WOULD_TAKE_HELD_UNITS"
SHIPPED_UNHELD = "SHIPPED_UNHELD"
"""A parcel left although its carrier had voided it, and no hold had its units any more."""
NOT_ROUTABLE = "NOT_ROUTABLE"
STOCK_PROTECTION = "STOCK_PROTECTION"
"""What is available is below the SKU's safety level."""
FLASH_CLOSED = "FLASH_CLOSED"
"""No flash sale of the SKU is open at that time."""
ALREADY_ROUTED = "ALREADY_ROUTED"
NOT_OUTSTANDING = "NOT_OUTSTANDING"
NOTHING_WOULD_BE_LEFT = "NOTHING_WOULD_BE_LEFT"
"""A partial cancellation of all that an order holds is a cancellation."""
TOO_MANY_TRIMS = "TOO_MANY_TRIMS"

# Routing: why a part is sent again, or not.
WAREHOUSE_CLOSED = "WAREHOUSE_CLOSED"
ADDRESS_CHANGED = "ADDRESS_CHANGED"
TOO_LATE = "TOO_LATE"
"""It has left, or the carrier does not give it back."""
CANCELLED = "CANCELLED"

# Scans: what is wrong with one.
NOT_IN_PART = "NOT_IN_PART"
TOO_MANY = "TOO_MANY"
INCOMPLETE = "INCOMPLETE"
NOT_TO_SHIP = "NOT_TO_SHIP"
"""The part is being stopped, or was never to be shipped from here."""

# Stock feeds.
UNKNOWN_WAREHOUSE = "UNKNOWN_WAREHOUSE"
TOO_MANY_WAREHOUSES = "TOO_MANY_WAREHOUSES"
NOT_POSITIVE = "NOT_POSITIVE"
UNKNOWN_INBOUND = "UNKNOWN_INBOUND"
KNOWN_INBOUND = "KNOWN_INBOUND"
NOT_FREE = "NOT_FREE"
"""More units than are free in the sub-pool."""
NO_TRANSFER = "NO_TRANSFER"
"""Between these sub-pools nothing is transferred by hand."""
TOO_MANY_FOR_ONE_BUYER = "TOO_MANY_FOR_ONE_BUYER"
"""More of a flash sale than one buyer is given."""
FLASH_OPEN = "FLASH_OPEN"
"""A flash sale of the SKU is open already."""
FLASH_OVER = "FLASH_OVER"
"""A flash sale that would close before it opens, or before now."""
NESTED_BUNDLE = "NESTED_BUNDLE"
"""A bundle is made of SKUs, not of bundles."""
INVALID_PLAN = "INVALID_PLAN"
"""A routing plan that names a warehouse twice, or has its waves out of order."""

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
