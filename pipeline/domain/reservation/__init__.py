"""Reservation: all stock that is promised, exactly once. Begin with `deciding`."""
