"""Reports that came before their parcel, by fulfilment id: PARKED_REPORTS_MAX at most, about 100 bytes each.

Reports of parcels that never come stay: an id that is not ours is the carrier's mistake, and each has its event.
"""

from __future__ import annotations

from pipeline.domain.tracking_state import ParkedReports
from pipeline.topics import Table

PARKED_REPORTS = Table(name="parked_reports", value=ParkedReports, keeps="until the parcel comes", entries_max=100_000)
