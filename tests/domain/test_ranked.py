"""The queue by rank against a plain sort: the same order, whatever was put, moved and dropped before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.ranked import SLACK, Ranked

keys = st.sampled_from("abcdef")
changes = st.lists(st.tuples(keys, st.none() | st.tuples(st.integers(0, 3), st.integers(0, 3))), max_size=80)


@given(changes)
def test_it_walks_in_the_order_of_rank_and_then_of_key(history: list[tuple[str, tuple[int, int] | None]]) -> None:
    queue, model = Ranked(), dict[str, tuple[int, int]]()
    for key, rank in history:
        if rank is None:
            queue.drop(key)
            model.pop(key, None)
        else:
            queue.put(key, rank)
            model[key] = rank
        assert list(queue.walk()) == sorted((rank, key) for key, rank in model.items())
        assert len(queue) == len(model)


def test_what_was_dropped_is_forgotten_behind_a_first_one_that_stays() -> None:
    queue = Ranked()
    queue.put("first", (0,))
    for number in range(1000):
        queue.put(str(number), (1,))
        queue.drop(str(number))
    assert len(queue._heap) <= 2 + SLACK  # noqa: SLF001  its size is what the test is about
