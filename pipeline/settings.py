"""The settings: read once from the environment, checked at once, passed down as one frozen value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
ENDPOINTS_FILE = "services.json"
"""Where the embedded services write their addresses, in the run directory."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a process of this project is told from outside. Units are in the names.

    Each field is read from the environment variable in `VARIABLES`; a service that is not named there is looked up
    among the embedded services that are up.
    """

    run_dir: Path = ROOT / ".run"
    deployment: str = "holdfast"
    """Names the consumer group, and begins every transactional id: two deployments on one broker need two names."""
    slot: str = "0"
    """This worker's place in the deployment. One live worker a slot: the newer one fences the older one."""
    kafka: str = ""
    kafka_config: dict[str, str] = {}
    """Further librdkafka properties for every client: security.protocol, sasl.mechanism and so on."""
    redis: str = ""
    clickhouse: str = ""
    partitions: int = 4
    replication: int = 1
    shop_pools_file: str = ""
    """A JSON object from shop id to stock pool. A shop that it does not name is a pool of its own."""
    shopify_secrets: str = ""
    """The app's client secrets, separated by commas: two of them while one is rotated."""
    carrier_url: str = "http://127.0.0.1:9801/std/service"
    carrier_partner: str = "HOLDFAST"
    carrier_check_word: str = ""
    carrier_monthly_card: str = ""
    carrier_senders_file: str = ""
    """A JSON object from warehouse to who sends from there: contact, mobile, province, city, county, address."""
    sandbox_options: str = ""
    """Further options for the carrier sandbox that `up` starts: `--lost-share 0.01 …`."""
    gateway_port: int = 9800
    gateway_token: str = ""
    """The secret that a carrier's push must carry. Empty: the gateway listens on loopback only."""
    metrics_port: int = 0
    """0: a free port, written to the run directory."""
    commit_interval_seconds: float = 0.1
    batch_records_max: int = 1000
    page_entries: int = 1024
    """Settled entries of a table that move to a page together."""
    dead_letters_in_a_row_max: int = 1000
    session_timeout_seconds: float = 6.0
    checkpoint_wait_seconds: float = 30.0
    """How long a restore waits for the markers of the last transaction to arrive everywhere."""
    clock_interval_seconds: float = 1.0
    """How often `clock` says what time it is."""
    log_level: str = "INFO"


VARIABLES = {
    "run_dir": "HOLDFAST_RUN_DIR",
    "deployment": "HOLDFAST_DEPLOYMENT",
    "slot": "HOLDFAST_SLOT",
    "kafka": "KAFKA_BOOTSTRAP_SERVERS",
    "kafka_config": "KAFKA_CONFIG",
    "redis": "REDIS_URL",
    "clickhouse": "CLICKHOUSE_URL",
    "partitions": "HOLDFAST_PARTITIONS",
    "replication": "KAFKA_REPLICATION",
    "shop_pools_file": "HOLDFAST_SHOP_POOLS_FILE",
    "shopify_secrets": "HOLDFAST_SHOPIFY_SECRETS",
    "carrier_url": "HOLDFAST_CARRIER_URL",
    "carrier_partner": "HOLDFAST_CARRIER_PARTNER",
    "carrier_check_word": "HOLDFAST_CARRIER_CHECK_WORD",
    "carrier_monthly_card": "HOLDFAST_CARRIER_MONTHLY_CARD",
    "carrier_senders_file": "HOLDFAST_CARRIER_SENDERS_FILE",
    "sandbox_options": "HOLDFAST_SANDBOX_OPTIONS",
    "gateway_port": "HOLDFAST_GATEWAY_PORT",
    "gateway_token": "HOLDFAST_GATEWAY_TOKEN",
    "metrics_port": "HOLDFAST_METRICS_PORT",
    "commit_interval_seconds": "HOLDFAST_COMMIT_INTERVAL_SECONDS",
    "page_entries": "HOLDFAST_PAGE_ENTRIES",
    "batch_records_max": "HOLDFAST_BATCH_RECORDS_MAX",
    "dead_letters_in_a_row_max": "HOLDFAST_DEAD_LETTERS_IN_A_ROW_MAX",
    "session_timeout_seconds": "HOLDFAST_SESSION_TIMEOUT_SECONDS",
    "checkpoint_wait_seconds": "HOLDFAST_CHECKPOINT_WAIT_SECONDS",
    "clock_interval_seconds": "HOLDFAST_CLOCK_INTERVAL_SECONDS",
    "log_level": "HOLDFAST_LOG_LEVEL",
}
ABOVE_ZERO = (
    "partitions",
    "replication",
    "commit_interval_seconds",
    "batch_records_max",
    "page_entries",
    "dead_letters_in_a_row_max",
    "session_timeout_seconds",
    "clock_interval_seconds",
)
SERVICES = ("kafka", "redis", "clickhouse")


def read_settings(environ: Mapping[str, str], *, needs: tuple[str, ...] = ()) -> Settings:
    """Read the settings; `needs` names the services that the caller cannot do without.

    Raises SettingsError, with one line that names the variable.
    """
    given: dict[str, object] = {}
    for field, variable in VARIABLES.items():
        if variable in environ:
            text = environ[variable]
            given[field] = _json(variable, text) if field == "kafka_config" else text
    run_dir = Path(str(given.get("run_dir", Settings().run_dir)))
    given = {**_embedded(run_dir), **given}
    for service in needs:
        if not given.get(service):
            message = (
                f"{VARIABLES[service]} is not set and no embedded {service} is up: set it, or run "
                "`python -m pipeline services up`"
            )
            raise SettingsError(message)
    return _checked(given)


def _checked(given: Mapping[str, object]) -> Settings:
    """Convert one field at a time, so that the error names the variable."""
    hints = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    values: dict[str, Any] = {}
    for field, value in given.items():
        try:
            kind = hints[field]
            values[field] = Path(str(value)) if kind is Path else msgspec.convert(value, kind, strict=False)
        except msgspec.ValidationError as error:
            message = f"{VARIABLES[field]}: {error} (it is {value!r})"
            raise SettingsError(message) from error
    settings = Settings(**values)
    for field in ABOVE_ZERO:
        if getattr(settings, field) <= 0:
            message = f"{VARIABLES[field]}: must be above 0 (it is {getattr(settings, field)})"
            raise SettingsError(message)
    return settings


def _embedded(run_dir: Path) -> dict[str, object]:
    """Look up the addresses of the embedded services that are up."""
    path = run_dir / ENDPOINTS_FILE
    if not path.exists():
        return {}
    endpoints = _json(str(path), path.read_text())
    return {service: endpoints[service] for service in SERVICES if service in endpoints}


def _json(name: str, text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError as error:
        message = f"{name}: not a JSON object ({error})"
        raise SettingsError(message) from error
    if not isinstance(value, dict):
        message = f"{name}: not a JSON object"
        raise SettingsError(message)
    return value
