"""China's 34 provinces: where their capitals are, and the names that platforms write for them.

The receiver's province is all that routing asks of an address: its capital stands for the place. Coordinates are of the
seats of government, in degrees, WGS 84, rounded to about a kilometre.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

EARTH_RADIUS_KM = 6371.0
UNKNOWN_KM = -1.0
"""The distance to a place that nobody knows."""
DISTANCES_REMEMBERED_MAX = 65_536
PROVINCES_REMEMBERED_MAX = 4096


class Place(NamedTuple):
    """A point in degrees, WGS 84."""

    latitude: float
    longitude: float


_PROVINCES = {
    "北京 beijing": Place(39.90, 116.41),
    "天津 tianjin": Place(39.13, 117.20),
    "河北 hebei": Place(38.04, 114.51),
    "山西 shanxi": Place(37.87, 112.55),
    "内蒙古 inner-mongolia nei-mongol neimenggu": Place(40.84, 111.75),
    "辽宁 liaoning": Place(41.80, 123.43),
    "吉林 jilin": Place(43.82, 125.32),
    "黑龙江 heilongjiang": Place(45.80, 126.53),
    "上海 shanghai": Place(31.23, 121.47),
    "江苏 jiangsu": Place(32.06, 118.80),
    "浙江 zhejiang": Place(30.27, 120.16),
    "安徽 anhui": Place(31.82, 117.23),
    "福建 fujian": Place(26.07, 119.30),
    "江西 jiangxi": Place(28.68, 115.86),
    "山东 shandong": Place(36.65, 117.12),
    "河南 henan": Place(34.75, 113.63),
    "湖北 hubei": Place(30.59, 114.31),
    "湖南 hunan": Place(28.23, 112.94),
    "广东 guangdong canton": Place(23.13, 113.26),
    "广西 guangxi": Place(22.82, 108.37),
    "海南 hainan": Place(20.04, 110.20),
    "重庆 chongqing": Place(29.56, 106.55),
    "四川 sichuan": Place(30.57, 104.07),
    "贵州 guizhou": Place(26.65, 106.63),
    "云南 yunnan": Place(24.88, 102.83),
    "西藏 tibet xizang": Place(29.65, 91.14),
    "陕西 shaanxi": Place(34.34, 108.94),
    "甘肃 gansu": Place(36.06, 103.83),
    "青海 qinghai": Place(36.62, 101.78),
    "宁夏 ningxia": Place(38.49, 106.23),
    "新疆 xinjiang": Place(43.83, 87.62),
    "香港 hong-kong hongkong": Place(22.32, 114.17),
    "澳门 macau macao": Place(22.20, 113.54),
    "台湾 taiwan": Place(25.03, 121.57),
}
PROVINCES: Mapping[str, Place] = {
    name.replace("-", " "): place for names, place in _PROVINCES.items() for name in names.split()
}
"""A province's capital by each of the province's names, in lower case, without what kind of province it is."""
KINDS = (
    *("壮族自治区", "回族自治区", "维吾尔自治区", "自治区", "特别行政区", "省", "市"),
    *(" province", " municipality", " zhuang autonomous region", " hui autonomous region"),
    *(" uyghur autonomous region", " autonomous region", " sar", " sheng", " shi"),
)
"""The endings that say what kind of province it is; a longer one before one that it ends with."""


def capital(province: str) -> Place | None:
    """Give the place of a province's capital, or None where the name is none of theirs."""
    name = " ".join(province.split()).lower()
    for kind in KINDS:
        if name.endswith(kind):
            name = name.removesuffix(kind)
            break
    return PROVINCES.get(name)


@lru_cache(maxsize=PROVINCES_REMEMBERED_MAX)
def province_key(province: str) -> Place | str:
    """Give what two names of one province have in common: its capital's place, or the name that nobody knows."""
    return capital(province) or " ".join(province.split()).lower()


@lru_cache(maxsize=DISTANCES_REMEMBERED_MAX)
def distance_km(province: str, latitude: float, longitude: float) -> float:
    """Give the great-circle distance from a province's capital to a place; UNKNOWN_KM for an unknown province.

    To 0.1 km, so that the last bits of a machine's sine decide nothing.
    """
    origin = capital(province)
    if origin is None:
        return UNKNOWN_KM
    north, south = math.radians(origin.latitude), math.radians(latitude)
    half = (north - south) / 2, math.radians(origin.longitude - longitude) / 2
    chord = math.sin(half[0]) ** 2 + math.cos(north) * math.cos(south) * math.sin(half[1]) ** 2
    return round(2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, chord))), 1)
