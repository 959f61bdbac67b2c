"""The servers that the demo and the tests start on this machine: Kafka, Redis and ClickHouse, without root or Docker."""
