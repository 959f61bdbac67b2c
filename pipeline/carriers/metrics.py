"""What the carriers' side counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

CALL_SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0)

CALLS = Counter(
    "holdfast_carrier_calls_total", "Carrier calls by what is known after them.", ("carrier", "kind", "answer")
)
CALL_SECONDS = Histogram(
    "holdfast_carrier_call_seconds",
    "From sending a carrier call to having read its answer, or having given up.",
    ("carrier", "kind"),
    buckets=CALL_SECONDS_BUCKETS,
)
PUSHES = Counter("holdfast_gateway_pushes_total", "Carriers' pushes by how they were answered.", ("carrier", "outcome"))
ROUTES = Counter("holdfast_gateway_routes_total", "Reports that the log has acknowledged.", ("carrier", "report"))
PUSH_SECONDS = Histogram(
    "holdfast_gateway_push_seconds",
    "From reading a push to the log's acknowledgement of its last record.",
    ("carrier",),
    buckets=CALL_SECONDS_BUCKETS,
)
