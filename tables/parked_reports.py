"""Reports that came before their parcel, by fulfilment id: PARKED_REPORTS_MAX at most, about 100 bytes each.

Reports of parcels that never come: an id that is not ours is the carrier's mistake, and each report has its event.
"""

from __future__ import annotations

from pipeline.domain.tracking.state import ParkedReports
from pipeline.topics import DAY_MS, Table

PARKED_REPORTS = Table(
    name="parked_reports",
    value=ParkedReports,
    keeps="until the parcel comes, 30 days at most",
    entries_max=1_000_000,
    settled=ParkedReports.is_settled,
    keep_ms=30 * DAY_MS,
)
