"""Routing: which warehouses ship an order, and how they work through it. Begin with `deciding`."""
