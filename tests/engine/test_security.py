from __future__ import annotations

import faust
import pytest

from pipeline.engine.security import credentials
from pipeline.errors import SettingsError


def test_without_security_properties_there_are_no_credentials() -> None:
    assert credentials({}) is None
    assert credentials({"client.id": "x"}) is None


def test_tls_alone_checks_the_broker_against_the_system_s_authorities() -> None:
    found = credentials({"security.protocol": "ssl"})
    assert isinstance(found, faust.SSLCredentials)
    assert found.context.check_hostname


def test_sasl_over_tls_carries_name_and_password() -> None:
    found = credentials(
        {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "core",
            "sasl.password": "secret",
        }
    )
    assert isinstance(found, faust.SASLCredentials)
    assert (found.username, found.password, found.protocol.value) == ("core", "secret", "SASL_SSL")
    assert found.mechanism.value == "SCRAM-SHA-512"


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"security.protocol": "TELNET"}, "security.protocol"),
        ({"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"}, "sasl.mechanism"),
        ({"security.protocol": "SSL", "ssl.ca.location": "/nowhere/ca.pem"}, "ssl.ca.location"),
    ],
)
def test_what_faust_cannot_do_stops_the_start_and_is_named(config: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        credentials(config)
