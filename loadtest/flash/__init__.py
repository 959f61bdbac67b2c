"""A flash sale on a real Kafka: far more buyers than units, and the worker that decides is killed half-way."""
