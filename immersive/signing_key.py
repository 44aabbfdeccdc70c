"""The key by which this machine signs what it exports, made on first use.

C2PA wants a certificate that an authority issued. Here the authority is made for this one certificate and
its key thrown away: it vouches for nothing. Who signed is told by the fingerprint of the key alone.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from reconstruction.errors import InvalidInputError

from .home import make_private, write_private

_DAYS = 10 * 365  # without a time stamp a signature is worth as much as its certificate lasts
_RENEW_BEFORE_DAYS = 365
_PEM_END = b"-----END CERTIFICATE-----\n"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key, and the certificates that say whose it is; all PEM."""

    key: bytes
    certificate: bytes
    authority: bytes  # issued `certificate` and nothing else

    @property
    def chain(self) -> bytes:
        """Both certificates, the signer's first."""
        return self.certificate + self.authority


def fingerprint_of(public_key: PublicKeyTypes) -> str:
    """Return the hex sha256 of a public key (DER, SubjectPublicKeyInfo)."""
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(public_key.public_bytes(*form)).hexdigest()


def ensure_signing_key(home: Path, *, now: dt.datetime | None = None) -> SigningKey:
    """Return the key of the data folder `home`; makes it, and renews its certificate, if need be.

    The key stays when its certificate is renewed, and with it the fingerprint that people know.

    Raises:
        InvalidInputError: The key is there and cannot be read.
    """
    folder = make_private(home / "signing")
    moment = now or dt.datetime.now(dt.UTC)
    key_path, certificate_path = folder / "key.pem", folder / "certificate.pem"
    if not key_path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        write_private(key_path, made.private_bytes(*form))
    key_pem = key_path.read_bytes()
    try:
        key = serialization.load_pem_private_key(key_pem, None)
    except (ValueError, TypeError) as error:
        key = error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidInputError(
            f"signing key {key_path} must be a P-256 key in PEM",
            hint="Put it back, or move it away: a new one is made, with another fingerprint.",
        )
    known = _usable(certificate_path, key, moment)
    if known is None:
        known = _certified(key, moment)
        write_private(certificate_path, b"".join(known))
    return SigningKey(key_pem, *known)


def own_fingerprint(home: Path) -> str | None:
    """Return the fingerprint of this machine's key, None if it has signed nothing yet; makes nothing."""
    try:
        leaf = x509.load_pem_x509_certificate((home / "signing" / "certificate.pem").read_bytes())
    except (OSError, ValueError):
        return None
    return fingerprint_of(leaf.public_key())


def _usable(path: Path, key: ec.EllipticCurvePrivateKey, moment: dt.datetime) -> tuple[bytes, bytes] | None:
    try:
        first, end, authority = path.read_bytes().partition(_PEM_END)
        leaf = x509.load_pem_x509_certificate(first + end)
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    except (OSError, ValueError, TypeError, InvalidSignature):
        return None
    lives_on = leaf.not_valid_after_utc > moment + dt.timedelta(days=_RENEW_BEFORE_DAYS)
    return (first + end, authority) if lives_on and leaf.public_key() == key.public_key() else None


def _certified(key: ec.EllipticCurvePrivateKey, moment: dt.datetime) -> tuple[bytes, bytes]:
    """Return a new certificate and its authority. Neither says anything of the machine or its owner."""
    short = fingerprint_of(key.public_key())[:16]
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name, name = _name(f"Immersive authority of {short}"), _name(f"Immersive key {short}")
    pair = []
    for subject, public_key, is_authority in (
        (name, key.public_key(), False),
        (authority_name, authority_key.public_key(), True),
    ):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment - dt.timedelta(days=1))
            .not_valid_after(moment + dt.timedelta(days=_DAYS + is_authority))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
            .add_extension(_usage(is_authority), critical=True)
        )
        if not is_authority:
            # Of the usages that C2PA takes for signers, the one that cryptography has a name for.
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(usage, critical=False)
        signed = builder.sign(authority_key, hashes.SHA256())
        pair.append(signed.public_bytes(serialization.Encoding.PEM))
    return pair[0], pair[1]


def _name(common: str) -> x509.Name:
    organisation = "Immersive, a key that its machine made itself"
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
        ]
    )


def _usage(is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
