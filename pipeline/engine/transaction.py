"""The transaction: one a worker, open all the time; it holds outputs, changes and offsets until it commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, TopicPartition

from pipeline.engine import clients
from pipeline.engine.membership import Membership, group_metadata
from pipeline.errors import RefusedStartError, UnknownOutcomeError

if TYPE_CHECKING:
    from pipeline.engine.restore import Partition
    from pipeline.settings import Settings

INIT_SECONDS = 60.0
COMMIT_SECONDS = 30.0


class Transaction:
    """Records and offsets that become visible together, or not at all.

    `produce` is librdkafka's own: it costs less than a microsecond and reports failures when the transaction commits.
    """

    def __init__(self, settings: Settings) -> None:
        """Fence whoever had this slot before, and begin. Blocks. Raises RefusedStartError."""
        self._producer = clients.transactional_producer(settings)
        self.produce = self._producer.produce
        self.offsets: dict[Partition, int] = {}
        self.records = 0
        try:
            self._producer.init_transactions(INIT_SECONDS)
            self._producer.begin_transaction()
        except KafkaException as error:
            message = f"no transaction can be begun: {error}"
            raise RefusedStartError(message) from error

    def advance(self, partition: Partition, next_offset: int, records: int) -> None:
        """Note that an input is processed up to `next_offset`."""
        self.offsets[partition] = next_offset
        self.records += records

    def commit(self, membership: Membership) -> None:
        """Commit under the membership that the records were read under, and begin again. Blocks.

        Raises UnknownOutcomeError on anything but success: only a restart tells what happened.
        """
        positions = [TopicPartition(topic, number, offset) for (topic, number), offset in self.offsets.items()]
        try:
            self._producer.send_offsets_to_transaction(positions, group_metadata(membership), COMMIT_SECONDS)
            self._producer.commit_transaction(COMMIT_SECONDS)
            self._producer.begin_transaction()
        except KafkaException as error:
            message = (
                f"the transaction of {membership.member} in generation {membership.generation} did not commit: {error}"
            )
            raise UnknownOutcomeError(message) from error
        self.offsets.clear()
        self.records = 0
