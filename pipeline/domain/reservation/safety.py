"""The safety level of a SKU, and whether it sells fast: from what was sold, by day."""

from __future__ import annotations

import msgspec

from pipeline.domain.reservation.values import DAY_MS, SOLD_DAYS, Safety

MARGIN_DAYS = 3
COVER_DAYS_MIN = 7
"""What is there for fewer days does not last."""
GROWTH_DAYS = 3
GROWTH_PERCENT = 20


def on_day(safety: Safety, at: int) -> Safety:
    """Turn the days forward to that of `at` (ms UTC); a day that is over stays as it is."""
    day = at // DAY_MS
    if day <= safety.day:
        return safety
    sold = ((0,) * min(day - safety.day, SOLD_DAYS + 1) + safety.sold)[: SOLD_DAYS + 1]
    return msgspec.structs.replace(safety, day=day, sold=sold)


def sell(safety: Safety, at: int, units: int) -> Safety:
    """Count units sold on the day of `at`; what is older than all days that are kept counts no more."""
    turned = on_day(safety, at)
    place = turned.day - at // DAY_MS
    if place > SOLD_DAYS:
        return turned
    sold = (*turned.sold[:place], turned.sold[place] + units, *turned.sold[place + 1 :])
    return msgspec.structs.replace(turned, sold=sold)


def level_units(safety: Safety, at: int) -> int:
    """Give the safety level: 7-day average daily sales x (lead days + 3), rounded up; the floor at least.

    The days are the whole ones before that of `at`. Source: the requirements' formula, whose own example has the
    average 42 and 5 lead days: 42 x (5 + 3) = 336.
    """
    week = sum(on_day(safety, at).sold[1:])
    level = -(-week * (safety.lead_days + MARGIN_DAYS) // SOLD_DAYS)
    return max(level, safety.floor_units)


def is_hot(safety: Safety, at: int, available_units: int) -> bool:
    """Say whether a SKU sells fast and will not last.

    Fast: more than 20 % more in the last 3 whole days than in the 3 before. Not lasting: at the average of 7 days,
    what is available covers fewer than 7 days. Source: the requirements.
    """
    days = on_day(safety, at).sold[1:]
    new, old = sum(days[:GROWTH_DAYS]), sum(days[GROWTH_DAYS : 2 * GROWTH_DAYS])
    grows = old > 0 and new * 100 > old * (100 + GROWTH_PERCENT)
    return grows and available_units * SOLD_DAYS < COVER_DAYS_MIN * sum(days)
