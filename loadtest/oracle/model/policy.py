"""The limits that the policy in force has. A policy: [version, limits …]; an old one lacks the newest limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Answers, Command

Policies = dict[str, Any]
MINUTE_MS = 60_000
ROUTING, LOCKED, OUTBOUND, SILENT = range(12, 16)
ALARMS = (15 * MINUTE_MS, 120 * MINUTE_MS, 240 * MINUTE_MS, 7 * 24 * 60 * MINUTE_MS)
"""The last places of a policy, as they are where it does not say."""


def take(policies: Policies, command: Command, answers: Answers) -> None:
    """Let other limits hold from here on."""
    policy: list[Any] = command["policy"]
    policies["orders"] = [*policy, *ALARMS[len(policy) - ROUTING :]]
    answers.tell("OrderPolicySet")


def alarm_ms(policies: Policies, which: int) -> int:
    """Give one of the limits after which there is an alarm."""
    policy = policies.get("orders")
    return int(ALARMS[which - ROUTING] if policy is None else policy[which])
