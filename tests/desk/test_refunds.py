from __future__ import annotations

import pytest

from pipeline.desk import refunds
from pipeline.desk.refunds import Refund, choose, command_for
from pipeline.domain.order_commands import ConfirmRefund, DecideRefund
from pipeline.errors import HoldfastError


def refund(refund_id: str, state: str = "review", *approvers: str) -> Refund:
    return Refund("A", refund_id, 40_000, "manual", "p1", "A", state, 0, list(approvers), [], "2023-11-14 22:13:20")


KNOWN = [refund("r1", "review", "ann"), refund("r2", "approved"), refund("", "approved")]


def chosen(text: str) -> tuple[Refund, DecideRefund | ConfirmRefund]:
    asked = refunds._read_arguments(text.split())  # noqa: SLF001  the arguments as a user gives them
    found = choose(KNOWN, asked)
    return found, command_for(found, "P", asked)


def test_what_is_decided_says_who_and_why() -> None:
    found, command = chosen("approve A r1 --approver bob --note fair")
    assert isinstance(command, DecideRefund)
    assert (found.refund_id, command.approver, command.approve, command.note) == ("r1", "bob", True, "fair")
    _, command = chosen("reject A r1 --approver ann")
    assert isinstance(command, DecideRefund)
    assert not command.approve


def test_money_that_is_back_is_confirmed_also_that_of_a_cancelled_order() -> None:
    assert [chosen(text)[1].refund_id for text in ("confirm A r2 --approver ann", "confirm A --approver ann")] == [
        "r2",
        "",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("approve A r1 --approver ann", "--approver: ann has agreed before"),
        ("approve A r2 --approver ann", "is approved, and not review"),
        ("confirm A r1 --approver ann", "is review, and not approved"),
        ("approve A r9 --approver ann", "no refund 'r9'; there are: r1, r2"),
        ("approve B r1 --approver ann", "order B: no refund 'r1', nor any other"),
        (f"reject A r1 --approver {'x' * 129}", "reject: approver: Expected `str` of length <= 128"),
        (f"reject A r1 --approver ann --note {'x' * 501}", "reject: note: Expected `str` of length <= 500"),
    ],
)
def test_what_is_not_possible_is_refused_before_it_is_in_the_log(text: str, says: str) -> None:
    with pytest.raises(HoldfastError) as refused:
        chosen(text)
    assert says in str(refused.value)
