"""TLS that does not fit, by real handshakes."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kubernetes_asyncio.client import ApiClient, Configuration

from meshflow.clients.kube import Kube
from meshflow.errors import Untrusted

Signed = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def signed(name: str, *, by: Signed | None = None, host: str = "127.0.0.1", days: int = 1) -> Signed:
    """A certificate for a host, or, without `by`, an authority. Negative `days` have passed already."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = (by[0].subject, by[1]) if by else (subject, key)
    now = datetime.now(UTC)
    alternative: x509.GeneralName = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(authority, critical=False)
    )
    if by is None:
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(signer, hashes.SHA256()), key


def written(folder: Path, name: str, pair: Signed) -> Path:
    """Certificate and key in one file."""
    key = pair[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / name
    path.write_bytes(pair[0].public_bytes(serialization.Encoding.PEM) + key)
    return path


@asynccontextmanager
async def server(context: ssl.SSLContext | None) -> AsyncIterator[int]:
    """Something that answers on loopback; yields its port."""
    runner = web.AppRunner(web.Application())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def complaint(folder: Path, pair: Signed | None, *, trusted: Signed) -> str:
    """What is said about a server with this certificate; it must be said at the first try."""
    context = None
    if pair:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(written(folder, "server.pem", pair))
    async with server(context) as port:
        configuration = Configuration(host=f"https://127.0.0.1:{port}")
        configuration.ssl_ca_cert = str(written(folder, "ca.pem", trusted))
        async with ApiClient(configuration) as api_client:
            kube = Kube(api_client, cluster="home")
            with pytest.raises(Untrusted) as caught:
                await kube.version()
            assert caught.value.target == f"https://127.0.0.1:{port}"
            assert kube.requests == {"get": 1}
    return str(caught.value)


async def test_a_strange_authority_says_whom_we_trust_and_what_to_do(tmp_path: Path) -> None:
    theirs, ours = signed("their authority"), signed("our authority")
    told = await complaint(tmp_path, signed("api", by=theirs), trusted=ours)
    assert told.startswith("home: https://127.0.0.1:")
    assert "Trusted is the authority commonName=our authority. Put the authority that signed" in told


async def test_an_expired_certificate_speaks_of_the_clock(tmp_path: Path) -> None:
    authority = signed("authority")
    told = await complaint(tmp_path, signed("api", by=authority, days=-1), trusted=authority)
    assert "certificate has expired. Have it renewed, or set the clock right" in told


async def test_a_certificate_for_another_host_speaks_of_names(tmp_path: Path) -> None:
    authority = signed("authority")
    told = await complaint(tmp_path, signed("api", by=authority, host="api.example.com"), trusted=authority)
    assert "tls-server-name" in told


async def test_a_server_without_tls_is_no_server_to_wait_for(tmp_path: Path) -> None:
    told = await complaint(tmp_path, None, trusted=signed("authority"))
    assert "does not speak TLS. Check scheme and port" in told
