"""The Faust app: one agent a stage, on the transport and the engine of this package."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import faust
import faust.tables
from faust.types import TP

from pipeline import metrics
from pipeline.engine.batches import BatchSchema, Transport
from pipeline.engine.engine import Engine
from pipeline.engine.outputs import ORDER_EVENTS
from pipeline.engine.security import credentials
from pipeline.engine.stage import CallingStage, Stage
from pipeline.engine.tables import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from faust.types import StreamT

    from pipeline.settings import Settings
    from pipeline.topics import Table

LAG_SECONDS = 1.0
"""How often the lag is measured."""
STREAM_BATCHES_MAX = 16
"""Batches that wait for one agent before its partitions are left alone."""
HEARTBEATS_PER_SESSION = 5
REBALANCE_SECONDS = 30.0

log = logging.getLogger(__name__)


class App(faust.App):
    """A Faust app whose engine commits, at the end too."""

    engine: Engine

    async def on_start(self) -> None:
        """Open the first transaction while the group is joined: fencing who had the slot may take half a second."""
        self.add_future(self._open())
        await super().on_start()
        self.add_future(self._commit())
        self.add_future(self._measure_lag())

    async def on_stop(self) -> None:
        """Drain: finish and commit what is in hand, then leave the group."""
        await self.engine.stop()
        await super().on_stop()

    def _crash(self, reason: BaseException) -> None:
        """End the process when any of Faust's services fails: it would drain first, in a state that nobody knows."""
        self.engine.crash(reason)

    async def take_partitions(self, *_: Any, **__: Any) -> None:  # noqa: ANN401  a Faust signal
        """Restore tables; Faust waits for this before it lets records flow."""
        try:
            await self.engine.take_assignment()
        except Exception as error:  # noqa: BLE001  tables that cannot be trusted end the worker
            self.engine.crash(error)

    async def _open(self) -> None:
        try:
            await self.engine.start()
        except Exception as error:  # noqa: BLE001  whatever it is, the worker cannot run
            self.engine.crash(error)

    async def _commit(self) -> None:
        try:
            await self.engine.commit_forever()
        except Exception as error:  # noqa: BLE001  an unknown outcome ends the worker
            self.engine.crash(error)

    async def _measure_lag(self) -> None:
        """Set the gauges of lag and table sizes, once a second; warn once of a table that outgrew its plan."""
        warned: set[Table] = set()
        while not self.should_stop:
            await self.sleep(LAG_SECONDS)
            lags = dict.fromkeys(self.engine.stages, 0)
            ages = dict.fromkeys(self.engine.stages, 0.0)
            for (topic, number), held in list(self.engine.partitions.items()):
                waiting = self._waiting(TP(topic, number), held.next_offset)
                lags[topic] += waiting
                if waiting and held.last_timestamp_ms:
                    ages[topic] = max(ages[topic], time.time() - held.last_timestamp_ms / 1000)
            for topic, stage in self.engine.stages.items():
                metrics.LAG_RECORDS.labels(stage.name).set(lags[topic])
                metrics.LAG_SECONDS.labels(stage.name).set(ages[topic])
            for table, entries in self.engine.table_entries().items():
                metrics.TABLE_ENTRIES.labels(table.name).set(entries)
                if entries > table.entries_max and table not in warned:
                    warned.add(table)
                    log.warning("table %s has %d entries, planned are %d", table.name, entries, table.entries_max)
            measure(self.engine.partitions.values())

    def _waiting(self, tp: TP, next_offset: int) -> int:
        """Count the offsets from the last processed record to the end of the log, if any record is among them."""
        known = self.consumer.fetcher.read_and_written((tp.topic, tp.partition))  # type: ignore[attr-defined]  # ours
        if known is None or self.engine.membership is None:
            return 0
        position, end = known
        if position >= end and not self.engine.is_waiting:
            return 0
        return max(0, int(end) - next_offset)


class TableManager(faust.tables.TableManager):
    """Faust's own, without its wait of a second for tables: there are none of its kind here."""

    async def on_start(self) -> None:
        """Let the topics be subscribed to."""
        await self._update_channels()
        await self.recovery.start()


def create_app(settings: Settings, stages: Sequence[Stage]) -> App:
    """Build the app. Nothing is connected until it starts."""
    app = App(
        settings.deployment,
        broker=f"kafka://{settings.kafka}",
        datadir=str(settings.run_dir / "faust" / f"{settings.deployment}-{settings.slot}"),
        store="memory://",
        TableManager=TableManager,
        broker_credentials=credentials(settings.kafka_config),
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        consumer_auto_offset_reset="none",
        consumer_group_instance_id=f"{settings.deployment}-{settings.slot}",
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=settings.session_timeout_seconds / HEARTBEATS_PER_SESSION,
        broker_rebalance_timeout=REBALANCE_SECONDS,
        stream_buffer_maxsize=STREAM_BATCHES_MAX,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        worker_redirect_stdouts=False,
    )
    app.engine = Engine(settings, stages)
    app.transport = Transport(app.conf.broker_consumer, app, app.loop)
    app.on_rebalance_complete.connect(app.take_partitions)
    for stage in stages:
        topic = app.topic(stage.reads.name, value_type=bytes, schema=BatchSchema(), partitions=settings.partitions)
        app.agent(topic)(_agent(app.engine, stage))
    return app


def _agent(engine: Engine, stage: Stage) -> Callable[[StreamT[Any]], Any]:
    """Make the agent function of a stage. No exception leaves it: Faust would go on with the next record."""
    take = engine.take_calls if isinstance(stage, CallingStage) else engine.take

    async def agent(stream: StreamT[Any]) -> None:
        async for batch in stream:
            try:
                await take(batch)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  a bug, or a world that cannot be trusted: the process ends here
                engine.crash(error)

    agent.__module__, agent.__name__, agent.__qualname__ = "agents", stage.name, stage.name
    written = {topic.name for topic in stage.writes.values()}
    if not isinstance(stage, CallingStage):
        written.add(ORDER_EVENTS)
    agent.__doc__ = f"Writes {', '.join(sorted(written))}."
    return agent
