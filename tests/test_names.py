from __future__ import annotations

from importlib.metadata import packages_distributions

import pytest


@pytest.mark.parametrize("name", ["pipeline", "agents", "tables", "sinks", "loadtest"])
def test_no_installed_distribution_claims_a_name_of_ours(name: str) -> None:
    assert packages_distributions().get(name, []) == []
