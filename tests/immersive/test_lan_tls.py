"""Certificates made in place: right names, reused, renewed in time, keys private, and really used."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from immersive.catalog import Catalog
from immersive.client import connect
from immersive.errors import ServerError
from immersive.lan_tls import ensure_certificate, names_in_certificate
from immersive.server import run
from immersive.share import Links
from tests.streaming.opaque_asset import opaque_asset

NAMES = ["192.168.1.20", "workbench.local", "127.0.0.1"]
NOW = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)


def test_the_leaf_is_for_the_names_and_signed_by_the_authority(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path, NAMES, now=NOW)

    leaf, ca = x509.load_pem_x509_certificates(made.certificate_path.read_bytes())
    assert names_in_certificate(made.certificate_path) == frozenset(NAMES)
    leaf.verify_directly_issued_by(ca)
    assert ca == x509.load_pem_x509_certificate(made.ca_path.read_bytes())
    constraints = [c.extensions.get_extension_for_class(x509.BasicConstraints).value.ca for c in (leaf, ca)]
    assert constraints == [False, True]
    # Browsers refuse more than 398 days.
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days <= 398
    assert leaf.not_valid_after_utc < ca.not_valid_after_utc
    assert len(made.fingerprint.split(":")) == 32


def test_keys_are_the_owners_alone(tmp_path: Path) -> None:
    ensure_certificate(tmp_path, NAMES)
    for path in (tmp_path / "tls").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name


def test_a_certificate_is_reused_until_it_ends_soon_or_the_address_changes(tmp_path: Path) -> None:
    first = ensure_certificate(tmp_path, NAMES, now=NOW)
    later = NOW + dt.timedelta(days=360)
    assert ensure_certificate(tmp_path, NAMES[::-1], now=later).fingerprint == first.fingerprint
    authority = first.ca_path.read_bytes()

    renewed = ensure_certificate(tmp_path, NAMES, now=NOW + dt.timedelta(days=370))
    moved = ensure_certificate(tmp_path, ["10.0.0.7"], now=NOW)

    assert len({first.fingerprint, renewed.fingerprint, moved.fingerprint}) == 3
    assert moved.ca_path.read_bytes() == authority


def test_the_authority_is_renewed_before_a_leaf_would_outlive_it(tmp_path: Path) -> None:
    authority = ensure_certificate(tmp_path, NAMES, now=NOW).ca_path.read_bytes()
    late = NOW + dt.timedelta(days=3650 - 300)
    made = ensure_certificate(tmp_path, NAMES, now=late)
    leaf, ca = x509.load_pem_x509_certificates(made.certificate_path.read_bytes())
    assert made.ca_path.read_bytes() != authority
    leaf.verify_directly_issued_by(ca)
    assert leaf.not_valid_after_utc < ca.not_valid_after_utc


@pytest.mark.parametrize("name", ["ca.pem", "ca.key", "server.pem", "server.key"])
def test_damaged_files_are_made_again(tmp_path: Path, name: str) -> None:
    ensure_certificate(tmp_path, NAMES)
    (tmp_path / "tls" / name).write_bytes(b"-----BEGIN CERTIFICATE-----\nxx\n")
    made = ensure_certificate(tmp_path, NAMES)
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(made.certificate_path, made.key_path)
    leaf, ca = x509.load_pem_x509_certificates(made.certificate_path.read_bytes())
    leaf.verify_directly_issued_by(ca)
    assert made.ca_path.read_bytes().strip() == ca.public_bytes(Encoding.PEM).strip()
    assert not (tmp_path / "tls" / name).read_bytes().endswith(b"\nxx\n")


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("hello")
    with pytest.raises(ServerError, match="cannot be read"):
        names_in_certificate(tmp_path / "cert.pem")


def test_a_scene_travels_over_tls_to_who_trusts_the_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A loopback address stands for the local network's.
    monkeypatch.setattr(run, "lan_address", lambda: "127.0.0.2")
    catalog = Catalog(tmp_path)
    link = Links(catalog).create(catalog.publish(opaque_asset()).id)

    async def visit(url: str, tls: ssl.SSLContext) -> bool:
        async with connect(url, tls=tls) as connection:
            return (await connection.receive_all()).is_complete

    with run.start_in_thread(tmp_path, lan=True) as info:
        assert info.url == f"https://127.0.0.2:{info.port}"
        assert info.ca_path is not None
        trusting = ssl.create_default_context(cafile=info.ca_path)
        assert asyncio.run(visit(info.link(link.path), trusting))
        # The cable's way: the same port on loopback.
        assert httpx.get(f"https://localhost:{info.port}/healthz", verify=trusting).status_code == 200
        with pytest.raises(httpx.ConnectError, match="certificate"):
            httpx.get(info.url + "/healthz")
        shown = ssl.get_server_certificate(("127.0.0.2", info.port))
        assert (
            info.fingerprint
            == x509.load_pem_x509_certificate(shown.encode()).fingerprint(hashes.SHA256()).hex(":").upper()
        )
    catalog.close()


def test_your_own_certificate_names_the_server(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path / "elsewhere", ["splats.example", "127.0.0.1"])
    trusting = ssl.create_default_context(cafile=made.ca_path)
    with run.start_in_thread(tmp_path, cert=made.certificate_path, key=made.key_path) as info:
        assert info.is_secure and info.fingerprint is None
        for host, status in (("splats.example", 200), ("other.example", 421)):
            answer = httpx.get(info.url + "/healthz", headers={"Host": host}, verify=trusting)
            assert answer.status_code == status
