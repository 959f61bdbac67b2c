"""The engine: Faust agents on partition batches, one librdkafka transaction a worker, tables with checkpoints.

The only code that knows Faust and librdkafka's transactions.
"""
