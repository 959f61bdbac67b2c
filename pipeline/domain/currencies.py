"""Currencies: how many decimal places their minor unit has."""

from __future__ import annotations

MINOR_DIGITS_DEFAULT = 2
MINOR_DIGITS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
"""Decimal places of the currencies that do not have two (ISO 4217, list one)."""


def minor_digits(currency: str) -> int:
    """Give the decimal places of a currency's minor unit."""
    return MINOR_DIGITS.get(currency, MINOR_DIGITS_DEFAULT)
