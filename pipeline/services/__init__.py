"""The servers that the demo and the tests start on this machine: Kafka, Redis, ClickHouse; without root or Docker."""

from __future__ import annotations

from pipeline.services.roster import bring_up, processes, running, take_down

__all__ = ["bring_up", "processes", "running", "take_down"]
