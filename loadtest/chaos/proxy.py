"""A TCP proxy in front of the broker, as a process: lets pass, cuts, delays, holds, throttles, meets single requests.

`python -m loadtest.chaos.proxy --listen PORT --broker HOST:PORT --control PORT`; `start` does that and waits. The
broker must be told of it before it starts (`pipeline.services.kafka.PROXY_PORT_VARIABLE`); clients that bootstrap from
`Proxy.address` then stay on the proxy, all others go to the broker directly.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import psutil
import uvloop

from loadtest.chaos.proxy_connection import Connection, reset
from loadtest.chaos.proxy_rules import Counts, ProxyControl, ProxyError, Rules, Status, Word
from pipeline.services.process import LOOPBACK, Running, Server, free_port, launch, stop
from pipeline.settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

NAME = "proxy"


class Proxy(NamedTuple):
    """A proxy that is up."""

    running: Running
    control: ProxyControl

    @property
    def address(self) -> str:
        """What a proxied client takes for its bootstrap servers."""
        return self.running.address

    def stop(self) -> None:
        """End it, with all its connections."""
        stop(self.running)


def start(directory: Path, port: int, broker: str) -> Proxy:
    """Start a proxy that listens on `port` of the loopback address for a `broker`. Its log is `directory`/proxy.log.

    Raises SetupError.
    """
    control_port = free_port()
    arguments = ("--listen", str(port), "--broker", broker, "--control", str(control_port))
    server = Server(
        name=NAME,
        command=(sys.executable, "-m", "loadtest.chaos.proxy", *arguments),
        address=f"{LOOPBACK}:{port}",
        directory=directory.resolve(),
        environ={"PYTHONPATH": str(ROOT)},
    )
    control = ProxyControl(control_port)
    return Proxy(launch(server, lambda: _answers(control)), control)


def _answers(control: ProxyControl) -> bool:
    try:
        control.ask()
    except ProxyError:
        return False
    return True


class Middle:
    """The rules in force, what they did, and the connections."""

    def __init__(self, port: int, broker: tuple[str, int]) -> None:
        self.rules = Rules()
        self.counts = Counts()
        self._port = port
        self._broker = broker
        self._connections: dict[Connection, int] = {}
        self._changed = asyncio.Event()

    async def until_changed(self) -> None:
        """Wait for new rules."""
        await self._changed.wait()

    def give(self, rules: Rules) -> Counts:
        """Put rules in force. Gives what the old ones did."""
        counts, self.counts = self.counts, Counts()
        self.rules = rules
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        ports = self._ports_of(rules.pids)
        for connection, client_port in list(self._connections.items()):
            connection.rules = rules if not rules.pids or client_port in ports else Rules()
            if connection.rules.cut:
                self.counts.resets += 1
                connection.reset()
        return counts

    def _ports_of(self, pids: Collection[int]) -> set[int]:
        """Give the ports from which processes are connected to this proxy."""
        ports = set()
        for pid in pids:
            try:
                sockets = psutil.Process(pid).net_connections("tcp4")
            except psutil.NoSuchProcess:
                continue
            ports |= {one.laddr.port for one in sockets if one.raddr and one.raddr.port == self._port}
        return ports

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        port = writer.get_extra_info("peername")[1]
        is_meant = not self.rules.pids or port in self._ports_of(self.rules.pids)
        rules = self.rules if is_meant else Rules()
        if rules.cut:
            self.counts.resets += 1
            reset(writer)
            return
        try:
            broker = await asyncio.open_connection(*self._broker)
        except OSError:  # the broker is down: its clients see what they would see without a proxy
            reset(writer)
            return
        self.counts.accepted += 1
        connection = Connection(self, rules, (reader, writer), broker)
        self._connections[connection] = port
        try:
            await connection.serve()
        finally:
            del self._connections[connection]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one word of the control connection."""
        try:
            word = msgspec.json.decode(await reader.readline(), type=Word)
        except msgspec.DecodeError as error:
            status = Status(problem=str(error))
        else:
            counts = self.counts if word.rules is None else self.give(word.rules)
            status = Status(open=len(self._connections), counts=counts)
        writer.write(msgspec.json.encode(status) + b"\n")
        await writer.drain()
        writer.close()


async def _serve(listen: int, broker: str, control: int) -> None:
    host, _, port = broker.rpartition(":")
    middle = Middle(listen, (host, int(port)))
    # The control port opens last: who is answered there finds the other one open.
    front = await asyncio.start_server(middle.accept, LOOPBACK, listen)
    async with front, await asyncio.start_server(middle.answer, LOOPBACK, control):
        await front.serve_forever()


def main(arguments: list[str]) -> int:
    """Run until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.chaos.proxy", description="stand in front of a broker")
    parser.add_argument("--listen", type=int, required=True, help="port for clients")
    parser.add_argument("--broker", required=True, help="host:port where the broker listens for this proxy")
    parser.add_argument("--control", type=int, required=True, help="port where the proxy is told its rules")
    chosen = parser.parse_args(arguments)
    uvloop.run(_serve(chosen.listen, chosen.broker, chosen.control))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
