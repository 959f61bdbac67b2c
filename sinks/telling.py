"""One event as words: what it says beside its states. Any event can be told; what is special about some is told better.

A field is told by its shape and name, not by its event's name, so a new event needs no line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeGuard

from pipeline.domain.currencies import minor_digits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Facts = Mapping[str, Any]
"""An event, or a part of one, as it is in JSON."""

HEAD = frozenset({"id", "stage", "cause", "event", "order_id", "at", "from", "to", "rule_version"})
"""What every event has."""
IDENTITY = frozenset({"channel", "shop_id", "platform_order_id", "pool", "currency"})
"""What is said of the order once, at the top."""
TIMES = frozenset(
    {
        "due_at",
        "overdue_at",
        "paid_at",
        "until",
        "next_at",
        "cancel_at",
        "expires_at",
        "deliver_by",
        "deadline",
        "opens_at",
        "closes_at",
    }
)
UNITS_SHOWN_MAX = 12


def time_text(at_ms: int) -> str:
    """Give a time of an event, UTC, to the millisecond."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def money_text(minor: int, currency: str) -> str:
    """Give an amount in major units."""
    digits = minor_digits(currency)
    sign, (whole, rest) = "-" if minor < 0 else "", divmod(abs(minor), 10**digits)
    return f"{sign}{whole}{f'.{rest:0{digits}}' if digits else ''} {currency}".rstrip()


def tell(facts: Facts, currency: str) -> list[str]:
    """Give the lines that tell an event: the first its plain fields, then one for each of what it lists."""
    plain: list[str] = []
    listed: list[str] = []
    for name, value in facts.items():
        if name in HEAD or name in IDENTITY or value in ("", None, [], {}):
            continue
        if name in LISTED:
            listed += LISTED[name](value, facts, currency)
        else:
            plain.append(f"{_label(name)} {plain_text(name, value, currency)}")
    return [", ".join(plain), *listed] if plain else listed


def plain_text(name: str, value: object, currency: str) -> str:
    """Give one field's value as words."""
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif name.endswith("_minor") and isinstance(value, int):
        text = money_text(value, currency)
    elif name in TIMES and isinstance(value, int):
        text = time_text(value)
    elif _is_units(value):
        text = units_text(value)
    elif isinstance(value, list):
        text = "; ".join(plain_text(name, one, currency) for one in value)
    elif isinstance(value, dict):
        text = " ".join(f"{_label(key)} {plain_text(key, one, currency)}" for key, one in value.items())
    else:
        text = str(value)
    return text


def units_text(units: Sequence[Sequence[Any]]) -> str:
    """Give units by SKU; of many only the first."""
    shown = ", ".join(f"{count} x {sku}" for sku, count in units[:UNITS_SHOWN_MAX])
    rest = len(units) - UNITS_SHOWN_MAX
    return f"{shown} and {rest} more SKUs" if rest > 0 else shown


def _is_units(value: object) -> TypeGuard[list[list[Any]]]:
    return isinstance(value, list) and all(
        isinstance(one, list) and len(one) == 2 and isinstance(one[0], str) and isinstance(one[1], int)  # noqa: PLR2004
        for one in value
    )


def _parts(parts: object, _facts: Facts, currency: str) -> Iterator[str]:
    """Tell what each warehouse ships; elsewhere `parts` is only how many there are."""
    for part in parts if isinstance(parts, list) else ():
        words = [f"{part['fulfilment_id'].rpartition('-')[2]}: {part['warehouse']} ships {units_text(part['units'])}"]
        words += [
            f"{_label(name)} {plain_text(name, value, currency)}"
            for name, value in part.items()
            if name not in {"fulfilment_id", "warehouse", "units"}
        ]
        yield "part " + ", ".join(words)


def _scores(scores: Sequence[Facts], facts: Facts, currency: str) -> Iterator[str]:
    """Tell how the candidates compared, and which were chosen."""
    parts = facts.get("new_parts", facts.get("parts"))
    chosen = {part["warehouse"] for part in parts} if isinstance(parts, list) else set()
    for score in scores:
        mark = "chosen   " if score["warehouse"] in chosen else "candidate"
        rest = ", ".join(
            f"{_label(name)} {_number(value) if name == 'distance_km' else plain_text(name, value, currency)}"
            for name, value in score.items()
            if name != "warehouse"
        )
        yield f"{mark} {score['warehouse']}: {rest}"


def _changes(changes: Sequence[Sequence[str]], _facts: Facts, _currency: str) -> Iterator[str]:
    """Tell what changed; of personal fields only that they did."""
    for field, before, after in changes:
        yield f"{field}: {before} -> {after}" if before or after else f"{field}: changed (not told)"


def _number(value: float) -> str:
    return f"{value:.1f}"


def _label(name: str) -> str:
    return name.removesuffix("_minor").replace("_", " ")


LISTED: Mapping[str, Callable[[Any, Facts, str], Iterator[str]]] = {
    "parts": _parts,
    "new_parts": _parts,
    "scores": _scores,
    "changes": _changes,
}
