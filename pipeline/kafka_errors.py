"""Which errors of a Kafka client pass by themselves.

librdkafka hands on, as messages, fetch errors that it does not know, and goes on fetching after each. Errors that come
so carry no `retriable` mark (it is set on errors of calls alone), so the codes are named here: those that Kafka's
protocol calls retriable, but for a corrupt batch, which stays so; and the client's own for a broker that is away.
"""

from __future__ import annotations

from confluent_kafka import KafkaError

PASSING = frozenset(
    {
        KafkaError._TRANSPORT,  # noqa: SLF001  its public name
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.FETCH_SESSION_ID_NOT_FOUND,
        KafkaError.INVALID_FETCH_SESSION_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.THROTTLING_QUOTA_EXCEEDED,
    }
)


def passes(error: KafkaError) -> bool:
    """Say whether an error that a consumer gave instead of a record passes while the client goes on trying."""
    return error.code() in PASSING
