"""How Faust's consumer is told what KAFKA_CONFIG tells librdkafka of TLS and SASL."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import faust

from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faust.types.auth import CredentialsT

MECHANISMS = frozenset({"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"})
PROTOCOLS = frozenset({"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"})


def credentials(config: Mapping[str, str]) -> CredentialsT | None:
    """Translate librdkafka's security properties. Raises SettingsError for what Faust cannot do, and names it."""
    protocol = config.get("security.protocol", "PLAINTEXT").upper()
    if protocol not in PROTOCOLS:
        message = f"KAFKA_CONFIG: security.protocol must be one of {', '.join(sorted(PROTOCOLS))} (it is {protocol!r})"
        raise SettingsError(message)
    context = _context(config) if protocol.endswith("SSL") else None
    if not protocol.startswith("SASL"):
        return faust.SSLCredentials(context) if context else None
    mechanism = config.get("sasl.mechanism", config.get("sasl.mechanisms", "PLAIN"))
    if mechanism not in MECHANISMS:
        message = f"KAFKA_CONFIG: sasl.mechanism must be one of {', '.join(sorted(MECHANISMS))} (it is {mechanism!r})"
        raise SettingsError(message)
    return faust.SASLCredentials(
        username=config.get("sasl.username"),
        password=config.get("sasl.password"),
        mechanism=mechanism,
        ssl_context=context,
    )


def _context(config: Mapping[str, str]) -> ssl.SSLContext:
    """Make the TLS context that the properties describe; the certificate's name is always checked."""
    try:
        context = ssl.create_default_context(cafile=config.get("ssl.ca.location"))
        if certificate := config.get("ssl.certificate.location"):
            context.load_cert_chain(certificate, config.get("ssl.key.location"), config.get("ssl.key.password"))
    except OSError as error:
        message = f"KAFKA_CONFIG: the files of ssl.ca.location, ssl.certificate.location or ssl.key.location: {error}"
        raise SettingsError(message) from error
    return context
