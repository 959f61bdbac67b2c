from __future__ import annotations

import confluent_kafka
import pytest

from pipeline.engine.membership import NO_GENERATION, Membership, check_layout, group_metadata


@pytest.mark.parametrize("instance", ["", "shop-1"])
def test_the_metadata_is_what_librdkafka_writes_itself(instance: str) -> None:
    config = {"bootstrap.servers": "127.0.0.1:9", "group.id": "orders", "log_level": 0}
    if instance:
        config["group.instance.id"] = instance
    consumer = confluent_kafka.Consumer(config)
    theirs = consumer.consumer_group_metadata()
    consumer.close()
    assert group_metadata(Membership("orders", NO_GENERATION, "", instance)) == theirs


def test_generation_and_member_are_part_of_it() -> None:
    one = group_metadata(Membership("orders", 7, "worker-a"))
    assert one == b"CGMDv2:\x07\x00\x00\x00orders\x00worker-a\x00\x01"
    assert one != group_metadata(Membership("orders", 8, "worker-a"))
    assert one != group_metadata(Membership("orders", 7, "worker-b"))


def test_this_librdkafka_passes_the_check_before_the_start() -> None:
    check_layout()
