"""Certificates for `--lan`, made in place: WebXR needs a secure context, and LAN addresses have no names.

A certificate authority and a leaf for this machine's address live in the data folder and are reused, so
that the fingerprint a visitor accepted once stays the same.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .errors import ServerError
from .home import make_private, write_private

# Browsers refuse leaves that live longer than 398 days, whoever signed them.
_LEAF_DAYS = 397
_CA_DAYS = 3650
_RENEW_BEFORE_DAYS = 30

# Connecting a datagram socket sends nothing; it only makes the system choose the address it would send from.
# 192.0.2.1 is reserved for documentation.
_ANYWHERE = ("192.0.2.1", 9)


@dataclass(frozen=True, slots=True)
class LanCertificate:
    """Files for the server and what to show the user."""

    certificate_path: Path  # leaf and CA
    key_path: Path
    ca_path: Path
    fingerprint: str  # sha256 of the leaf, as browsers show it: "AB:CD:..."


def lan_address() -> str:
    """Return the IPv4 address by which the local network reaches this machine.

    Raises:
        ServerError: There is no network.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ANYWHERE)
            address = str(probe.getsockname()[0])
        except OSError as error:
            raise ServerError(
                "this machine is on no network, so there is no address to share",
                hint="Join a network, or name an address with --host together with --cert and --key.",
            ) from error
    return address


def ensure_certificate(
    home: Path, addresses: Sequence[str], *, now: dt.datetime | None = None
) -> LanCertificate:
    """Return a certificate for these IP addresses and host names; makes or renews it if need be.

    Args:
        home: The data folder; files go to `tls` in it, keys readable by their owner alone.
        addresses: IP addresses or DNS names.
        now: The time, with its zone; None: the clock's.
    """
    folder = make_private(home / "tls")
    moment = now or dt.datetime.now(dt.UTC)
    ca_certificate, ca_key = _ensure_ca(folder, moment)
    leaf_path, key_path = folder / "server.pem", folder / "server.key"
    leaf = _usable_leaf(leaf_path, key_path, ca_certificate, addresses, moment)
    if leaf is None:
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _sign(
            subject="Immersive on this machine",
            public_key=key.public_key(),
            issuer=ca_certificate.subject,
            ca_key=ca_key,
            days=_LEAF_DAYS,
            moment=moment,
            addresses=addresses,
        )
        write_private(key_path, _key_pem(key))
        write_private(leaf_path, _pem(leaf) + _pem(ca_certificate))
    digest = leaf.fingerprint(hashes.SHA256()).hex(":").upper()
    return LanCertificate(leaf_path, key_path, folder / "ca.pem", digest)


def names_in_certificate(path: Path) -> frozenset[str]:
    """Return the host names and addresses that a certificate file is for, in lower case.

    Raises:
        ServerError: The file holds no certificate.
    """
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ServerError(
            f"certificate {path.name!r} cannot be read: {error}", hint="Give a PEM file."
        ) from error
    return _names(certificate)


def _names(certificate: x509.Certificate) -> frozenset[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    hosts = names.get_values_for_type(x509.DNSName)
    addresses = names.get_values_for_type(x509.IPAddress)
    return frozenset([*(host.lower() for host in hosts), *(str(address) for address in addresses)])


def _ensure_ca(folder: Path, moment: dt.datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate_path, key_path = folder / "ca.pem", folder / "ca.key"
    try:
        certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        is_pair = isinstance(key, ec.EllipticCurvePrivateKey) and certificate.public_key() == key.public_key()
    except (OSError, ValueError):
        is_pair = False
    # Longer than a leaf, so that a leaf never outlives the authority above it.
    if is_pair and _lives_on(certificate, moment, _LEAF_DAYS):
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return certificate, key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"Immersive CA of {socket.gethostname()}"[:64])]
    )
    certificate = _sign(
        subject=name,
        public_key=key.public_key(),
        issuer=name,
        ca_key=key,
        days=_CA_DAYS,
        moment=moment,
        addresses=None,
    )
    write_private(key_path, _key_pem(key))
    write_private(certificate_path, _pem(certificate))
    return certificate, key


def _usable_leaf(
    path: Path, key_path: Path, ca: x509.Certificate, addresses: Sequence[str], moment: dt.datetime
) -> x509.Certificate | None:
    try:
        leaf = x509.load_pem_x509_certificate(path.read_bytes())
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        leaf.verify_directly_issued_by(ca)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return None
    is_right = _names(leaf) == frozenset(address.lower() for address in addresses)
    is_pair = isinstance(key, ec.EllipticCurvePrivateKey) and leaf.public_key() == key.public_key()
    return leaf if is_right and is_pair and _lives_on(leaf, moment, _RENEW_BEFORE_DAYS) else None


def _lives_on(certificate: x509.Certificate, moment: dt.datetime, days: int) -> bool:
    return certificate.not_valid_after_utc > moment + dt.timedelta(days=days)


def _sign(
    *,
    subject: str | x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    ca_key: ec.EllipticCurvePrivateKey,
    days: int,
    moment: dt.datetime,
    addresses: Sequence[str] | None,
) -> x509.Certificate:
    """Return a certificate; one without addresses is an authority."""
    if isinstance(subject, str):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - dt.timedelta(days=1))  # clocks of headsets are often behind
        .not_valid_after(moment + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=addresses is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=addresses is None,
                crl_sign=addresses is None,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if addresses is not None:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(address) for address in addresses]), critical=False
        ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(ca_key, hashes.SHA256())


def _general_name(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address.lower())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
