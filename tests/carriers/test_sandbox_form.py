from __future__ import annotations

from urllib.parse import parse_qsl, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.carriers.sandbox_form import read_form

NAMES = st.text("abcXYZ", min_size=1)


@given(st.dictionaries(NAMES, st.text(), min_size=1), st.sampled_from(["", "=/"]))
def test_a_form_is_read_as_it_was_written(fields: dict[str, str], plain: str) -> None:
    written = "&".join(f"{name}={quote_plus(value, safe=plain)}" for name, value in fields.items())
    assert read_form(written.encode()) == fields


@given(st.lists(st.sampled_from([b"%41", b"%e5%8f%b7", b"+", b"=", b"==", b"=41", b"a", b"_", b"/", b"\\x41"])))
def test_whatever_is_whole_is_read_as_python_reads_it(pieces: list[bytes]) -> None:
    body = b"a=" + b"".join(pieces)
    assert list(read_form(body).items()) == parse_qsl(body.decode(), keep_blank_values=True)


@pytest.mark.parametrize(
    "value", [b"%", b"%4", b"%zz", b"%%41", b"%\n", b"%\r\n41", b"%41%\nb", b"%41%", b"\xff", b"%ff", b"%e5%8f"]
)
@pytest.mark.parametrize("before", [b"", b"%41", b"=", b"a=%3D"])
def test_a_form_with_an_escape_that_stands_for_nothing_is_empty(before: bytes, value: bytes) -> None:
    assert read_form(b"b=1&a=" + before + value) == {}
