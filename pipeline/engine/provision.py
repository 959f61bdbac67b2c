"""The topics of a deployment, and where each stage begins.

A stage's first offset is committed here, once, together with the first checkpoint in its changelog. From then on a
missing offset or checkpoint is a loss and never a first start, so a worker can refuse both. Running it again changes
nothing that is as it should be, and refuses what is not: another partition count, another cleanup policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import confluent_kafka
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import ConfigResource, NewTopic, OffsetSpec  # type: ignore[attr-defined]

from pipeline import topics
from pipeline.engine import clients
from pipeline.engine.restore import Partition, committed_offsets
from pipeline.engine.stage import DecidingStage
from pipeline.engine.tables import CHECKPOINT_KEY, checkpoint
from pipeline.errors import RefusedStartError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from confluent_kafka.admin import AdminClient

    from pipeline.engine.stage import Stage
    from pipeline.settings import Settings
    from pipeline.topics import Topic

REQUEST_SECONDS = 30.0
CHECKED_CONFIG = ("cleanup.policy", "message.timestamp.type", "max.message.bytes")
"""What a topic that exists must have: the rest may be tuned where it runs."""


def provision(settings: Settings, stages: Sequence[Stage]) -> list[str]:
    """Create what is missing, check what is there. Gives one line for each thing made.

    Raises RefusedStartError, naming the topic, for a topic that is not as this deployment needs it.
    """
    admin = clients.admin(settings)
    wanted = [*topics.TOPICS, *(topics.changelog(stage.name) for stage in _with_tables(stages))]
    made = _create(admin, settings, wanted)
    check(settings, stages, admin)
    return made + _begin(admin, settings, stages)


def check(settings: Settings, stages: Sequence[Stage], admin: AdminClient | None = None) -> None:
    """Refuse topics that are missing or not as the deployment needs them."""
    admin = admin or clients.admin(settings)
    known = admin.list_topics(timeout=REQUEST_SECONDS).topics
    wanted = [*topics.TOPICS, *(topics.changelog(stage.name) for stage in _with_tables(stages))]
    for topic in wanted:
        if topic.name not in known:
            message = f"topic {topic.name} does not exist: run `python -m pipeline topics`"
            raise RefusedStartError(message)
        _check_partitions(topic, len(known[topic.name].partitions), settings)
    _check_config(admin, wanted)


def _check_partitions(topic: Topic, partitions: int, settings: Settings) -> None:
    if topic.partitions and partitions != topic.partitions:
        message = f"topic {topic.name} has {partitions} partitions, and must have {topic.partitions}"
        raise RefusedStartError(message)
    if not topic.partitions and partitions != settings.partitions:
        message = (
            f"topic {topic.name} has {partitions} partitions, but HOLDFAST_PARTITIONS is {settings.partitions}: "
            "keys would move between partitions and leave their state behind. Set it to what the topics have"
        )
        raise RefusedStartError(message)


def _create(admin: AdminClient, settings: Settings, wanted: Iterable[Topic]) -> list[str]:
    known = admin.list_topics(timeout=REQUEST_SECONDS).topics
    missing = [topic for topic in wanted if topic.name not in known]
    new = [
        NewTopic(topic.name, _partitions(topic, settings), settings.replication, config=dict(topic.config()))
        for topic in missing
    ]
    for name, future in (admin.create_topics(new, request_timeout=REQUEST_SECONDS) if new else {}).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != confluent_kafka.KafkaError.TOPIC_ALREADY_EXISTS:
                message = f"topic {name} cannot be created: {error.args[0].str()}"
                raise RefusedStartError(message) from error
    return [f"created {topic.name}, {_partitions(topic, settings)} partitions" for topic in missing]


def _partitions(topic: Topic, settings: Settings) -> int:
    return topic.partitions or settings.partitions


def _check_config(admin: AdminClient, wanted: Sequence[Topic]) -> None:
    resources = {ConfigResource(ConfigResource.Type.TOPIC, topic.name): topic for topic in wanted}
    for resource, future in admin.describe_configs(list(resources)).items():
        found, topic = future.result(REQUEST_SECONDS), resources[resource]
        for name in CHECKED_CONFIG:
            value = topic.config()[name]
            if found[name].value != value:
                message = (
                    f"topic {topic.name}: {name} is {found[name].value}, and must be {value}: "
                    f"kafka-configs.sh --alter --topic {topic.name} --add-config {name}={value}"
                )
                raise RefusedStartError(message)


def _begin(admin: AdminClient, settings: Settings, stages: Sequence[Stage]) -> list[str]:
    """Commit the first offset of each input partition that has none, and write its first checkpoint before."""
    inputs = [(stage.reads.name, number) for stage in stages for number in range(settings.partitions)]
    committed = committed_offsets(settings, inputs)
    fresh = [key for key, offset in committed.items() if offset < 0]
    if not fresh:
        return []
    starts = _log_starts(admin, fresh)
    with_tables = {stage.reads.name: topics.changelog(stage.name).name for stage in _with_tables(stages)}
    _refuse_used_changelogs(admin, [(with_tables[topic], number) for topic, number in fresh if topic in with_tables])
    producer = clients.producer(settings)
    for topic, number in fresh:
        if topic in with_tables:
            producer.produce(with_tables[topic], checkpoint(starts[topic, number]), CHECKPOINT_KEY, number, _check)
    if producer.flush(REQUEST_SECONDS):
        message = f"the first checkpoints were not acknowledged within {REQUEST_SECONDS:g} s: run this again"
        raise RefusedStartError(message)
    offsets = [TopicPartition(topic, number, starts[topic, number]) for topic, number in fresh]
    group = clients.group_reader(settings)
    group.commit(offsets=offsets, asynchronous=False)
    group.close()
    return [f"begins {topic}-{number} at {starts[topic, number]}" for topic, number in fresh]


def _check(error: confluent_kafka.KafkaError | None, record: confluent_kafka.Message) -> None:
    """Refuse to go on when a first checkpoint was not written: offsets without one would stop every worker."""
    if error is not None:
        message = f"the first checkpoint of {record.topic()}-{record.partition()} was not written: {error}"
        raise RefusedStartError(message)


def _log_starts(admin: AdminClient, partitions: Sequence[Partition]) -> dict[Partition, int]:
    earliest = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
    futures = admin.list_offsets({TopicPartition(topic, number): earliest for topic, number in partitions})
    return {(p.topic, p.partition): future.result(REQUEST_SECONDS).offset for p, future in futures.items()}


def _refuse_used_changelogs(admin: AdminClient, changelogs: Sequence[Partition]) -> None:
    """Refuse changelogs that hold more than a first checkpoint: beginning again would process everything twice."""
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    futures = admin.list_offsets({TopicPartition(topic, number): latest for topic, number in changelogs})
    for partition, future in futures.items():
        if future.result(REQUEST_SECONDS).offset > 1:
            message = (
                f"{partition.topic}-{partition.partition} holds the tables of a deployment whose committed offsets are "
                "gone: beginning again would process everything twice. Restore the offsets from its checkpoints"
            )
            raise RefusedStartError(message)


def _with_tables(stages: Iterable[Stage]) -> list[DecidingStage]:
    return [stage for stage in stages if isinstance(stage, DecidingStage) and stage.tables]
