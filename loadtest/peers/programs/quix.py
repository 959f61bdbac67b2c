"""Quix Streams as its manual shows it: a dataframe with a stateful function, exactly-once, changelogs on.

`python -m loadtest.peers.programs.quix KAFKA APP DIRECTORY`, in the peers' own environment.
"""

from __future__ import annotations

import sys
from typing import Any

from quixstreams import Application, State

from loadtest.peers.job import COMMIT_SECONDS, READS, SESSION_SECONDS, TRANSACTION_SECONDS, WRITES
from loadtest.peers.programs.rule import answer


class Part:
    """One of the two tables in the state of a key."""

    def __init__(self, state: State, prefix: str) -> None:
        self._state, self._prefix = state, prefix

    def get(self, key: str) -> Any:  # noqa: ANN401  a JSON value
        """Look a value up."""
        return self._state.get(self._prefix + key)

    def __setitem__(self, key: str, value: Any) -> None:  # noqa: ANN401
        """Put a whole new value."""
        self._state.set(self._prefix + key, value)


def reserve(command: dict[str, Any], state: State) -> dict[str, Any] | None:
    """Answer a command from the state of its key, the stock pool."""
    return answer(Part(state, "s:"), Part(state, "h:"), command)


def main(arguments: list[str]) -> int:
    """Work until killed."""
    kafka, name, directory = arguments
    app = Application(
        broker_address=kafka,
        consumer_group=name,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=COMMIT_SECONDS,
        consumer_poll_timeout=0.02,
        state_dir=directory,
        consumer_extra_config={
            "group.instance.id": f"{name}-0",
            "session.timeout.ms": int(SESSION_SECONDS * 1000),
            "fetch.wait.max.ms": 20,
        },
        producer_extra_config={
            "transactional.id": f"{name}-0",
            "transaction.timeout.ms": TRANSACTION_SECONDS * 1000,
            "compression.type": "lz4",
            "linger.ms": 1000,  # a commit sends what waits, as in this engine
            "batch.size": 1024 * 1024,
        },
    )
    commands = app.dataframe(app.topic(READS, value_deserializer="json"))
    answers = commands.apply(reserve, stateful=True).filter(lambda told: told is not None)
    answers.to_topic(app.topic(WRITES, value_serializer="json"), key=lambda told: told["order_id"])
    app.run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
