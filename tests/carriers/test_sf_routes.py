from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.carriers.sf_routes import REPORTS, acknowledgement, beijing_ms, beijing_text, read_push
from pipeline.domain.commands import Report, ReportShipment
from pipeline.errors import PoisonError

ROUTE = {
    "mailno": "SF7444400031887",
    "acceptAddress": "深圳市",
    "reasonName": "",
    "orderid": "0d1e-1",
    "acceptTime": "2026-11-11 00:00:01",
    "remark": "已收取快件",
    "opCode": "50",
    "id": "158918741444476",
    "reasonCode": "",
}
YEAR_9999_MS = 253_402_271_999_000


def push(*routes: Any) -> bytes:  # noqa: ANN401  any JSON
    return json.dumps({"Body": {"WaybillRoute": list(routes)}}).encode()


def test_a_route_becomes_a_report() -> None:
    assert read_push(push(ROUTE, {**ROUTE, "id": 7, "opCode": "12345", "acceptAddress": None})) == [
        ReportShipment(
            at=1794326401000,
            fulfilment_id="0d1e-1",
            report_id="158918741444476",
            report=Report.COLLECTED,
            code="50",
            waybill_no="SF7444400031887",
            place="深圳市",
        ),
        ReportShipment(
            at=1794326401000,
            fulfilment_id="0d1e-1",
            report_id="7",
            report=Report.OTHER,
            code="12345",
            waybill_no="SF7444400031887",
        ),
    ]


def test_every_report_but_a_refusal_has_a_code() -> None:
    assert set(REPORTS.values()) == set(Report) - {Report.OTHER, Report.REFUSED}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"Body":' * 100_000, "not JSON"),
        (b'{"Body":{"WaybillRoute":[{"mailno":"\xff"}]}}', "not JSON|utf-8|UTF-8"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `Body`"),
        (b'{"Body":{}}', "^Body: .*missing required field `WaybillRoute`"),
        (push(ROUTE, {}), r"^Body.WaybillRoute\[1\]: .*missing required field `mailno`"),
        (push({**ROUTE, "orderid": ""}), r"^Body.WaybillRoute\[0\].orderid: "),
        (push({**ROUTE, "orderid": 5}), r"^Body.WaybillRoute\[0\].orderid: "),
        (push({**ROUTE, "mailno": "9" * 65}), r"^Body.WaybillRoute\[0\].mailno: "),
        (push(ROUTE, {**ROUTE, "acceptTime": "yesterday"}), r"^Body.WaybillRoute\[1\].acceptTime: .*'yesterday'"),
        (push({**ROUTE, "acceptTime": "2026-02-30 00:00:00"}), r"^Body.WaybillRoute\[0\].acceptTime: "),
        (push({**ROUTE, "acceptTime": "2026-11-11T00:00:01"}), r"^Body.WaybillRoute\[0\].acceptTime: "),
        (push({**ROUTE, "acceptTime": "2026-11-11 00:00+01"}), r"^Body.WaybillRoute\[0\].acceptTime: "),
        (push({**ROUTE, "acceptTime": "1969-11-11 00:00:01"}), r"^Body.WaybillRoute\[0\].acceptTime: "),
    ],
)
def test_a_malformed_push_names_its_field(body: bytes, named: str) -> None:
    with pytest.raises(PoisonError, match=named):
        read_push(body)


@given(st.integers(0, YEAR_9999_MS // 1000))
def test_times_are_those_of_beijing(at_seconds: int) -> None:
    assert beijing_ms(beijing_text(at_seconds * 1000)) == at_seconds * 1000


@given(st.datetimes(datetime(1992, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001  Beijing's wall clock
def test_times_agree_with_the_zones_own_rules(at: datetime) -> None:
    wall = at.replace(microsecond=0)
    there = wall.replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    assert beijing_ms(wall.strftime("%Y-%m-%d %H:%M:%S")) == int(there.timestamp()) * 1000


VALUE = st.none() | st.integers() | st.text(max_size=20) | st.lists(st.integers(), max_size=2)
ANY_ROUTE = st.fixed_dictionaries({name: st.just(value) | VALUE for name, value in ROUTE.items()})


@given(st.binary() | st.lists(ANY_ROUTE | VALUE, max_size=4).map(lambda routes: push(*routes)))
def test_whatever_is_pushed_is_read_or_poison(body: bytes) -> None:
    try:
        reports = read_push(body)
    except PoisonError:
        return
    assert all(report.fulfilment_id and report.report_id and report.at >= 0 for report in reports)


def test_a_push_is_acknowledged_in_sfs_words() -> None:
    assert acknowledgement("0000", "成功") == '{"return_code":"0000","return_msg":"成功"}'.encode()
