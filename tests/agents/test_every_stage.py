"""The same four sentences for every deciding stage in the map."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import STAGE_NAMES, stages
from agents.carrier_calls import CARRIER_CALLS
from pipeline.domain import commands as domain_commands
from pipeline.domain import order_commands
from pipeline.domain.commands import Command, RecordAnswer, Tick
from pipeline.domain.events import Event
from pipeline.domain.notes import Note
from pipeline.domain.routing_commands import StockShelf
from pipeline.domain.shipping_events import WaybillUnknown
from pipeline.engine.stage import DecidingStage, Record
from pipeline.settings import Settings
from pipeline.topics import ORDER_EVENTS, TOPICS
from tests.domain.folding import Folded, fresh_state, requests, tables, through_json
from tests.domain.histories import COMMANDS
from tests.domain.invariants import check_invariants

STAGES = stages(Settings())
DECIDING = [stage for stage in STAGES if isinstance(stage, DecidingStage)]
HISTORY_MAX = 40

every_stage = pytest.mark.parametrize("stage", DECIDING, ids=[stage.name for stage in DECIDING])
draws = given(st.data())


def history(stage: DecidingStage, data: st.DataObject) -> list[Any]:
    return data.draw(st.lists(COMMANDS[stage.name], max_size=HISTORY_MAX), label="history")


@every_stage
@draws
@settings(max_examples=100, deadline=None)
def test_a_repeat_gets_its_first_answer(stage: DecidingStage, data: st.DataObject) -> None:
    folded = Folded(stage)
    for command in history(stage, data):
        first = folded.tell(command)
        before = folded.tables()
        again = folded.tell(command)
        assert again or isinstance(command, Tick), "no command but a tick goes without an answer"
        if isinstance(command, Tick):
            continue  # what was due and is answered is due no more; the rest of it is the next Tick's
        if isinstance(command, StockShelf):
            continue  # no request of its own: reservation, which sends it, counts each feed once
        if any(isinstance(answer, WaybillUnknown) for answer in first):
            continue  # the end of a call of its own, which is followed by another as long as nobody knows
        assert again == first or (not requests(again) and folded.tables() == before)


@every_stage
@draws
@settings(max_examples=100, deadline=None)
def test_state_is_the_fold_of_its_facts(stage: DecidingStage, data: st.DataObject) -> None:
    folded = Folded(stage)
    for command in history(stage, data):
        folded.tell(command)
    state = fresh_state(stage)
    for fact in folded.facts:
        stage.evolve(state, through_json(fact))
    assert tables(stage, state) == folded.tables()


@every_stage
@draws
@settings(max_examples=200, deadline=None)
def test_no_history_breaks_an_invariant(stage: DecidingStage, data: st.DataObject) -> None:
    folded = Folded(stage)
    for command in history(stage, data):
        folded.tell(command)
        check_invariants(folded)


@every_stage
def test_every_event_and_command_it_can_emit_has_a_topic(stage: DecidingStage) -> None:
    answers = answer_types(stage)
    commands = {answer for answer in answers if issubclass(answer, Command)}
    assert commands == set(stage.writes)
    assert {answer for answer in answers if not issubclass(answer, Command | Event | Note)} == set()
    assert all(topic in TOPICS for topic in (*stage.writes.values(), ORDER_EVENTS))
    for command, topic in stage.writes.items():
        assert {"stock pool": "pool", "fulfilment order": "fulfilment_id"}[topic.key] in command.__struct_fields__


@every_stage
@draws
@settings(max_examples=50, deadline=None)
def test_it_never_answers_outside_what_it_declares(stage: DecidingStage, data: st.DataObject) -> None:
    declared = answer_types(stage)
    folded = Folded(stage)
    for command in history(stage, data):
        assert {type(answer) for answer in folded.tell(command)} <= declared


@every_stage
@draws
@settings(max_examples=50, deadline=None)
def test_what_it_writes_the_reader_of_the_topic_can_read(stage: DecidingStage, data: st.DataObject) -> None:
    folded = Folded(stage)
    readers = {other.reads: other for other in STAGES}
    for command in history(stage, data):
        for request in requests(folded.tell(command)):
            reader = readers.get(stage.writes[type(request)])
            if reader is not None:
                record = Record(reader.reads.name, 0, 0, 0, b"", msgspec.json.encode(request), ())
                assert list(reader.decode(record)) == [request]


@every_stage
@draws
@settings(max_examples=50, deadline=None)
def test_its_tables_hold_what_they_say(stage: DecidingStage, data: st.DataObject) -> None:
    folded = Folded(stage)
    for command in history(stage, data):
        folded.tell(command)
    for table in stage.tables:
        for value in folded.tables()[table.name].values():
            assert type(value) is table.value
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=table.value) == value


def test_the_map_is_in_flow_order_and_each_stage_has_a_topic_and_tables_of_its_own() -> None:
    assert tuple(stage.name for stage in STAGES) == STAGE_NAMES
    assert len({stage.reads for stage in STAGES}) == len(STAGES)
    names = [table.name for stage in DECIDING for table in stage.tables]
    assert len(set(names)) == len(names)


def test_carrier_calls_are_answered_to_the_stage_that_asked_for_them() -> None:
    waybill = next(stage for stage in DECIDING if stage.name == "waybill")
    assert CARRIER_CALLS.writes[RecordAnswer] == waybill.reads
    assert CARRIER_CALLS.reads in waybill.writes.values()


def answer_types(stage: DecidingStage) -> set[type]:
    """Give the classes of which a stage's answers are made, as its rules declare them."""
    return flatten(get_type_hints(stage.decide, localns=vars(domain_commands) | vars(order_commands))["return"])


def flatten(hint: Any) -> set[type]:  # noqa: ANN401  a type, a union, a tuple of them
    """Give the classes that a hint is made of."""
    if isinstance(hint, type) and not get_args(hint):
        return {hint}
    return set().union(*(flatten(part) for part in get_args(hint) if part is not Ellipsis))
