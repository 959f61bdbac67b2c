"""One life of a worker process: the real engine and stages, on simulated clients, until it is killed or gives up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from confluent_kafka import KafkaError

from pipeline.engine.app import _agent
from pipeline.engine.engine import Engine
from pipeline.errors import RefusedStartError
from pipeline.settings import Settings
from tests.simulation.clients import failure
from tests.simulation.consumer import Consumer
from tests.simulation.faults import Act
from tests.simulation.loop import Loop, ProcessEndedError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from pipeline.engine.stage import Stage
    from tests.simulation.group import Joined
    from tests.simulation.world import World

T = TypeVar("T")


class SimulatedEngine(Engine):
    """The engine, which ends its simulated process where the real one ends the real."""

    def __init__(self, process: Process, stages: Sequence[Stage]) -> None:
        super().__init__(process.settings, stages)
        self._process = process

    def crash(self, error: BaseException) -> NoReturn:
        """End the process at once."""
        self._process.end(error)
        raise ProcessEndedError


class Process:
    """A process. It runs in steps: of its event loop, and of the one call that blocks."""

    def __init__(self, world: World, slot: int) -> None:
        self.world = world
        self.slot = slot
        self.settings = Settings(
            slot=str(slot),
            kafka="simulated",
            partitions=world.schedule.sizes.partitions,
            commit_interval_seconds=0.05,
            batch_records_max=world.schedule.sizes.batch_records_max,
            page_entries=world.schedule.sizes.page_entries,
        )
        self.instance = f"{self.settings.deployment}-{slot}"
        self.loop = Loop(world)
        self.paused_until_ms = 0
        """Nothing of it runs before: SIGSTOP, or a machine that stalls."""
        self.cut_until_ms = 0
        """It runs, but the broker does not hear of it."""
        self.is_ended = False
        self.error: BaseException | None = None
        self._start()

    def _start(self) -> None:
        self.engine = SimulatedEngine(self, self.world.stages)
        self.consumer = Consumer(self)
        self._spawn(self._run())

    async def _run(self) -> None:
        """Do what the app does when it starts."""
        self._spawn(self._open())
        for stage in self.engine.stages.values():
            agent = _agent(self.engine, stage)
            self._spawn(agent(self.consumer.stream(stage.reads.name)))  # type: ignore[arg-type]  # a stream is iterated
        for task in (self._commit(), self.consumer.belong(), self.consumer.recover(), self.consumer.drain()):
            self._spawn(task)

    async def _open(self) -> None:
        try:
            await self.engine.start()
        except Exception as error:  # noqa: BLE001  as the app does
            self.engine.crash(error)

    async def _commit(self) -> None:
        try:
            await self.engine.commit_forever()
        except Exception as error:  # noqa: BLE001  as the app does
            self.engine.crash(error)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Start a task. A bug that it dies of ends the process, as the app does it."""
        task = self.loop.create_task(coroutine)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: Any) -> None:  # noqa: ANN401  asyncio.Task
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.is_ended:
            self.end(error)

    # --- steps ---

    @property
    def is_stopped(self) -> bool:
        """Say whether it is paused or over."""
        return self.is_ended or self.world.now_ms < self.paused_until_ms

    @property
    def is_cut(self) -> bool:
        """Say whether the broker cannot be reached."""
        return self.world.now_ms < max(self.cut_until_ms, self.paused_until_ms)

    @property
    def loop_is_ready(self) -> bool:
        """Say whether the event loop has something to do."""
        return bool(self.loop.ready) and not self.is_stopped

    @property
    def job_is_ready(self) -> bool:
        """Say whether the blocking call can go on."""
        job = self.loop.job
        return job is not None and not self.is_stopped and job.wakes_ms <= self.world.now_ms

    def step_loop(self) -> None:
        """Run what is ready."""
        self.world.current = self
        self.loop.step()

    def step_job(self) -> None:
        """Run the blocking call until it waits or ends."""
        self.world.current = self
        job = self.loop.job
        if job is not None and job.step() and self.loop.job is job:
            self.loop.jobs.popleft()

    def end(self, error: BaseException | None) -> None:
        """End the process. Of its memory nothing stays."""
        if self.is_ended:
            return
        self.is_ended, self.error = True, error
        self.loop.end()
        self.world.process_ended(self, refused=isinstance(error, RefusedStartError))

    def leave(self) -> None:
        """Stop cleanly, as on SIGTERM."""

        async def leave() -> None:
            try:
                await self.engine.stop()
            except Exception as error:  # noqa: BLE001  Faust would go on to its end
                self.engine.crash(error)
            self.world.broker.group.leave_instance(self.instance, self.world.now_ms)
            self.end(None)

        if self.engine.membership is not None:
            self._spawn(leave())

    # --- the blocking call's view ---

    def effect(self, name: str, request: Callable[[], T]) -> T:
        """Ask the broker, on the thread that blocks. Faults strike before and after."""
        act = self.world.storm.strike(self, name)
        self._suffer(act, Act.KILL_BEFORE, Act.STOP_BEFORE)
        self.rest()
        if act is Act.LOSE_REQUEST:
            raise failure(KafkaError._TIMED_OUT)  # noqa: SLF001  its public name
        if act is Act.KILL_SENT:
            self.world.storm.arrive_late(request)
            self._suffer(act, Act.KILL_SENT, Act.KILL_SENT)
        result = request()
        self._suffer(act, Act.KILL_AFTER, Act.STOP_AFTER)
        if act is Act.LOSE_ANSWER:
            raise failure(KafkaError._TIMED_OUT)  # noqa: SLF001
        self.rest()
        return result

    def _suffer(self, act: Act | None, kill: Act, stop: Act) -> None:
        if act is kill:
            self.end(None)
            raise ProcessEndedError
        if act is stop:
            self.world.storm.pause(self)
            self.wait(0)

    def rest(self) -> None:
        """Let others run, now and then; and as long as the broker cannot be reached."""
        if self.world.choose(3) == 1:
            self.wait(self.world.latency())
        while self.is_cut:
            self.wait(max(self.cut_until_ms, self.paused_until_ms) - self.world.now_ms)

    def wait(self, milliseconds: int) -> None:
        """Let others run for a while."""
        job = self.loop.job
        if self.is_ended or job is None:
            raise ProcessEndedError
        job.suspend(self.world.now_ms + milliseconds)

    # --- the event loop's view ---

    async def ask(self, request: Callable[[], T], *, outlives: bool = False) -> T:
        """Do something on another machine or thread: after a while, and the answer takes a while too.

        A request that `outlives` its process arrives even when that ended meanwhile.
        """
        future = self.loop.create_future()

        def arrive() -> None:
            if self.is_ended and not outlives:
                return
            if self.is_cut and not self.is_ended:
                self.world.at(max(self.cut_until_ms, self.paused_until_ms), arrive)
                return
            answer = request()
            self.world.later(lambda: self._answer(future, answer))

        self.world.later(arrive)
        return await future  # type: ignore[no-any-return]

    async def join(self, name: str, instance: str) -> Joined:
        """Join the group, and wait until the rebalance is over."""
        future = self.loop.create_future()

        def tell(joined: Joined) -> None:
            self.world.later(lambda: self._answer(future, joined))

        group = self.world.broker.group
        await self.ask(lambda: group.join(name, instance, self.world.now_ms, tell))
        return await future  # type: ignore[no-any-return]

    async def heartbeat(self, name: str, instance: str) -> str:
        """Tell the group that this process lives."""
        return await self.ask(lambda: self.world.broker.group.heartbeat(name, instance, self.world.now_ms))

    async def idle(self, milliseconds: int) -> None:
        """Wait."""
        future = self.loop.create_future()
        self.world.at(self.world.now_ms + milliseconds, lambda: self._answer(future, None))
        await future

    def _answer(self, future: Any, answer: object) -> None:  # noqa: ANN401  asyncio.Future
        if not self.is_ended and not future.done():
            future.set_result(answer)
