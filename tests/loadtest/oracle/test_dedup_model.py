"""The oracle's model of dedup against dedup: two that share no code must answer alike, and hold the same tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.oracle.emitted import fact
from loadtest.oracle.model import dedup as model
from loadtest.oracle.model.answers import Answers
from loadtest.oracle.model.folding import _twins, name_asked
from pipeline.domain.rules.active import SetRules
from pipeline.engine.outputs import event_json
from tests.domain.folding import events, requests
from tests.domain.order_histories import BOOKS, decisions, looks, order_commands, order_news
from tests.domain.orders import NOON, POOL, order_id, submit
from tests.domain.stages import folded

if TYPE_CHECKING:
    from pipeline.domain.events import Event


def wire(value: object) -> Any:  # noqa: ANN401  what a changelog or a topic holds
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value))


def told(event: Event) -> tuple[str, str, str]:
    return type(event).__name__, event.order_id, event.to_state


@given(st.lists(order_commands, max_size=25))
@settings(max_examples=150, deadline=None)
def test_the_model_answers_as_dedup_does_and_holds_the_same_tables(history: list[Any]) -> None:
    agree(history)


@st.composite
def looked_at_again(draw: st.DrawFn) -> list[Any]:
    """Hold orders by a book, change it, and look again at what it held; more than once."""
    history: list[Any] = []
    for version, book in enumerate(draw(st.lists(st.sampled_from(BOOKS), min_size=2, max_size=4)), 1):
        history.append(SetRules(at=NOON, version=version, book=book, author="ann", approver="carl"))
        history += draw(st.lists(order_news, min_size=1, max_size=5))
        history += draw(st.lists(looks | decisions, min_size=1, max_size=4))
    return history


@given(looked_at_again())
@settings(max_examples=100, deadline=None)
def test_they_agree_on_what_is_looked_at_again_under_another_book(history: list[Any]) -> None:
    agree(history)


def test_a_twin_that_was_forgotten_is_found_by_neither_and_one_that_is_known_by_both() -> None:
    stage = folded("dedup")
    tables: dict[str, dict[str, Any]] = {name: {} for name in model.TABLES}
    for name in "AB":
        command, answers = submit(name, receiver_key="r"), Answers(None)
        answers.forgotten_ms = command.at
        model.fold(tables, wire(command), answers)
        stage.state.receivers.pop(f"{POOL}|r", None)
        assert answers.told == [told(event) for event in events(stage.tell(command))]
    command, answers = submit("C", receiver_key="r"), Answers(None)
    found = events(stage.tell(command))
    read = [fact(orjson.loads(event_json("stage", "c-0-0", 0, event)), 0, 0, 0) for event in found]
    answers.forgotten_ms, answers.twins = command.at, _twins(read)
    assert answers.twins == {order_id("B")}
    model.fold(tables, wire(command), answers)
    assert answers.told == [told(event) for event in found]
    assert "OrderHeldForReview" in {name for name, _, _ in answers.told}


def agree(history: list[Any]) -> None:
    """Let both answer a history, and compare what they say, ask and remember after each command."""
    stage = folded("dedup")
    tables: dict[str, dict[str, Any]] = {name: {} for name in model.TABLES}
    for command in history:
        answer = stage.tell(command)
        answers = Answers(None)
        model.fold(tables, wire(command), answers)
        assert answers.told == [told(event) for event in events(answer)]
        asked = [wire(request) for request in requests(answer)]
        assert sorted(answers.asked) == sorted(name_asked(one["command"], one) for one in asked)
        for name, entries in stage.tables().items():
            assert {key: wire(value) for key, value in entries.items()} == wire(tables[name]), name
