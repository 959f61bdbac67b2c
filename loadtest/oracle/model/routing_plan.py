"""The choice of warehouses under a plan, made again from what is promised of it.

The distances alone are read from the event, and checked against the provinces' capitals. A choice is a list of parts:
{fulfilment_id, warehouse, units, and what else the event must tell of a part}.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Any

from loadtest.geography import PROVINCES, Place, distance_km

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loadtest.oracle.model.answers import Command, Tables

CHINA = timezone(timedelta(hours=8))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KM_TOLERANCE = 5.0
SEARCH_MAX = 20_000
PARCELS_MAX = 32
STRATEGIES = ("nearest", "region", "cost", "load", "category", "priority")
Part = dict[str, Any]
Score = dict[str, Any]
Site = dict[str, Any]
"""A warehouse as it compares: its plan's words, where it stands, what it has."""


def choice(
    tables: Tables, command: Command, told: Sequence[Mapping[str, Any]]
) -> tuple[list[Part], list[Score], list[str]]:
    """Give an order's parts, the scores that must be told, and what is wrong with the distances that were."""
    plan = tables["plans"][command["pool"]]
    objections: list[str] = []
    sites = _sites(tables, command, plan, told, objections)
    _score(sites, command, tables, plan)
    wanted = [count for _, count in command["units"]]
    parts = _parts(tables, command, _chosen(sites, wanted, plan["water_line"]))
    return parts, [_told(site, wanted) for site in sites], objections


def _parts(tables: Tables, command: Command, chosen: Sequence[tuple[Site, list[int]]]) -> list[Part]:
    """Pack what each of the chosen ships, numbered from 1, with its money."""
    parts: list[Part] = []
    plan = tables["plans"][command["pool"]]
    for site, takes in chosen:
        share = [[sku, took] for (sku, _), took in zip(command["units"], takes, strict=True) if took]
        for parcel in _parcels(share, tables, command["pool"], plan):
            part = {"fulfilment_id": f"{command['order_id']}-{len(parts) + 1}", "warehouse": site["name"]}
            told_of = {
                "deliver_by": site["deliver_by"],
                "priority": command.get("priority", 0),
                "same_city": site["same_city"],
            }
            parts.append(part | {"units": parcel} | {name: value for name, value in told_of.items() if value})
    money(parts, command)
    return parts


def elsewhere(
    tables: Tables, command: Command, told: Sequence[Mapping[str, Any]]
) -> tuple[list[Part], list[Score], list[str]]:
    """Give what open warehouses ship of all of a part, the scores, and what is wrong with the distances told."""
    plan = tables["plans"][command["pool"]]
    objections: list[str] = []
    sites = _sites(tables, command, plan, told, objections)
    _score(sites, command, tables, plan)
    wanted = [count for _, count in command["units"]]
    chosen = _chosen([site for site in sites if site["standing"] != "closed"], wanted, plan["water_line"])
    return _parts(tables, command, chosen), [_told(site, wanted) for site in sites], objections


def _told(site: Site, wanted: Sequence[int]) -> Score:
    free = sum(min(has, want) for has, want in zip(site["free"], wanted, strict=True))
    score = {"warehouse": site["name"], "distance_km": site["km"], "units_free": free, "points": site["points"]}
    score |= {name: site[name] for name in ("score", "cost_minor", "deliver_by", "standing")}
    return {name: value for name, value in score.items() if value or name in {"distance_km", "units_free"}}


def china(at: int) -> datetime:
    """Give a time in China."""
    return (EPOCH + timedelta(milliseconds=at)).astimezone(CHINA)


def _ms(moment: datetime) -> int:
    return int((moment - EPOCH).total_seconds()) * 1000


def _sites(
    tables: Tables, command: Command, plan: Mapping[str, Any], told: Sequence[Mapping[str, Any]], objections: list[str]
) -> list[Site]:
    """Give the pool's warehouses, the nearest first, as far as they compare without each other."""
    distances = {score["warehouse"]: score["distance_km"] for score in told}
    words = {warehouse["name"]: warehouse for warehouse in plan["warehouses"]}
    sites = []
    for name, north, east in tables["warehouses"].get(command["pool"], [[]])[0]:
        site = _site(tables, command, plan, words.get(name, {"name": name}), distances.get(name, -1.0))
        objections.extend(_far_off(command, site, Place(north, east)))
        sites.append(site)
    return sorted(sites, key=lambda site: site["km"])


def _far_off(command: Command, site: Site, place: Place) -> Iterator[str]:
    home = [province.place for province in PROVINCES if _same(province.name, command["ship_to"]["province"])]
    if home and abs(distance_km(home[0], place) - site["km"]) > KM_TOLERANCE:
        yield f"order {command['order_id']}: {site['name']} is told to be {site['km']} km away"


def _same(one: str, other: str) -> bool:
    """Compare two provinces by the first two characters of their names, which tell all of them apart."""
    return one[:2] == other[:2] if one[:1] > "\u3000" else one.strip().lower() == other.strip().lower()


def _site(tables: Tables, command: Command, plan: Mapping[str, Any], words: Mapping[str, Any], km: float) -> Site:
    pool, name, province = command["pool"], words["name"], command["ship_to"]["province"]
    lanes = [lane["parcel_minor"] for lane in words.get("lanes", ()) if _same(lane["province"], province)]
    tenths = max(0, round(10 * km))
    price = words.get("parcel_minor", 0) + words.get("minor_per_100_km", 0) * tenths // 1000
    day, parts = tables["loads"].get(f"{pool}|{name}", (0, 0))
    today = parts if day >= (china(command["at"]).date() - EPOCH.date()).days else 0
    limit, city = words.get("daily_parts_max", 0), words.get("city", "")
    is_closed = f"{pool}|{name}" in tables["closures"]
    shelves = [tables["shelves"].get(f"{pool}|{name}|{sku}", (0, 0)) for sku, _ in command["units"]]
    same_city = bool(city) and city == command["ship_to"]["city"]
    return {
        "name": name,
        "km": km,
        "tenths": tenths,
        "outside": not any(_same(region, province) for region in words.get("regions", ())),
        "categories": words.get("categories", ()),
        "cost_minor": lanes[0] if lanes else price,
        "load": 1000 * today // limit if limit else 0,
        "standing": "closed" if is_closed else "full" if limit and today >= limit else "",
        "free": [max(0, on_hand - allocated) for on_hand, allocated in shelves],
        "same_city": same_city,
        "deliver_by": _arrival(command["at"], plan, tenths if km >= 0 else None, same_city=same_city),
    }


def _arrival(at: int, plan: Mapping[str, Any], tenths: int | None, *, same_city: bool) -> int:
    now = china(at)
    leaves = now + timedelta(days=1 if now.hour * 60 + now.minute >= plan["cutoff_minute"] else 0)
    days = 0 if same_city else 7 if tenths is None else 1 + tenths // (10 * plan["km_per_day"])
    return _ms((leaves + timedelta(days=days)).replace(hour=20, minute=0, second=0, microsecond=0))


def _score(sites: list[Site], command: Command, tables: Tables, plan: Mapping[str, Any]) -> None:
    """Give each site its points, 0 to 1000 for each strategy, and their weighted sum."""
    homes = {category for warehouse in plan["warehouses"] for category in warehouse["categories"]}
    kinds = [(tables["products"].get(f"{command['pool']}|{sku}", ("", 0))[0], count) for sku, count in command["units"]]
    hurries = command.get("priority", 0) > 0
    for site in sites:
        abroad = sum(count for kind, count in kinds if kind in homes and kind not in site["categories"])
        minutes = site["deliver_by"] // 60_000 if hurries else 0
        site["burdens"] = (
            *(site["tenths"], int(site["outside"]), site["cost_minor"], site["load"]),
            *(abroad, minutes),
        )
        site["points"] = []
    for place in range(len(STRATEGIES)):
        row = [site["burdens"][place] for site in sites]
        for site in sites:
            spread = max(row) - min(row)
            site["points"].append(int(Fraction(1000 * (max(row) - site["burdens"][place]), spread)) if spread else 1000)
    for site in sites:
        site["score"] = sum(plan["weights"][name] * site["points"][place] for place, name in enumerate(STRATEGIES))


def _chosen(sites: list[Site], wanted: list[int], water_line: int) -> list[tuple[Site, list[int]]]:
    """Give who ships how many of each line: first without shelves below the water line, last with closed ones.

    Open ones come before full ones, and closed ones last (so do the lengths of these words).
    """
    ranked = sorted(sites, key=lambda site: (len(site["standing"]), -site["score"]))
    for line, standings in ((water_line, {""}), (0, {"", "full"}), (0, {"", "full", "closed"})):
        could = {
            site["name"]: [min(has, want) if has >= line else 0 for has, want in zip(site["free"], wanted, strict=True)]
            for site in ranked
            if site["standing"] in standings
        }
        able = [site for site in ranked if any(could.get(site["name"], ()))]
        if able and _suffices(able, could, wanted):
            return list(_shares(_fewest(able, could, wanted), could, wanted))
    return []


def _suffices(sites: Sequence[Site], could: Mapping[str, list[int]], wanted: list[int]) -> bool:
    return all(sum(could[site["name"]][line] for site in sites) >= want for line, want in enumerate(wanted))


def _fewest(able: list[Site], could: Mapping[str, list[int]], wanted: list[int]) -> Sequence[Site]:
    for size in range(1, len(able)):
        if comb(len(able), size) * len(wanted) > SEARCH_MAX:
            return _one_by_one(able, could, wanted)
        best: tuple[int, Sequence[Site]] | None = None
        for some in combinations(able, size):
            total = sum(site["score"] for site in some)
            if (best is None or total > best[0]) and _suffices(some, could, wanted):
                best = total, some
        if best is not None:
            return best[1]
    return able


def _one_by_one(able: list[Site], could: Mapping[str, list[int]], wanted: list[int]) -> list[Site]:
    left, taken = list(wanted), []
    while any(left):
        ships = {site["name"]: sum(map(min, could[site["name"]], left)) for site in able}
        most = next(site for site in able if ships[site["name"]] == max(ships.values()))
        left = [want - min(has, want) for has, want in zip(could[most["name"]], left, strict=True)]
        taken.append(most)
    return taken


def _shares(
    sites: Sequence[Site], could: Mapping[str, list[int]], wanted: list[int]
) -> Iterator[tuple[Site, list[int]]]:
    left = list(wanted)
    for site in sites:
        takes = list(map(min, could[site["name"]], left))
        left = [want - took for want, took in zip(left, takes, strict=True)]
        yield site, takes


def _parcels(share: list[list[Any]], tables: Tables, pool: str, plan: Mapping[str, Any]) -> list[list[list[Any]]]:
    """Pack a share: what ships apart last, in the plan's order; no parcel heavier than it may be."""
    known = {sku: tables["products"].get(f"{pool}|{sku}", ("", 0)) for sku, _ in share}
    parcels: list[list[list[Any]]] = []
    for group in ("", *plan["apart"]):
        inside = [unit for unit in share if (known[unit[0]][0] if known[unit[0]][0] in plan["apart"] else "") == group]
        load, is_open = 0, False
        for sku, count in inside:
            grams = known[sku][1]
            runs = [count] if not plan["parcel_grams_max"] or not grams else [1] * count
            for run in runs:
                if not is_open or (grams and load + grams > plan["parcel_grams_max"] > 0):
                    parcels.append([])
                    load, is_open = 0, True
                _add(parcels[-1], sku, run)
                load += grams * run
    return (
        parcels if len(parcels) <= PARCELS_MAX else [*parcels[: PARCELS_MAX - 1], _merged(parcels[PARCELS_MAX - 1 :])]
    )


def _add(parcel: list[list[Any]], sku: str, count: int) -> None:
    if parcel and parcel[-1][0] == sku:
        parcel[-1][1] += count
    else:
        parcel.append([sku, count])


def _merged(parcels: list[list[list[Any]]]) -> list[list[Any]]:
    sums: dict[str, int] = {}
    for parcel in parcels:
        for sku, count in parcel:
            sums[sku] = sums.get(sku, 0) + count
    return [list(pair) for pair in sums.items()]


def money(parts: list[Part], command: Command) -> None:
    """Write into parts what they are worth and their share of what was paid: together the order's, to the cent."""
    paid, values = command.get("paid_minor", 0), command.get("values_minor", [])
    if len(values) == len(command["units"]):
        for part in parts:
            part["values_minor"] = [0] * len(part["units"])
        for (sku, _), value in zip(command["units"], values, strict=True):
            holders = [(part, place) for part in parts for place, unit in enumerate(part["units"]) if unit[0] == sku]
            worth = shares(value, [part["units"][place][1] for part, place in holders])
            for (part, place), share in zip(holders, worth, strict=True):
                part["values_minor"][place] = share
    weights = [sum(part.get("values_minor", ())) for part in parts]
    if not any(weights):
        weights = [sum(count for _, count in part["units"]) for part in parts]
    for part, share in zip(parts, shares(paid, weights), strict=True):
        if share:
            part["paid_minor"] = share


def money_due(parts: list[list[Any]], command: Command) -> list[dict[str, Any]]:
    """Give what each of an order's remembered parts must say of its money."""
    plain: list[Part] = [{"units": part[2]} for part in parts]
    money(plain, command)
    return [{key: value for key, value in part.items() if key != "units" and value} for part in plain]


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """Share a number out: rounded down, then one more for those with the largest remainder, the first of equals."""
    some = weights if any(weights) else [1] * len(weights)
    exact = [Fraction(total * weight, sum(some)) for weight in some]
    found = [int(share) for share in exact]
    for place in sorted(range(len(exact)), key=lambda at: (found[at] - exact[at], at))[: total - sum(found)]:
        found[place] += 1
    return found
