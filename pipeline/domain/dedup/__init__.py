"""Dedup: each order once, and what becomes of it until it is sent on. Begin with `deciding`."""
