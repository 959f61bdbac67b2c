"""The load test: real orders, an open-loop generator, and an independent check of what came of them."""
