"""The condition tree of a review rule, compiled to closures when a book is loaded; nothing of it is code.

    {"field": F, "op": O, "value": V}       one comparison (`fields`, `operators`)
    {"all": [C, …]}, {"any": [C, …]}        all of them, or at least one
    {"not": C}
    {"any_line": C}, {"every_line": C}      some line is so, or each (and there is one); C asks for a line's fields
    {"sum": F, "where": C, "op": O, "value": V}
                                            a line's field, summed over the lines that are so; without `where` all

A tree is checked as a whole, also where a rule is switched off; an error names the path to what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.domain.currencies import minor_digits
from pipeline.domain.rules.book import RuleError
from pipeline.domain.rules.fields import FIELDS, LINE_FIELDS, SUMMED, Field, Kind
from pipeline.domain.rules.operators import EXISTS, compile_test

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.domain.rules.operators import Money

DEPTH_MAX = 8
NODES_MAX = 100
"""Conditions in one rule, so that what a rule costs has a bound."""
KNOWN = ("field", "all", "any", "not", "any_line", "every_line", "sum")
LINE_COST = 100
"""A test that goes over lines comes after all others."""


class Condition(NamedTuple):
    """A compiled condition.

    `test(facts)` says whether an order is so; `tell(facts)` says why one is, in words, without personal data. `cost`
    is only compared: of several tests the cheap ones come first.
    """

    test: Callable[[Any], bool]
    tell: Callable[[Any], str]
    cost: int
    has_money: bool = False


class _Reader:
    """Reads one rule's tree; counts its conditions."""

    def __init__(self, money: Money) -> None:
        self.money = money
        self.fields: Mapping[str, Field] = FIELDS
        self.nodes = 0

    def read(self, tree: object, path: str, depth: int) -> Condition:
        """Read a condition. Raises RuleError."""
        if not isinstance(tree, dict):
            raise _wrong(path, f"a condition is an object (it is {tree!r:.100})")
        self.nodes += 1
        if depth > DEPTH_MAX or self.nodes > NODES_MAX:
            raise _wrong(path, f"conditions may be {DEPTH_MAX} deep, and {NODES_MAX} in one rule")
        kinds = [name for name in KNOWN if name in tree]
        if len(kinds) != 1:
            raise _wrong(
                path, f"a condition has one of {', '.join(KNOWN)} (it has {', '.join(map(str, tree)) or 'none'})"
            )
        kind = kinds[0]
        allowed = {"field": {"op", "value"}, "sum": {"op", "value", "where"}}.get(kind, set()) | {kind}
        if unknown := [name for name in tree if name not in allowed]:
            raise _wrong(path, f"does not go with {kind}: {', '.join(map(str, unknown))}")
        if kind == "field":
            return self._leaf(tree, path)
        if kind == "sum":
            return self._sum(tree, path, depth)
        return self._nested(kind, tree[kind], f"{path}.{kind}", depth)

    def _nested(self, kind: str, tree: object, path: str, depth: int) -> Condition:
        if kind in {"all", "any"}:
            if not isinstance(tree, list | tuple) or not tree:
                raise _wrong(path, "a list of at least one condition is wanted")
            parts = [self.read(part, f"{path}[{place}]", depth + 1) for place, part in enumerate(tree)]
            return _all(parts) if kind == "all" else _any(parts)
        if kind == "not":
            part = self.read(tree, path, depth + 1)
            return Condition(
                lambda facts: not part.test(facts), lambda _: "not so: see the rule", part.cost, part.has_money
            )
        return _of_lines(kind, self._line(tree, path, depth))

    def _line(self, tree: object, path: str, depth: int) -> Condition:
        """Read a condition about one line."""
        if self.fields is LINE_FIELDS:
            raise _wrong(path, "lines within lines")
        self.fields = LINE_FIELDS
        try:
            return self.read(tree, path, depth + 1)
        finally:
            self.fields = FIELDS

    def _leaf(self, tree: Mapping[str, Any], path: str) -> Condition:
        name = tree["field"]
        field = self.fields.get(name) if isinstance(name, str) else None
        if field is None:
            what = "an order" if self.fields is FIELDS else "a line"
            raise _wrong(path + ".field", f"{name!r} is no field of {what}; there are {', '.join(self.fields)}")
        return self._compared(name, field, tree, path)

    def _sum(self, tree: Mapping[str, Any], path: str, depth: int) -> Condition:
        name = tree["sum"]
        if self.fields is LINE_FIELDS:
            raise _wrong(path, "lines within lines")
        if name not in SUMMED:
            raise _wrong(path + ".sum", f"one of {', '.join(SUMMED)} is summed (it is {name!r})")
        read = LINE_FIELDS[name].read
        where = self._line(tree["where"], f"{path}.where", depth) if "where" in tree else None

        def total(facts: Any) -> int:  # noqa: ANN401  an order's facts
            return sum([read(line) for line in facts.lines if where is None or where.test(line)])

        field = Field(LINE_FIELDS[name].kind, total)
        found = self._compared(f"sum of {name}", field, tree, path)
        return found._replace(cost=LINE_COST, has_money=found.has_money or (where is not None and where.has_money))

    def _compared(self, name: str, field: Field, tree: Mapping[str, Any], path: str) -> Condition:
        op = tree.get("op")
        if not isinstance(op, str) or (op != EXISTS and "value" not in tree):
            raise _wrong(path, "op and value are wanted beside the field")
        try:
            test = compile_test(field, op, tree.get("value", True), self.money)
        except RuleError as error:
            message = f"{path}.{error}"
            raise RuleError(message) from error
        tell = _teller(name, field, op, tree.get("value", True))
        return Condition(test, tell, int(field.kind is Kind.TEXT), field.kind is Kind.MONEY and op != EXISTS)


def compile_condition(tree: object, path: str, money: Money) -> Condition:
    """Compile a rule's tree. Raises RuleError, whose message begins with the path to what is wrong."""
    return _Reader(money).read(tree, path, 1)


def _all(parts: Sequence[Condition]) -> Condition:
    tests = tuple(part.test for part in sorted(parts, key=_cost))
    tells = tuple(part.tell for part in parts)

    def test(facts: Any) -> bool:  # noqa: ANN401  an order's facts or a line's
        for one in tests:  # noqa: SIM110  a generator would cost more than the tests
            if not one(facts):
                return False
        return True

    return _combined(test, lambda facts: ", ".join(tell(facts) for tell in tells), parts)


def _any(parts: Sequence[Condition]) -> Condition:
    ordered = tuple(sorted(parts, key=_cost))
    tests = tuple(part.test for part in ordered)

    def test(facts: Any) -> bool:  # noqa: ANN401  an order's facts or a line's
        for one in tests:  # noqa: SIM110  a generator would cost more than the tests
            if one(facts):
                return True
        return False

    return _combined(test, lambda facts: next(part.tell(facts) for part in parts if part.test(facts)), parts)


def _combined(test: Callable[[Any], bool], tell: Callable[[Any], str], parts: Sequence[Condition]) -> Condition:
    return Condition(test, tell, max(map(_cost, parts)), any(part.has_money for part in parts))


def _of_lines(kind: str, part: Condition) -> Condition:
    is_so = part.test
    if kind == "any_line":

        def tell(facts: Any) -> str:  # noqa: ANN401  an order's facts
            return "a line: " + next(part.tell(line) for line in facts.lines if is_so(line))

        return Condition(lambda facts: any(map(is_so, facts.lines)), tell, LINE_COST, part.has_money)

    def test(facts: Any) -> bool:  # noqa: ANN401  an order's facts
        return bool(facts.lines) and all(map(is_so, facts.lines))

    return Condition(test, lambda facts: "every line: " + part.tell(facts.lines[0]), LINE_COST, part.has_money)


def _cost(condition: Condition) -> int:
    return condition.cost


def _teller(name: str, field: Field, op: str, value: object) -> Callable[[Any], str]:
    """Give what says in words that a comparison is so; of a personal field neither its value nor the rule's."""
    if field.personal:
        return lambda _: f"{name} {op}"
    read, wanted = field.read, _shown(value)
    if field.kind is Kind.MONEY:
        return lambda facts: f"{name} {_major(read(facts), facts.currency)} {op} {wanted}"
    return lambda facts: f"{name} {_shown(read(facts))} {op} {wanted}"


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return "one of " + ", ".join(map(_shown, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _major(minor: int, currency: str) -> str:
    digits = minor_digits(currency)
    whole, rest = divmod(minor, 10**digits)
    return f"{whole}.{rest:0{digits}} {currency}" if digits else f"{whole} {currency}"


def _wrong(path: str, message: str) -> RuleError:
    return RuleError(f"{path}: {message}")
