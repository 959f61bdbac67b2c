"""What waybill must do. An attempt: [state, tries, number, why it is cancelled, what ships, where to]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loadtest.oracle.model.answers import order_of

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Answers, Command, Tables

TABLES = ("attempts", "stops")
CLAIMED, UNKNOWN, ISSUED, VOIDING = "claimed", "unknown", "issued", "void_pending"
CANCELLED, COLLECTED, MANUAL = "cancelled", "collected", "manual"
AWAITED = {CLAIMED: "create", UNKNOWN: "query"}
TRIES_MAX = 20
Attempt = list[Any]


def fold(tables: Tables, command: Command, answers: Answers) -> None:
    """Answer a command, and move the tables."""
    key, attempts = command["fulfilment_id"], tables["attempts"]
    attempt = attempts.get(key)
    match command["command"]:
        case "IssueWaybill":
            if attempt is not None:
                _ignore(key, answers)
                return
            answers.tell("WaybillClaimed", command["fulfilment"]["order_id"], CLAIMED)
            answers.asked.append(("CallCarrier", key, "create"))
            attempts[key] = [CLAIMED, 0, "", None, command["fulfilment"], command["ship_to"]]
        case "RecordAnswer":
            if attempt is None:
                _ignore(key, answers)
            else:
                attempts[key] = _record(command, attempt, answers)
                if key in tables["stops"]:
                    _tell_routing(tables, key, answers)
        case "CancelFulfilment":
            attempts[key] = _cancel(command, attempt, answers)
            if command.get("keeps_hold", False):
                _stop(tables, command, attempt, answers)
        case name:
            raise KeyError(name)


def _stop(tables: Tables, command: Command, before: Attempt | None, answers: Answers) -> None:
    """Remember, of what is stopped for routing, that routing must know what comes of it."""
    key = command["fulfilment_id"]
    if before is not None and before[0] == COLLECTED:
        answers.asked.append(("ReportStop", key, "False"))
    elif not any(event == "AnswerIgnored" for event, _, _ in answers.told):
        tables["stops"][key] = command["at"]
        _tell_routing(tables, key, answers)


def _tell_routing(tables: Tables, key: str, answers: Answers) -> None:
    """Turn the end of a cancellation into news for routing, which keeps the units held."""
    for place, (event, order_id, to) in enumerate(answers.told):
        if event == "FulfilmentCancelled":
            answers.told[place] = ("FulfilmentStopped", order_id, to)
            answers.asked = [
                ("ReportStop", key, "True") if asked[0] == "ReleaseHold" else asked for asked in answers.asked
            ]
        elif event == "CancelRefused":
            answers.asked.append(("ReportStop", key, "False"))
        else:
            continue
        tables["stops"].pop(key, None)


def _ignore(key: str, answers: Answers) -> None:
    answers.tell("AnswerIgnored", order_of(key))


def _record(command: Command, attempt: Attempt, answers: Answers) -> Attempt:
    """Take a carrier's answer; gives the attempt as it is then."""
    key, state, number = command["fulfilment_id"], attempt[0], command.get("waybill_no", "")
    if command["kind"] == "void":
        if state == VOIDING:
            return _voided(command, attempt, answers)
    elif state in {CLAIMED, UNKNOWN, MANUAL} and not attempt[2]:
        if command["answer"] == "ok" and number:
            return _issue(key, number, attempt, answers)
        if command["kind"] == AWAITED.get(state):
            return _not_issued(command, attempt, answers)
    _ignore(key, answers)
    return attempt


def _issue(key: str, number: str, attempt: Attempt, answers: Answers) -> Attempt:
    _, _, _, reason, fulfilment, _ = attempt
    answers.tell("WaybillIssued", fulfilment["order_id"], ISSUED)
    answers.ask("TrackShipment", key, fulfilment["units"])
    if reason is None:
        return [ISSUED, 0, number, None, None, None]
    return _void(key, [ISSUED, 0, number, reason, fulfilment, None], reason, answers)


def _not_issued(command: Command, attempt: Attempt, answers: Answers) -> Attempt:
    """Take an answer without a number to the call that was made."""
    key, reason = command["fulfilment_id"], attempt[3]
    if command["answer"] == "refused":
        if reason is not None:
            return _cancelled(key, attempt[4], answers)
        return _give_up(key, attempt, answers)
    if command["answer"] == "absent" and command["kind"] == "query":
        if reason is not None:
            return _void(key, attempt, reason, answers)
        answers.tell("WaybillRetried", attempt[4]["order_id"], CLAIMED)
        answers.asked.append(("CallCarrier", key, "create"))
        return [CLAIMED, *attempt[1:]]
    return _unknown(key, attempt, answers)


def _unknown(key: str, attempt: Attempt, answers: Answers) -> Attempt:
    state, tries, _, reason, _, _ = attempt
    is_voiding = state == VOIDING
    if tries + 1 > TRIES_MAX:
        if reason is not None and not is_voiding:
            return _void(key, attempt, reason, answers)
        return _give_up(key, attempt, answers)
    after = VOIDING if is_voiding else UNKNOWN
    answers.tell("WaybillUnknown", order_of(key), after)
    answers.asked.append(("CallCarrier", key, "void" if is_voiding else "query"))
    return [after, tries + 1, *attempt[2:]]


def _give_up(key: str, attempt: Attempt, answers: Answers) -> Attempt:
    answers.tell("WaybillRefused", order_of(key), MANUAL)
    return [MANUAL, *attempt[1:]]


def _void(key: str, attempt: Attempt, reason: str, answers: Answers) -> Attempt:
    answers.tell("VoidRequested", order_of(key), VOIDING)
    answers.asked.append(("CallCarrier", key, "void"))
    return [VOIDING, 0, attempt[2], reason, *attempt[4:]]


def _cancelled(key: str, fulfilment: Command, answers: Answers) -> Attempt:
    answers.tell("FulfilmentCancelled", fulfilment["order_id"], CANCELLED)
    answers.ask("ReleaseHold", key, fulfilment["units"])
    return [CANCELLED, 0, "", None, None, None]


def _voided(command: Command, attempt: Attempt, answers: Answers) -> Attempt:
    key, number = command["fulfilment_id"], attempt[2]
    if command["answer"] in {"ok", "absent"}:
        after = _cancelled(key, attempt[4], answers)
        answers.ask("StopTracking", key)
        return after
    if command["answer"] != "refused":
        return _unknown(key, attempt, answers)
    if number:
        answers.tell("CancelRefused", order_of(key), COLLECTED)
        return [COLLECTED, 0, number, None, None, None]
    answers.tell("CancelRefused", order_of(key), UNKNOWN)
    answers.asked.append(("CallCarrier", key, "query"))
    return [UNKNOWN, 0, "", None, *attempt[4:]]


def _cancel(command: Command, attempt: Attempt | None, answers: Answers) -> Attempt:
    key, reason = command["fulfilment_id"], command["reason"]
    if attempt is None:
        return _cancelled(key, command["fulfilment"], answers)
    if attempt[0] in {ISSUED, MANUAL}:
        return _void(key, [*attempt[:4], command["fulfilment"], attempt[5]], reason, answers)
    if attempt[0] not in AWAITED or attempt[3] is not None:
        _ignore(key, answers)
        return attempt
    answers.tell("CancelRequested", command["fulfilment"]["order_id"], attempt[0])
    return [*attempt[:3], reason, *attempt[4:]]
