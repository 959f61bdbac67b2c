"""How many of a load's orders are special, and in which way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from loadtest.options import share
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    import argparse


class Mix(NamedTuple):
    """Shares of all orders, of 1; an order is special in one way at most, the rest is ordinary."""

    presale: float = 0.02
    flash: float = 0.03
    safety: float = 0.01
    backorder: float = 0.01
    gated: float = 0.02
    late_payment: float = 0.02
    abandoned: float = 0.01
    address: float = 0.02
    expedite: float = 0.01
    refund: float = 0.01
    partial: float = 0.01
    risky: float = 0.01
    vip: float = 0.01


KINDS = {
    "presale": "want goods that are in transit, and 9 of 10 of them are promised",
    "flash": "want a flash sale's goods, of which there are too few in half of the pools",
    "safety": "want goods half of which are set aside for safety until two thirds of the time",
    "backorder": "may be split, and wait for goods that come after two thirds of the time",
    "gated": "want goods whose safety level freezes orders until more of them come",
    "late_payment": "are paid when their hold has expired, or they are cancelled",
    "abandoned": "are never paid",
    "address": "go to another province after they were paid",
    "expedite": "are to go before others",
    "refund": "ask for a part of their money",
    "partial": "drop one of their lines before they are paid",
    "risky": "are paid by credit card and dear: a rule holds them for review",
    "vip": "are fragile, of a VIP: a rule asks for services",
}
"""What the orders of each share do."""
NONE = Mix(*(0.0 for _ in Mix._fields))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each share."""
    group = parser.add_argument_group("shares of orders that are special (not with --csv)")
    for kind, words in KINDS.items():
        option = f"--{kind.replace('_', '-')}-orders-share"
        default = Mix._field_defaults[kind]
        group.add_argument(option, type=share, default=default, help=f"{words} (%(default)g)")


def mix_of(options: argparse.Namespace) -> Mix:
    """Give the mix that the options name. Raises SettingsError for shares of more than all orders."""
    mix = Mix(*(getattr(options, f"{kind}_orders_share") for kind in Mix._fields))
    if sum(mix) > 1:
        message = f"the shares of special orders are {sum(mix):g} together, of 1"
        raise SettingsError(message)
    return mix
