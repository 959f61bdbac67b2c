from __future__ import annotations

import pytest

from pipeline.domain.routing.regions import _PROVINCES, UNKNOWN_KM, capital, distance_km


def test_there_are_34_provinces() -> None:
    assert len(_PROVINCES) == 34


@pytest.mark.parametrize(
    ("written", "short"),
    [
        ("浙江省", "浙江"),
        ("上海市", "上海"),
        ("广西壮族自治区", "广西"),
        ("宁夏回族自治区", "宁夏"),
        ("新疆维吾尔自治区", "新疆"),
        ("内蒙古自治区", "内蒙古"),
        ("香港特别行政区", "香港"),
        ("Zhejiang", "浙江"),
        ("ZHEJIANG Province", "浙江"),
        ("Inner Mongolia", "内蒙古"),
        ("Tibet Autonomous Region", "西藏"),
        ("Xinjiang Uyghur Autonomous Region", "新疆"),
        ("Hong Kong SAR", "香港"),
        (" Shaanxi  ", "陕西"),
        ("Shanxi", "山西"),
    ],
)
def test_a_province_has_many_names(written: str, short: str) -> None:
    assert capital(written) == capital(short) is not None


@pytest.mark.parametrize("name", ["", "省", "Ontario", "United Kingdom", "浙"])
def test_an_unknown_province_is_nowhere(name: str) -> None:
    assert capital(name) is None
    assert distance_km(name, 30.0, 120.0) == UNKNOWN_KM


def test_distances_are_great_circles() -> None:
    beijing_to_shanghai = distance_km("北京市", 31.23, 121.47)
    assert beijing_to_shanghai == pytest.approx(1068, abs=3)
    assert distance_km("上海", 31.23, 121.47) == 0.0
    assert distance_km("上海", -31.23, 121.47 - 180) == pytest.approx(20_015, abs=1)
