"""A pool's network, told from the command line: plans, products, warehouses, and a warehouse's scanners."""
