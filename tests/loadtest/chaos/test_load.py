"""The generator goes on with its latest records when the base load is out, until it is told to finish."""

from __future__ import annotations

import queue
from collections import Counter
from typing import TYPE_CHECKING, cast

import msgspec

from loadtest.chaos.load import Generator
from loadtest.chaos.load_plan import LoadPlan, Wish, make_load
from loadtest.chaos.load_words import Burst, Command, Finish, Shuffle
from loadtest.promotion.mix import KINDS
from loadtest.scenario import TimedRecord
from pipeline.topics import ORDER_COMMANDS, ORDERS_RAW, ROUTING_COMMANDS, STOCK_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtest.chaos.load_outlet import AckedOutlet

BEGIN_MS = 1_800_000_000_000


def records(*keys: str) -> list[TimedRecord]:
    return [TimedRecord(0.0, key.encode(), b"{}") for key in keys]


class Outlet:
    """Keeps what is sent; tells the generator to finish after so many records."""

    def __init__(self, commands: queue.SimpleQueue[Command], wanted: int) -> None:
        self.keys: list[str] = []
        self.failed = 0
        self._commands = commands
        self._wanted = wanted

    @property
    def sent(self) -> int:
        return len(self.keys)

    @property
    def acknowledged(self) -> int:
        return len(self.keys)

    def send(self, record: TimedRecord) -> None:
        self.keys.append(record.key.decode())
        if len(self.keys) == self._wanted:
            self._commands.put(Finish())

    def poll(self, seconds: float) -> None:
        """Nothing comes."""

    def write(self) -> None:
        """Nothing is written."""

    def flush(self, meanwhile: Callable[[], None]) -> None:
        meanwhile()


def sent(plan: LoadPlan, wanted: int, *given: Command) -> list[str]:
    """Give the keys of what is sent after the given commands, with the last of which it ends if `wanted` is 0."""
    commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
    outlet = Outlet(commands, wanted)
    for command in given:
        commands.put(command)
    assert Generator(plan, cast("AckedOutlet", outlet), commands).run() == 0
    return outlet.keys


def test_the_latest_records_come_again_while_there_is_nothing_else() -> None:
    assert sent(LoadPlan(records("a", "b"), [], []), 5) == ["a", "b", "a", "b", "a"]


def test_a_burst_past_the_last_one_is_the_first_one_again() -> None:
    plan = LoadPlan(records(), [records("x"), records("y")], [])
    bursts = [Burst(number=number, which=number) for number in range(3)]
    keys = sent(plan, 0, *bursts, Finish())
    assert keys[0] == "x"
    assert keys.count("y") >= 1
    assert keys[-1] == "x"


def test_a_shuffle_of_a_load_that_is_out_takes_the_latest_records() -> None:
    shuffles = [Shuffle(number=number, records=2, seed=number) for number in range(2)]
    found = sent(LoadPlan(records("a", "b"), [], []), 0, *shuffles, Finish())
    assert sorted(found[:2]) == sorted(found[-2:]) == ["a", "b"]


def test_the_orders_of_a_load_are_of_the_time_at_which_they_are_sent() -> None:
    load = make_load(Wish(orders=2_000, seconds=10.0, bursts=1, floods=1, seed=3), BEGIN_MS)
    given = [
        msgspec.json.decode(one.value or b"")
        for one in load.plan.base
        if one.topic == ORDERS_RAW.name and not one.expect
    ]
    first = {one["order_id"]: one["created_at"] for one in given if "created_at" in one}
    assert min(first.values()) >= BEGIN_MS
    assert max(first.values()) <= BEGIN_MS + 10_000
    assert len(set(first.values())) > len(first) / 2


def test_a_load_carries_the_clock_the_feeds_and_special_orders_of_every_kind() -> None:
    load = make_load(Wish(orders=2_000, seconds=60.0, bursts=1, floods=1, seed=3), BEGIN_MS)
    commands = Counter(
        (one.topic, msgspec.json.decode(one.value or b"")["command"])
        for one in load.plan.base
        if one.topic != ORDERS_RAW.name
    )
    stock = {name for topic, name in commands if topic == STOCK_COMMANDS.name}
    assert stock == {"Tick", "ReceiveStock", "TransferStock", "RegisterWarehouse", "WithdrawWarehouse"}
    assert commands[ROUTING_COMMANDS.name, "Tick"] == 4 * (60 + 30 + 1)
    assert commands[ORDER_COMMANDS.name, "SetOrderPolicy"] == 4
    assert set(load.promotion.kinds.values()) == set(KINDS)
    fed = {type(one).__name__ for one in load.feed}
    assert fed >= {"AnnounceInbound", "OpenFlash", "TransferStock", "SetSafety", "SetRoutingPlan"}
