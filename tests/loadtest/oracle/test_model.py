"""The oracle's model and the stages agree on every history: two programs, written from the same promises."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.oracle.emitted import fact
from loadtest.oracle.model.answers import Answers
from loadtest.oracle.model.folding import MODELS, StageModel, _rerouted, _routed, name_asked
from pipeline.domain.commands import Tick
from pipeline.domain.orders import order_of
from pipeline.domain.routing_commands import AdoptPlan, CloseWarehouse, ExpediteRoute, OpenWarehouse, ReportStop
from pipeline.engine.outputs import event_json
from tests.domain.folding import Folded, events, requests
from tests.domain.histories import COMMANDS, redirects, routed_orders, routing_commands, stocked
from tests.domain.invariants import check_invariants
from tests.domain.networks import WAREHOUSES, planned_networks
from tests.domain.orders import NOON, POOL
from tests.domain.stages import folded

MODELLED = ("reservation", "routing", "waybill", "tracking")
HISTORY_MAX = 40
by_name = {model.name: model for model in MODELS}


@pytest.mark.parametrize("name", MODELLED)
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_model_and_the_stage_agree(name: str, data: st.DataObject) -> None:
    stage, model = folded(name), by_name[name]
    tables: dict[str, dict[str, Any]] = {table: {} for table in model.tables}
    for command in data.draw(st.lists(COMMANDS[name], max_size=HISTORY_MAX), label="history"):
        agree(stage, model, tables, command)


@given(planned_networks(POOL, NOON), st.lists(routing_commands, min_size=12, max_size=HISTORY_MAX))
@settings(max_examples=60, deadline=None)
def test_they_agree_on_every_choice_of_a_plan(network: list[Any], history: list[Any]) -> None:
    stage, model = folded("routing"), by_name["routing"]
    tables: dict[str, dict[str, Any]] = {table: {} for table in model.tables}
    for command in (*network, *history):
        agree(stage, model, tables, command)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_they_agree_on_parts_that_are_sent_again(data: st.DataObject) -> None:
    stage, model = folded("routing"), by_name["routing"]
    tables: dict[str, dict[str, Any]] = {table: {} for table in model.tables}
    orders = data.draw(st.lists(routed_orders, min_size=1, max_size=3, unique_by=lambda order: order.order_id))
    has_plan = data.draw(st.booleans())
    network = [one for one in data.draw(planned_networks(POOL, NOON)) if has_plan or not isinstance(one, AdoptPlan)]
    for command in (*network, *orders):
        agree(stage, model, tables, command)
    for number in range(4):
        name = data.draw(st.sampled_from(WAREHOUSES))
        agree(stage, model, tables, CloseWarehouse(at=NOON, pool=POOL, warehouse=name, reason="flood"))
        agree(stage, model, tables, data.draw(redirects | stocked))
        agree(stage, model, tables, Tick(at=NOON + number))
        for part in sorted(stage.state.moves):
            known = {"pool": POOL, "order_id": order_of(part), "fulfilment_id": part}
            priority = data.draw(st.integers(0, 3))
            agree(stage, model, tables, ExpediteRoute(at=NOON, pool=POOL, order_id=order_of(part), priority=priority))
            agree(stage, model, tables, ReportStop(at=NOON, stopped=data.draw(st.integers(0, 3)) > 0, **known))
        agree(stage, model, tables, OpenWarehouse(at=NOON, pool=POOL, warehouse=name, latitude=30, longitude=120))
        check_invariants(stage)
    for order in orders:
        route = stage.state.routes[order.order_id]
        sent: Counter[str] = Counter()
        for part in route.outstanding:
            sent.update({unit.sku: unit.units for unit in part.units})
        assert sent == {unit.sku: unit.units for unit in order.units} or not route.parts
        assert len({part.fulfilment_id for part in route.outstanding}) == route.parts
        assert sum(part.paid_minor for part in route.outstanding) == order.paid_minor or not route.parts


def agree(stage: Folded, model: StageModel, tables: dict[str, dict[str, Any]], command: Any) -> None:  # noqa: ANN401
    """Let both answer a command, and compare what they say and what they remember."""
    told = stage.tell(command)
    facts = [fact(orjson.loads(event_json("stage", "c-0-0", 0, event)), 0, 0, 0) for event in events(told)]
    answers = Answers(_routed(facts), _rerouted(facts))
    model.fold(tables, orjson.loads(msgspec.json.encode(command)), answers)
    assert answers.objections == []
    assert [(one.event, one.order_id, one.to) for one in facts] == answers.told
    asked = [orjson.loads(msgspec.json.encode(request)) for request in requests(told)]
    assert sorted(name_asked(one["command"], one) for one in asked) == sorted(answers.asked)
    held = orjson.loads(msgspec.json.encode(stage.tables()))
    assert held == orjson.loads(orjson.dumps(tables))
