"""What the proxy in front of the broker does to its connections, how it counts that, and how it is told."""

from __future__ import annotations

import socket
from typing import Literal

import msgspec

from pipeline.errors import HoldfastError
from pipeline.services.process import LOOPBACK

CONTROL_SECONDS = 10.0
"""How long the proxy may take to answer a word; it shares two cores with all it serves."""

Deed = Literal["drop", "delay", "reset", "late"]
"""`drop`: the frame vanishes and the connection stays. `delay`: the frame, and what is behind it, comes later.
`reset`: it vanishes and the client's connection is reset. `late`, of a request: the client's connection is reset at
once, and the request reaches the broker later all the same, as a packet does that was held up in the network; a
request too large to come in whole passes."""


class ProxyError(HoldfastError):
    """The proxy is gone, or was told nonsense."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is done to all requests of some API keys, or to the answers to them."""

    api_keys: tuple[int, ...]
    side: Literal["request", "answer"]
    deed: Deed
    delay_ms: float = 0.0
    hits_max: int = 0
    """It lets the frames after so many pass; 0: it never does."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to connections from the moment they are given; `Rules()` lets everything pass.

    `up` is from the client to the broker, `down` the other way.
    """

    pids: tuple[int, ...] = ()
    """The processes whose connections are meant; none: all connections."""
    watched: bool = False
    """Counts the requests of these connections, and lets them pass."""
    cut: bool = False
    """Resets all connections, and new ones as soon as they are made."""
    delay_up_ms: float = 0.0
    delay_down_ms: float = 0.0
    """What comes in waits so long before it goes on; what comes in meanwhile, up to twice as long."""
    hold_up: bool = False
    hold_down: bool = False
    """A black hole: connections are accepted, and nothing goes on. What was held goes on when the hole is gone."""
    bytes_per_second: int = 0
    """Of each connection, each way; 0: no limit."""
    filters: tuple[Filter, ...] = ()


class Counts(msgspec.Struct, kw_only=True):
    """What was done since the rules were given."""

    accepted: int = 0
    """New connections that were let in."""
    resets: int = 0
    """Connections that were reset, new ones among them."""
    requests: int = 0
    """Requests of connections that are watched."""
    bytes_delayed: int = 0
    bytes_held: int = 0
    bytes_throttled: int = 0
    frames: dict[str, int] = {}
    """Frames that a filter met, as `<side> <API key> <deed>`."""

    @property
    def frames_met(self) -> int:
        """Requests and answers that filters met."""
        return sum(self.frames.values())

    @property
    def is_effect(self) -> bool:
        """Whether the rules did something to anyone; letting in and watching are nothing."""
        return bool(self.resets or self.bytes_delayed or self.bytes_held or self.bytes_throttled or self.frames_met)


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The proxy's answer to every word. `problem`: why it was not understood, else empty."""

    open: int = 0
    """Connections that are open now."""
    counts: Counts = msgspec.field(default_factory=Counts)
    """Of the rules that were in force until this word."""
    problem: str = ""


class Word(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said to the proxy: new rules, or (null) only a question."""

    rules: Rules | None = None


class ProxyControl:
    """Speaks to a proxy."""

    def __init__(self, port: int) -> None:
        """Take the port that the proxy is told on."""
        self._port = port

    def give(self, rules: Rules) -> Status:
        """Put new rules in force. Gives what the old ones did. Raises ProxyError."""
        return self._say(Word(rules=rules))

    def ask(self) -> Status:
        """Give what the rules in force have done so far. Raises ProxyError."""
        return self._say(Word())

    def _say(self, word: Word) -> Status:
        try:
            with socket.create_connection((LOOPBACK, self._port), CONTROL_SECONDS) as connection:
                connection.sendall(msgspec.json.encode(word) + b"\n")
                line = connection.makefile("rb").readline()
            status = msgspec.json.decode(line, type=Status)
        except (OSError, msgspec.DecodeError) as error:
            message = f"the proxy's control port {self._port}: {error}"
            raise ProxyError(message) from error
        if status.problem:
            message = f"the proxy's control port {self._port}: {status.problem}"
            raise ProxyError(message)
        return status
