"""Tracking: where each parcel is. Begin with `deciding`."""
