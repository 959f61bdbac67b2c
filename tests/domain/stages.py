"""The deciding stages by name, folded afresh."""

from __future__ import annotations

from agents import stages
from pipeline.engine.stage import DecidingStage
from pipeline.settings import Settings
from tests.domain.folding import Folded


def folded(name: str) -> Folded:
    """Give a stage with empty tables."""
    (stage,) = (stage for stage in stages(Settings()) if stage.name == name)
    assert isinstance(stage, DecidingStage)
    return Folded(stage)
