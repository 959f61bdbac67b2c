"""The errors of the project, as a tree.

HoldfastError
├── SettingsError      a setting is missing or wrong; the message names it
├── SetupError         a step of the set-up failed; the message says how to go on
├── PoisonError        the record's fault: it becomes a dead letter and the stream goes on
├── TransientError     the world's fault: retried within a bound
└── EngineError        the state of log and tables cannot be trusted: the worker stops
    ├── RefusedStartError    a check before the first record failed; the message says what to do
    └── UnknownOutcomeError  a transaction ended in an unknown way; only a restart settles it
"""

from __future__ import annotations


class HoldfastError(Exception):
    """Anything that this project raises on purpose."""


class SettingsError(HoldfastError):
    """A setting is missing or wrong."""


class SetupError(HoldfastError):
    """A step of the set-up failed."""


class PoisonError(HoldfastError):
    """One record cannot be processed, now or ever: its own fault.

    `reason` is a word of `pipeline.domain.reasons`, `field` the path of what is wrong in the record
    (`lines[2].quantity`), or an empty string where the record as a whole is wrong.
    """

    def __init__(self, reason: str, message: str, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.reason = reason
        self.field = field


class TransientError(HoldfastError):
    """The world failed, and may answer the next time."""


class EngineError(HoldfastError):
    """Log and tables cannot be trusted together: the worker stops."""


class RefusedStartError(EngineError):
    """A check before the first record failed."""


class UnknownOutcomeError(EngineError):
    """A transaction ended in a way that nobody knows."""
