"""Holdfast: order fulfilment as a stream."""
