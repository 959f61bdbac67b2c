"""What a profile says, and how its file is read: every field is checked, and an error names the file and the field."""

from __future__ import annotations

import math
import tomllib
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import asdict, replace

from loadtest.scenario import Shares
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER = Path(__file__).parent
SECONDS_MAX = 86_400.0
PER_SECOND_MAX = 100_000.0
ORDERS_MAX = 5_000_000
"""All records of a load are made before the first is sent, and the generator has them in memory."""
LINES_MAX = 50

Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(gt=0, le=SECONDS_MAX)]
PerSecond = Annotated[float, Meta(ge=0, le=PER_SECOND_MAX)]
Limit = Annotated[float, Meta(gt=0)]
Name = Annotated[str, Meta(min_length=1, max_length=60)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a profile's file."""


class Phase(_Part, frozen=True, kw_only=True):
    """A part of the load's time with a rate of orders, which goes evenly to another rate where one is given."""

    name: Name
    seconds: Seconds
    per_second: PerSecond
    to_per_second: PerSecond | None = None
    warms_up: bool = False
    """Comes before what is measured, for servers to compile and to fill their caches: the check judges its orders like
    all others, and no latency counts them."""

    @property
    def ends_per_second(self) -> float:
        """The rate at the phase's end."""
        return self.per_second if self.to_per_second is None else self.to_per_second

    @property
    def orders(self) -> float:
        """How many orders come in the phase."""
        return (self.per_second + self.ends_per_second) / 2 * self.seconds


class Goods(_Part, frozen=True, kw_only=True):
    """What an order is made of."""

    lines: Annotated[tuple[Share, ...], Meta(max_length=LINES_MAX)] = ()
    """The shares of the orders with 1, 2, … lines; together 1. Empty: the baskets as they are, 9.4 lines on average."""
    zipf_exponent: Annotated[float, Meta(ge=0, le=5)] = 0.0
    """Above 0: SKUs by Zipf's law, the k-th of them 1/k^exponent as often as the first. 0: as often as the grocer's."""
    zipf_skus: Annotated[int, Meta(ge=1, le=10_000_000)] = 10_000
    hot_share: Share = 0.0
    """So many of the orders want one unit of the same SKU from the same shop, and nothing else."""
    hot_stock_share: Share = 1.0
    """So much of what is wanted of that SKU is there, and up to 30 % more (see loadtest/stock.py)."""
    scarce_share: Share = 0.0
    """So many of the SKUs sell out."""


class Mix(_Part, frozen=True, kw_only=True):
    """How many of the orders take another way than to come once, paid: see `loadtest.scenario.Shares`."""

    unpaid: Share = 0.0
    twice: Share = 0.0
    out_of_order: Share = 0.0
    cancelled: Share = 0.0
    address: Share = 0.0
    late: Share = 0.0
    suspected: Share = 0.0

    def shares(self) -> Shares:
        """Give them to the scenario."""
        return Shares(**asdict(self))


class FaultKind(StrEnum):
    """What can be done to a run at a time of its own; `loadtest chaos` has many more kinds."""

    WORKER_KILL = "worker-kill"
    CARRIER_OUTAGE = "carrier-outage"


class Fault(_Part, frozen=True, kw_only=True):
    """A fault at a time of the load; `seconds`: how long the carrier is out, of no meaning for a kill."""

    kind: FaultKind
    at_seconds: Annotated[float, Meta(ge=0, le=SECONDS_MAX)]
    seconds: Seconds = 10.0


class Targets(_Part, frozen=True, kw_only=True):
    """What a run of the whole profile is to reach; what is not named is measured and not judged."""

    p99_ms: Limit | None = None
    """From the intended send to the last stage."""
    backlog_gone_seconds: Limit | None = None
    """From the end of the phase with the highest rate until each of its orders is decided."""
    growth_bytes_per_order: Limit | None = None
    """Of each process of the deployment, over the second half of the load."""


class Profile(_Part, frozen=True, kw_only=True):
    """A load: how many orders when, what they are made of, what happens meanwhile, and what is asked of the run."""

    says: Annotated[str, Meta(min_length=1, max_length=200)]
    phases: Annotated[tuple[Phase, ...], Meta(min_length=1)]
    goods: Goods = Goods()
    mix: Mix = Mix()
    faults: tuple[Fault, ...] = ()
    targets: Targets = Targets()
    random_arrivals: bool = False
    """Orders come independently of one another (Poisson) instead of evenly."""
    report_interval_seconds: Seconds = 5.0
    """Between two reports of a parcel's way; there are four, where a real parcel's take days."""
    pickup_seconds: Annotated[float, Meta(ge=0, le=SECONDS_MAX)] = 0.0
    """How much later than that a parcel's first report comes, where a real one's takes hours."""
    linger_ms: Annotated[int, Meta(ge=0, le=1000)] = 5
    """How long shops gather a batch. Too short for a busy broker, librdkafka waits for its answers in a loop that never
    sleeps: at 5,000/s and 20 ms its thread took up to 62 µs a record, at 100 ms 9 to 21."""
    late_p99_ms_max: Limit = 50.0
    """A generator that was later than this with one record in a hundred has measured itself: the run is void."""

    @property
    def seconds(self) -> float:
        """How long the load is."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def warm_seconds(self) -> float:
        """How long the load goes before it is measured."""
        return sum(phase.seconds for phase in self.phases if phase.warms_up)

    def sized(self, scale: float, seconds: float | None) -> Profile:
        """Multiply all rates by `scale`, and stretch all times (not how long a fault is) to a load of `seconds`."""
        stretch = (seconds or self.seconds) / self.seconds
        phases = (
            replace(
                phase,
                seconds=phase.seconds * stretch,
                per_second=phase.per_second * scale,
                to_per_second=None if phase.to_per_second is None else phase.to_per_second * scale,
            )
            for phase in self.phases
        )
        faults = (replace(fault, at_seconds=fault.at_seconds * stretch) for fault in self.faults)
        return replace(
            self,
            phases=tuple(phases),
            faults=tuple(faults),
            report_interval_seconds=self.report_interval_seconds * stretch,
            pickup_seconds=self.pickup_seconds * stretch,
        )


def names() -> list[str]:
    """Give the profiles that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def find(name: str) -> Path:
    """Give the file of a profile: one of ours by its name, or any by its path. Raises SettingsError."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        message = f"{name}: there is no such profile; there are {', '.join(names())}, or give the path of a .toml file"
        raise SettingsError(message)
    return path


def read(path: Path) -> Profile:
    """Read a profile. Raises SettingsError, which names the file, the field and why."""
    try:
        told = tomllib.loads(path.read_text())
        profile = msgspec.convert(told, Profile)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"{path}: {error}"
        raise SettingsError(message) from error
    except msgspec.ValidationError as error:
        text, _, field = str(error).partition(" - at `$.")
        message = f"{path}: {field.rstrip('`')}: {text}" if field else f"{path}: {text}"
        raise SettingsError(message) from error
    try:
        check(profile)
    except SettingsError as error:
        message = f"{path}: {error}"
        raise SettingsError(message) from error
    return profile


def check(profile: Profile) -> None:
    """Check what no single field can say. Raises SettingsError, which names the field."""
    for field, why in _wrong(profile):
        message = f"{field}: {why}"
        raise SettingsError(message)


def _wrong(profile: Profile) -> Iterator[tuple[str, str]]:
    for why in _wrong_phases(profile.phases):
        yield "phases", why
    lines = sum(profile.goods.lines)
    if profile.goods.lines and not math.isclose(lines, 1, abs_tol=1e-6):
        yield "goods.lines", f"the shares sum up to {lines:g} and not to 1"
    if profile.goods.zipf_exponent and not profile.goods.lines:
        yield "goods.zipf_exponent", "a basket as it is has its own SKUs: say in goods.lines how many lines there are"
    mix = sum(asdict(profile.mix).values())
    if mix > 1:
        yield "mix", f"the shares sum up to {mix:g}: at most 1 is allowed"
    for place, fault in enumerate(profile.faults):
        if fault.at_seconds >= profile.seconds:
            yield f"faults[{place}].at_seconds", f"{fault.at_seconds:g} is after the load's {profile.seconds:g} s"
    outages = [fault for fault in profile.faults if fault.kind is FaultKind.CARRIER_OUTAGE]
    for before, after in pairwise(sorted(outages, key=lambda fault: fault.at_seconds)):
        if before.at_seconds + before.seconds > after.at_seconds:
            yield "faults", f"the carrier's outage at {after.at_seconds:g} s begins before the one before it is over"


def _wrong_phases(phases: Sequence[Phase]) -> Iterator[str]:
    orders = sum(phase.orders for phase in phases)
    if not 1 <= orders <= ORDERS_MAX:
        yield f"{orders:,.1f} orders in all: 1 to {ORDERS_MAX:,} are allowed"
    for before, after in pairwise(phases):
        if after.warms_up and not before.warms_up:
            yield f"{after.name} is to warm up what {before.name} has measured: warm-ups come first"
    if all(phase.warms_up for phase in phases):
        yield "all of them are warm-ups: nothing is measured"
