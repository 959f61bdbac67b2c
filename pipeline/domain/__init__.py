"""The rules of order fulfilment: pure functions on small values. Imports the standard library and msgspec only."""
