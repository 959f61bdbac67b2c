"""Where things are: eight stock pools, the warehouses of each, and the provinces that buyers live in.

The real orders carry no addresses, so households are spread over the provinces by a stable hash, in proportion to the
provinces' populations.
"""

from __future__ import annotations

import math
import zlib
from typing import NamedTuple

EARTH_RADIUS_KM = 6371.0


class Place(NamedTuple):
    """A point in degrees, WGS 84."""

    latitude: float
    longitude: float


class Province(NamedTuple):
    """A province: its name as platforms write it, its capital, where that is, and its population in millions (2020)."""

    name: str
    capital: str
    place: Place
    population_millions: int


CITIES = {
    "beijing": Place(39.904, 116.407),
    "shanghai": Place(31.230, 121.474),
    "guangzhou": Place(23.129, 113.264),
    "shijiazhuang": Place(38.043, 114.515),
    "dalian": Place(38.914, 121.615),
    "wuhan": Place(30.593, 114.305),
    "chengdu": Place(30.573, 104.066),
    "xiamen": Place(24.480, 118.089),
    "xian": Place(34.341, 108.940),
    "shenyang": Place(41.806, 123.432),
}

POOLS: dict[str, tuple[str, str, str]] = {
    "beijing": ("beijing", "wuhan", "guangzhou"),
    "shanghai": ("shanghai", "guangzhou", "chengdu"),
    "guangzhou": ("guangzhou", "shanghai", "xian"),
    "shijiazhuang": ("shijiazhuang", "shanghai", "chengdu"),
    "dalian": ("dalian", "wuhan", "xiamen"),
    "wuhan": ("wuhan", "shenyang", "guangzhou"),
    "chengdu": ("chengdu", "beijing", "xiamen"),
    "xiamen": ("xiamen", "shijiazhuang", "chengdu"),
}
"""The cities of each pool's three warehouses. The eight names fall evenly on 2, 4 and 8 partitions under murmur2."""

PROVINCES = (
    Province("广东省", "广州市", Place(23.129, 113.264), 126),
    Province("山东省", "济南市", Place(36.651, 117.120), 102),
    Province("河南省", "郑州市", Place(34.747, 113.625), 99),
    Province("江苏省", "南京市", Place(32.060, 118.797), 85),
    Province("四川省", "成都市", Place(30.573, 104.066), 84),
    Province("河北省", "石家庄市", Place(38.043, 114.515), 75),
    Province("湖南省", "长沙市", Place(28.228, 112.939), 66),
    Province("浙江省", "杭州市", Place(30.274, 120.155), 65),
    Province("安徽省", "合肥市", Place(31.821, 117.227), 61),
    Province("湖北省", "武汉市", Place(30.593, 114.305), 58),
    Province("广西壮族自治区", "南宁市", Place(22.817, 108.367), 50),
    Province("云南省", "昆明市", Place(24.880, 102.833), 47),
    Province("江西省", "南昌市", Place(28.683, 115.858), 45),
    Province("辽宁省", "沈阳市", Place(41.806, 123.432), 43),
    Province("福建省", "福州市", Place(26.075, 119.296), 42),
    Province("陕西省", "西安市", Place(34.341, 108.940), 40),
    Province("贵州省", "贵阳市", Place(26.647, 106.630), 39),
    Province("山西省", "太原市", Place(37.871, 112.549), 35),
    Province("重庆市", "重庆市", Place(29.563, 106.551), 32),
    Province("黑龙江省", "哈尔滨市", Place(45.803, 126.535), 32),
    Province("新疆维吾尔自治区", "乌鲁木齐市", Place(43.825, 87.617), 26),
    Province("上海市", "上海市", Place(31.230, 121.474), 25),
    Province("甘肃省", "兰州市", Place(36.061, 103.834), 25),
    Province("吉林省", "长春市", Place(43.817, 125.324), 24),
    Province("内蒙古自治区", "呼和浩特市", Place(40.842, 111.749), 24),
    Province("北京市", "北京市", Place(39.904, 116.407), 22),
    Province("天津市", "天津市", Place(39.13, 117.20), 14),
    Province("海南省", "海口市", Place(20.044, 110.199), 10),
    Province("宁夏回族自治区", "银川市", Place(38.487, 106.230), 7),
    Province("青海省", "西宁市", Place(36.617, 101.778), 6),
    Province("西藏自治区", "拉萨市", Place(29.650, 91.141), 4),
)
_POPULATION_MILLIONS = sum(province.population_millions for province in PROVINCES)


def home(buyer: str) -> Province:
    """Give the province that a buyer lives in: always the same one, and as many buyers in each as people live there."""
    rest = zlib.crc32(buyer.encode()) % _POPULATION_MILLIONS
    for province in PROVINCES:
        rest -= province.population_millions
        if rest < 0:
            return province
    message = "the populations do not sum up"
    raise AssertionError(message)


def warehouses(pool: str) -> dict[str, Place]:
    """Give a pool's warehouses by their ids."""
    return {f"{pool}-{city}": CITIES[city] for city in POOLS[pool]}


def nearest_warehouse(pool: str, place: Place) -> str:
    """Give the pool's warehouse nearest to a place."""
    sites = warehouses(pool)
    return min(sites, key=lambda name: (distance_km(sites[name], place), name))


def distance_km(one: Place, other: Place) -> float:
    """Give the great-circle distance (haversine, on a sphere)."""
    lat_one, lat_other = math.radians(one.latitude), math.radians(other.latitude)
    half_lat = (lat_other - lat_one) / 2
    half_long = math.radians(other.longitude - one.longitude) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat_one) * math.cos(lat_other) * math.sin(half_long) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(chord))
