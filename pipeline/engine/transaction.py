"""The transaction: one a worker, open all the time; it holds outputs, changes and offsets until it commits.

librdkafka sends a request again whose answer is lost, and does not tell. The first request may then reach the broker
after the answer to the second one, and so fall into the *next* transaction: a late EndTxn commits half of it, since
librdkafka keeps the producer's epoch from one transaction to the next (it has no part 2 of KIP-890). A retry comes no
sooner than `retry.backoff.ms`, so a commit that was answered sooner was sent once. After any other the producer is
made anew: that raises the epoch, and the broker refuses what is late.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, TopicPartition

from pipeline.engine import clients
from pipeline.engine.membership import Membership, group_metadata
from pipeline.errors import EngineError, RefusedStartError, UnknownOutcomeError

if TYPE_CHECKING:
    from pipeline.engine.restore import Partition
    from pipeline.settings import Settings

INIT_SECONDS = 60.0
COMMIT_SECONDS = 30.0
SENT_ONCE_SECONDS = clients.RETRY_BACKOFF_MS / 1000 * 0.8 - 0.05
"""A commit that took longer may have been sent twice: retries come up to 20 % before their time."""

log = logging.getLogger(__name__)


class Transaction:
    """Records and offsets that become visible together, or not at all.

    `produce` is librdkafka's own: it costs less than a microsecond and reports failures when the transaction commits.
    """

    def __init__(self, settings: Settings) -> None:
        """Fence whoever had this slot before, and begin. Blocks. Raises RefusedStartError."""
        self._settings = settings
        self.offsets: dict[Partition, int] = {}
        self.records = 0
        self._is_committing = False
        try:
            self._fence()
        except KafkaException as error:
            message = f"no transaction can be begun: {error}"
            raise RefusedStartError(message) from error

    def _fence(self) -> None:
        """Take a producer with a new epoch, which makes every older one of this slot void, and begin."""
        self._producer = clients.transactional_producer(self._settings)
        self.produce = self._producer.produce
        self._producer.init_transactions(INIT_SECONDS)
        self._producer.begin_transaction()

    def advance(self, partition: Partition, next_offset: int, records: int) -> None:
        """Note that an input is processed up to `next_offset`. Raises EngineError while the transaction commits."""
        if self._is_committing:
            message = f"{partition[0]}-{partition[1]} was processed up to {next_offset} while the transaction commits"
            raise EngineError(message)
        self.offsets[partition] = next_offset
        self.records += records

    def commit(self, membership: Membership) -> None:
        """Commit under the membership that the records were read under, and begin again. Blocks.

        Raises UnknownOutcomeError on anything but success: only a restart tells what happened.
        """
        self._is_committing = True
        positions = [TopicPartition(topic, number, offset) for (topic, number), offset in self.offsets.items()]
        try:
            # The records first: they carry sequence numbers, so sending one of them again is harmless.
            self._producer.flush(COMMIT_SECONDS)
            started = time.monotonic()
            self._producer.send_offsets_to_transaction(positions, group_metadata(membership), COMMIT_SECONDS)
            self._producer.commit_transaction(COMMIT_SECONDS)
            took_seconds = time.monotonic() - started
            if took_seconds < SENT_ONCE_SECONDS:
                self._producer.begin_transaction()
            else:
                log.info("a commit took %.2f s, and may have been sent twice: a new epoch begins", took_seconds)
                self._fence()
        except KafkaException as error:
            message = (
                f"the transaction of {membership.member} in generation {membership.generation} did not commit: {error}"
            )
            raise UnknownOutcomeError(message) from error
        self.offsets.clear()
        self.records = 0
        self._is_committing = False
