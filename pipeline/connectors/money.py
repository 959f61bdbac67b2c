"""Money as platforms write it, `"15.00"`, in whole minor units. Never by way of a float."""

from __future__ import annotations

import re

from pipeline.domain import reasons
from pipeline.domain.currencies import minor_digits
from pipeline.domain.orders import MONEY_MINOR_MAX
from pipeline.errors import PoisonError

_AMOUNT = re.compile(r"(-?)([0-9]{1,16})(?:\.([0-9]{1,16}))?")


def minor_units(text: str, currency: str, field: str) -> int:
    """Convert an amount. Raises PoisonError if it is no decimal number, too large, or finer than the minor unit."""
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise PoisonError(reasons.INVALID, f"not an amount: {text[:40]!r}", field)
    sign, whole, fraction = match.group(1), match.group(2), match.group(3) or ""
    digits = minor_digits(currency)
    if fraction[digits:].strip("0"):
        message = f"{text} is finer than the minor unit of {currency}, which has {digits} decimal places"
        raise PoisonError(reasons.INVALID, message, field)
    minor = int(whole + fraction[:digits].ljust(digits, "0"))
    if minor > MONEY_MINOR_MAX:
        raise PoisonError(reasons.INVALID, f"{text} is more than any order's money", field)
    return -minor if sign else minor
