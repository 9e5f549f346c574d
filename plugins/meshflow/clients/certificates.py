"""TLS that does not fit, as a sentence: waiting mends no certificate, so it is no `Unreachable` that is tried again."""

from __future__ import annotations

import ssl
from typing import Any

from meshflow.errors import Untrusted

_NOT_YET_VALID, _EXPIRED = 9, 10  # OpenSSL's verify codes


def untrusted(error: BaseException, *, cluster: str, host: str, trusted: str | None) -> Untrusted | None:
    """The error for a connection that failed for its certificates; None when it failed for something else.

    `trusted` is the file with the authorities that were accepted, None for those of the system.
    """
    cause = _tls_error(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        said = f"{host} shows a certificate that is not accepted: {cause.verify_message or cause.reason}"
        return Untrusted(f"{cluster}: {said}. {_step(cause, trusted)}", target=host)
    if cause and cause.reason == "WRONG_VERSION_NUMBER":
        return Untrusted(f"{cluster}: {host} does not speak TLS. Check scheme and port of the server", target=host)
    return None


def _step(cause: ssl.SSLCertVerificationError, trusted: str | None) -> str:
    if cause.verify_code in (_NOT_YET_VALID, _EXPIRED):
        return "Have it renewed, or set the clock right: here or there"
    if "ostname mismatch" in cause.verify_message or "IP address mismatch" in cause.verify_message:
        return "Use a name that the certificate has, or say it as tls-server-name in the kubeconfig"
    return (
        f"Trusted is {_authorities(trusted)}. Put the authority that signed the server's certificate into "
        "certificate-authority-data of the kubeconfig of this connection"
    )


def _authorities(path: str | None) -> str:
    """`the authority CN=kubernetes`, as far as the file tells."""
    if not path:
        return "what this machine trusts, for the kubeconfig names no authority"
    try:
        found = ssl.create_default_context(cafile=path).get_ca_certs()
    except (ssl.SSLError, OSError):
        return f"the authority in {path}"
    names = [_subject(certificate) for certificate in found[:3]]
    return f"the authority {'; '.join(names)}" if names else f"the certificate in {path}"


def _subject(certificate: Any) -> str:
    """`organizationName=acme, commonName=kubernetes`."""
    return ", ".join(f"{name}={value}" for part in certificate.get("subject", ()) for name, value in part)


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """The SSLError that an error of aiohttp is about."""
    candidates = (getattr(error, "certificate_error", None), getattr(error, "os_error", None), error.__cause__)
    return next((found for found in candidates if isinstance(found, ssl.SSLError)), None)
