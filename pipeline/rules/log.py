"""The log of versions in Kafka: read whole, and appended to by one editor at a time.

All editors share one transactional id. Who begins fences whoever began before: of two people who change the rules at
once the second one's version counts, and the first one is told that nothing of theirs was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import confluent_kafka
import msgspec
from confluent_kafka import KafkaException, TopicPartition

from pipeline import topics
from pipeline.domain.rules.active import SetRules
from pipeline.engine import clients
from pipeline.errors import HoldfastError
from pipeline.rules.versions import Version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.settings import Settings

EDITOR = "rules"
"""The slot of the transactional id: workers have numbers."""
BEGIN_SECONDS = 30.0
COMMIT_SECONDS = 30.0
METADATA_SECONDS = 10.0
READ_SECONDS = 1.0
READ_SECONDS_MAX = 30.0
"""How long the log may stay silent before its end."""
READ_RECORDS_MAX = 1000

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Version).decode


def read_log(settings: Settings) -> list[Version]:
    """Read all versions, the oldest first. Raises HoldfastError where the log cannot be read."""
    start = TopicPartition(topics.RULES_LOG.name, 0, confluent_kafka.OFFSET_BEGINNING)
    versions = []
    for message in read_to_end(settings, start):
        try:
            versions.append(_decode(message.value() or b""))
        except msgspec.MsgspecError as error:
            text = f"{topics.RULES_LOG.name}-0-{message.offset()} is no version of the rules: {error}"
            raise HoldfastError(text) from error
    return versions


def read_to_end(settings: Settings, start: TopicPartition) -> Iterator[confluent_kafka.Message]:
    """Give the committed records of one partition, from an offset to its end. Raises HoldfastError."""
    consumer = clients.committed_reader(settings)
    consumer.assign([start])
    silent_seconds = 0.0
    try:
        while silent_seconds < READ_SECONDS_MAX:
            found = consumer.consume(READ_RECORDS_MAX, READ_SECONDS)
            silent_seconds = 0.0 if found else silent_seconds + READ_SECONDS
            for message in found:
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == confluent_kafka.KafkaError._PARTITION_EOF:  # noqa: SLF001  its public name
                    return
                else:
                    text = f"{start.topic} cannot be read: {error}. Were the topics made (`python -m pipeline topics`)?"
                    raise HoldfastError(text)
    finally:
        consumer.close()
    text = (
        f"{start.topic}-{start.partition} gave nothing for {READ_SECONDS_MAX:g} s, not even its end: "
        f"is Kafka at {settings.kafka}?"
    )
    raise HoldfastError(text)


def append(settings: Settings, make: Callable[[Sequence[Version]], Version | None]) -> Version | None:
    """Append the version that `make` gives for those there are, and send it to every worker; None: nothing to do.

    Raises HoldfastError when it was not made, or, with other words, when nobody knows whether it was.
    """
    editor = clients.transactional_producer(msgspec.structs.replace(settings, slot=EDITOR))
    try:
        editor.init_transactions(BEGIN_SECONDS)
        made = make(read_log(settings))
        if made is None:
            return None
        partitions = _partitions(editor)
        editor.begin_transaction()
        editor.produce(topics.RULES_LOG.name, _encode(made), partition=0)
        for number in range(partitions):
            editor.produce(topics.ORDER_COMMANDS.name, _encode(_command(made)), partition=number)
    except KafkaException as error:
        text = f"the rules were not changed: {error.args[0].str()}"
        raise HoldfastError(text) from error
    _commit(editor, made)
    return made


def _partitions(editor: confluent_kafka.Producer) -> int:
    name = topics.ORDER_COMMANDS.name
    topic = editor.list_topics(name, METADATA_SECONDS).topics[name]
    if topic.error is not None or not topic.partitions:
        text = f"topic {name} does not exist: run `python -m pipeline topics`"
        raise HoldfastError(text)
    return len(topic.partitions)


def _command(made: Version) -> SetRules:
    return SetRules(
        at=made.at,
        version=made.version,
        book=made.book,
        author=made.author,
        approver=made.approver,
        note=made.note,
    )


def _commit(editor: confluent_kafka.Producer, made: Version) -> None:
    try:
        editor.commit_transaction(COMMIT_SECONDS)
    except KafkaException as error:
        problem = error.args[0]
        if problem.code() in {confluent_kafka.KafkaError._FENCED, confluent_kafka.KafkaError.PRODUCER_FENCED}:  # noqa: SLF001  its public name
            text = "somebody else changed the rules at the same time, and nothing of this was made: look, and try again"
            raise HoldfastError(text) from error
        text = (
            f"whether version {made.version} was made is not known ({problem.str()}): "
            "`python -m pipeline rules history` tells"
        )
        raise HoldfastError(text) from error
