from __future__ import annotations

import pytest

from agents import STAGE_NAMES, stages
from agents.faust_cli import main as faust_main
from agents.worker import chosen
from pipeline.errors import SettingsError
from pipeline.settings import Settings


def test_a_worker_runs_all_stages_unless_some_are_named() -> None:
    assert [stage.name for stage in chosen(Settings(), "")] == list(STAGE_NAMES)
    assert [stage.name for stage in chosen(Settings(), "routing, dedup")] == ["dedup", "routing"]


def test_a_stage_that_does_not_exist_stops_the_start_and_is_named() -> None:
    with pytest.raises(SettingsError, match="no stage is called 'shipping'; there are ingest, dedup"):
        chosen(Settings(), "dedup,shipping")


def test_every_stage_reads_a_topic_of_its_own() -> None:
    read = [stage.reads.name for stage in stages(Settings())]
    assert len(set(read)) == len(read) == len(STAGE_NAMES)


def test_faust_lists_one_agent_a_stage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    assert faust_main(["agents"]) == 0
    listed = capsys.readouterr().out
    for name in STAGE_NAMES:
        assert f"@agents.{name} " in listed
