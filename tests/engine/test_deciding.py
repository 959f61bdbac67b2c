from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.engine.deciding import Deciding
from pipeline.engine.stage import Record
from pipeline.engine.tables import PartitionTables
from pipeline.errors import EngineError
from tests.engine import counting

PAYMENT = b'{"command":"PayOrder","at":5,"pool":"p","order_id":"o-1","paid_minor":100}'


def record(offset: int, value: bytes | None) -> Record:
    return Record("order.commands", 3, offset, 1_000, b"p", value, [("trace", b"t-1")])


def run(*values: bytes | None, in_a_row_max: int = 10) -> list[tuple[Any, ...]]:
    produced: list[tuple[Any, ...]] = []
    deciding = Deciding(counting.FIRST, lambda *arguments: produced.append(arguments), in_a_row_max)
    deciding.run(PartitionTables(counting.FIRST), [record(offset, value) for offset, value in enumerate(values)])
    return produced


def test_each_answer_goes_to_its_topic_under_its_key() -> None:
    event, command = run(PAYMENT)
    assert (event[0], event[2]) == ("order.events", "o-1")
    assert (command[0], command[2]) == ("stock.commands", "p")
    assert orjson.loads(command[1]) == {"command": "CancelHold", "at": 5, "pool": "p", "order_id": "o-1", "reason": "1"}


def test_an_event_says_which_record_caused_it_and_its_id_derives_from_that() -> None:
    first, _, second, _ = run(PAYMENT, PAYMENT)
    assert orjson.loads(first[1]) == {
        "id": "order.commands-3-0-0",
        "stage": "first",
        "cause": "order.commands-3-0",
        "event": "OrderPaid",
        "order_id": "o-1",
        "at": 5,
        "from": "await_pay",
        "to": "paid",
        "rule_version": None,
        "paid_minor": 1,
    }
    assert orjson.loads(second[1])["id"] == "order.commands-3-1-0"


def test_the_same_records_give_the_same_bytes() -> None:
    assert run(PAYMENT, b"{", PAYMENT) == run(PAYMENT, b"{", PAYMENT)


@pytest.mark.parametrize(
    ("value", "reason", "field"),
    [
        (None, b"EMPTY", b""),
        (b"", b"MALFORMED", b""),
        (b"\xff\xfe", b"MALFORMED", b""),
        (b"{", b"MALFORMED", b""),
        (b'{"x":' * 100_000, b"MALFORMED", b""),
        (b'{"command":"Nonsense"}', b"INVALID", b"command"),
        (PAYMENT.replace(b"100", b'"a lot"'), b"INVALID", b"paid_minor"),
    ],
)
def test_a_record_that_cannot_be_decoded_becomes_a_dead_letter_as_it_was(
    value: bytes | None, reason: bytes, field: bytes
) -> None:
    dead, *rest = run(value, PAYMENT)
    topic, kept, key, *_, headers = dead
    assert (topic, kept, key) == ("dead.letters", value, b"p")
    told = dict(headers)
    assert told["error.reason"] == reason
    assert told["error.field"] == field
    assert (
        told["source.topic"] + b"-" + told["source.partition"] + b"-" + told["source.offset"] == b"order.commands-3-0"
    )
    assert told["trace"] == b"t-1"
    assert len(rest) == 2


def test_too_many_dead_letters_in_a_row_stop_the_worker() -> None:
    assert len(run(*[b"{"] * 3, in_a_row_max=3)) == 3
    with pytest.raises(EngineError, match=r"4 dead letters in a row.*order\.commands-3-3"):
        run(*[b"{"] * 4, in_a_row_max=3)


def test_a_good_record_between_starts_the_count_again() -> None:
    run(b"{", b"{", b"{", PAYMENT, b"{", b"{", b"{", in_a_row_max=3)
