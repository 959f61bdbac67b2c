from __future__ import annotations

from pipeline.desk.positions import Move, suggest

NEAR_EAST, NEAR_WEST = ("P", "X", "east"), ("P", "X", "west")


def test_what_sells_near_a_warehouse_that_has_too_little_is_moved_there_from_one_that_has_more_than_it_needs() -> None:
    moves = list(suggest({NEAR_EAST: 140, NEAR_WEST: 14}, {NEAR_EAST: 10, NEAR_WEST: 100}, cover_days=7))
    assert moves == [Move("P", "X", "west", "east", 60, needs_units=70, has_units=10)]


def test_nobody_gives_what_it_needs_itself() -> None:
    assert list(suggest({NEAR_EAST: 140, NEAR_WEST: 140}, {NEAR_EAST: 10, NEAR_WEST: 70}, cover_days=7)) == []
    (move,) = suggest({NEAR_EAST: 140, NEAR_WEST: 140}, {NEAR_EAST: 10, NEAR_WEST: 75}, cover_days=7)
    assert move.units == 5


def test_several_give_the_one_with_the_most_first() -> None:
    free = {("P", "X", name): units for name, units in (("a", 0), ("b", 5), ("c", 9))}
    moves = [(move.from_warehouse, move.units) for move in suggest({("P", "X", "a"): 24}, free, cover_days=7)]
    assert moves == [("c", 9), ("b", 3)]


def test_a_shelf_below_nothing_has_nothing_and_pools_and_skus_are_apart() -> None:
    free = {NEAR_EAST: -4, ("Q", "X", "west"): 99, ("P", "Y", "west"): 99}
    assert list(suggest({NEAR_EAST: 14}, free, cover_days=7)) == []
