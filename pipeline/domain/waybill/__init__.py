"""Waybills: one live waybill a parcel. Begin with `deciding`."""
