from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import SettingsError
from pipeline.settings import VARIABLES, Settings, read_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def nothing_up(tmp_path: Path) -> dict[str, str]:
    return {"HOLDFAST_RUN_DIR": str(tmp_path)}


def test_every_field_has_a_variable() -> None:
    assert set(VARIABLES) == set(Settings.__struct_fields__)


def test_an_empty_environment_gives_the_defaults(nothing_up: dict[str, str], tmp_path: Path) -> None:
    assert read_settings(nothing_up) == Settings(run_dir=tmp_path)


def test_texts_become_numbers(nothing_up: dict[str, str]) -> None:
    environ = {**nothing_up, "HOLDFAST_PARTITIONS": "12", "HOLDFAST_COMMIT_INTERVAL_SECONDS": "0.05"}
    settings = read_settings(environ)
    assert (settings.partitions, settings.commit_interval_seconds) == (12, 0.05)


def test_client_properties_are_a_json_object(nothing_up: dict[str, str]) -> None:
    environ = {**nothing_up, "KAFKA_CONFIG": '{"security.protocol": "SSL"}'}
    assert read_settings(environ).kafka_config == {"security.protocol": "SSL"}


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("HOLDFAST_PARTITIONS", "four"),
        ("HOLDFAST_PARTITIONS", "0"),
        ("KAFKA_REPLICATION", "-1"),
        ("HOLDFAST_BATCH_RECORDS_MAX", "1.5"),
        ("HOLDFAST_SESSION_TIMEOUT_SECONDS", "0"),
        ("HOLDFAST_COMMIT_INTERVAL_SECONDS", "soon"),
        ("KAFKA_CONFIG", "security.protocol=SSL"),
        ("KAFKA_CONFIG", "[1]"),
        ("KAFKA_CONFIG", '{"a": 1}'),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_variable(
    nothing_up: dict[str, str], variable: str, text: str
) -> None:
    with pytest.raises(SettingsError, match=variable):
        read_settings({**nothing_up, variable: text})


def test_a_service_that_is_needed_and_not_there_is_named(nothing_up: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="KAFKA_BOOTSTRAP_SERVERS is not set"):
        read_settings(nothing_up, needs=("kafka",))


def test_an_embedded_service_is_found_and_the_environment_comes_before_it(
    nothing_up: dict[str, str], tmp_path: Path
) -> None:
    endpoints = {"kafka": "127.0.0.1:20001", "redis": "redis://127.0.0.1:20002/0", "processes": {}}
    (tmp_path / "services.json").write_text(json.dumps(endpoints))
    settings = read_settings({**nothing_up, "REDIS_URL": "redis://elsewhere:6379/0"}, needs=("kafka", "redis"))
    assert (settings.kafka, settings.redis) == ("127.0.0.1:20001", "redis://elsewhere:6379/0")


def test_a_broken_endpoints_file_is_named(nothing_up: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "services.json").write_text("{")
    with pytest.raises(SettingsError, match=r"services\.json: not a JSON object"):
        read_settings(nothing_up)
